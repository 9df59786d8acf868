"""Shared parts of all drawings: size, look, legend, logarithmic axes, files."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH = 7.0  # inches: both columns of a two-column page
HEIGHT = 9.5  # inches: of a page
CHARACTERS = 110  # in a line of that width
# Okabe and Ito (2008), without yellow; neighbors differ in gray too.
COLORS = ("#0072b2", "#e69f00", "#000000", "#cc79a7", "#009e73", "#56b4e9", "#d55e00")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LOOK: dict[Any, Any] = {
    # One font: each further one, such as bold, is a file to be cut down for the PDF.
    "font.size": 8,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-5, 7),
    "axes.grid": True,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "grid.color": "0.9",
    "legend.frameon": False,
    "legend.title_fontsize": 8,
    "lines.linewidth": 1.2,
    "text.parse_math": False,
    "pdf.fonttype": 42,
}


def rendered(draw: Callable[[Canvas], None], title: str = "") -> dict[str, bytes]:
    """The drawing that `draw` makes on an empty canvas, in the look of a report, and its title.

    Returns:
        The contents of the files by suffix: `png` for screens, `pdf` for papers. The same drawing
        gives the same bytes.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure as Canvas

    # A user's own settings must not change the look of a report.
    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **LOOK}
    settings.pop("backend")
    png, pdf = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(settings):
        canvas = Canvas(dpi=200)
        draw(canvas)
        if title:
            title = textwrap.fill(title, CHARACTERS)
            if canvas.legends:
                head = canvas.legends[0]
                note = head.get_title().get_text()
                head.set_title("\n".join(filter(None, (title, note))))
            else:
                canvas.suptitle(title)
        # `Figure.savefig` would draw each file twice, and lay it out anew.
        FigureCanvasAgg(canvas).print_png(png, metadata={"Software": None})
        canvas.set_layout_engine("none")
        nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
        FigureCanvasPdf(canvas).print_pdf(pdf, metadata=nothing)
    return {"png": png.getvalue(), "pdf": pdf.getvalue()}


def panels(canvas: Canvas, number: int, across: int, **options: Any) -> list[Axes]:
    """A grid of panels, `across` of them in a row; `options` are those of `Figure.subplots`."""
    grid = canvas.subplots(-(-number // across), across, squeeze=False, **options)
    axes = [one for line in grid for one in line]
    for empty in axes[number:]:
        empty.set_axis_off()
    return axes[:number]


def look(place: int) -> dict[str, Any]:
    """Color, dashes and marker of the line with this index; 252 are different.

    All three differ between neighbors, so lines can be told apart in gray and by the color-blind.
    """
    return {
        "color": COLORS[place % len(COLORS)],
        "linestyle": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": 4.4,
        "markerfacecolor": "white",
        "markeredgewidth": 1.1,
    }


def legend(canvas: Canvas, handles: Sequence[Artist], note: str = "") -> None:
    """Puts a legend above the panels; `note` is its first line."""
    longest = max(len(str(handle.get_label())) for handle in handles) + 8
    lines = -(-len(handles) // max(1, CHARACTERS // longest))
    canvas.legend(
        handles=list(handles),
        loc="outside upper center",
        ncols=-(-len(handles) // lines),
        title=textwrap.fill(note, CHARACTERS) or None,
    )


def wrapped(text: str, across: int = 1) -> str:
    """A title in lines that fit below one of `across` panels in a row."""
    return textwrap.fill(text, int(0.8 * CHARACTERS / across))


def decades(axes: Axes, name: str, **options: Any) -> None:
    """Makes the axis "x" or "y" logarithmic, with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    (axes.set_xscale if name == "x" else axes.set_yscale)("log", **options)
    axis = axes.xaxis if name == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
