"""Shared parts of all drawings: size, look, legend, logarithmic axes, files."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas

WIDTH = 7.0  # inches: both columns of a two-column page
CHARACTERS = 110  # in a line of that width
DOTS = 200  # an inch
# Okabe and Ito (2008), without yellow; neighbors differ in gray too.
COLORS = ("#0072b2", "#e69f00", "#000000", "#cc79a7", "#009e73", "#56b4e9", "#d55e00")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    # One font: each further one, such as bold, is a file to be cut down for the PDF.
    "font.size": 8,
    "figure.constrained_layout.use": True,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelpad": 3,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "text.parse_math": False,
    "pdf.fonttype": 42,
}


def rendered(draw: Callable[[Canvas], None]) -> dict[str, bytes]:
    """The drawing that `draw` makes on an empty canvas, in the look of a report.

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
        canvas = Canvas(dpi=DOTS)
        draw(canvas)
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


def legend(
    canvas: Canvas, handles: Sequence[Artist], note: str = "", *, below: bool = False
) -> None:
    """Puts a legend outside the panels, above or `below`; `note` is its last line."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=0) + 8
    columns = max(1, min(len(handles), CHARACTERS // longest))
    # As many in each line, rather than one left over.
    columns = -(-len(handles) // -(-len(handles) // columns)) if handles else 1
    place: Literal["outside lower center", "outside upper center"]
    place = "outside lower center" if below else "outside upper center"
    canvas.legend(
        handles=list(handles),
        loc=place,
        ncols=columns,
        title=textwrap.fill(note, CHARACTERS) or None,
        title_fontsize=8,
    )


def wrapped(text: str, inches: float) -> str:
    """A title in lines of about this length."""
    return textwrap.fill(text, max(12, int(inches * CHARACTERS / WIDTH)))


def ticks(axis: Axis, most: int = 6) -> None:
    """Round numbers on a linear axis."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]))


def decades(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > 100 else (1.0, 2.0, 5.0) if high / low > 10 else range(1, 10)
    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_major_formatter(lambda x, _: power(x))
    axis.set_minor_formatter(NullFormatter())


def power(x: float) -> str:
    """A positive number on an axis: 0.01, 2, 100, 10³, 5×10⁶."""
    if 0.01 <= x < 1000:
        return f"{x:g}"
    digits, exponent = f"{x:e}".split("e")
    factor = "" if float(digits) == 1 else f"{float(digits):g}×"
    return f"{factor}10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def bare(axes: Axes) -> None:
    """A panel without grid, ticks and frame."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
