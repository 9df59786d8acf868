"""The table as a picture: the paper's number and ours for each row, a panel for each measure.

Points rather than bars, so that an axis need not begin at zero; shapes and gray values rather
than colors, so that it survives a printer. A line through ours is the 95 % t interval of the mean.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column
from ftnoise.report.results import Results, heading

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDTH = 7.0  # inches: both columns of a two-column page
LINE = 0.23  # inches for a row
PER_LINE = 3  # panels beside each other
DOTS = 200  # an inch
TEXT, CHARACTER = 0.14, 0.06  # inches from line to line, and of a character (rather too many)
TITLE = 30  # characters that fit under a panel
APART = 0.18  # of a row: how far the paper's point and ours stand above and below its middle
LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.labelpad": 3,
    "xtick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "text.parse_math": False,
    "pdf.fonttype": 42,
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PAPER: dict[str, Any] = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 4.2,
    "markerfacecolor": "white",
    "markeredgecolor": "0.25",
    "markeredgewidth": 0.9,
}
OURS: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 4.6,
    "color": "#12436d",
    "elinewidth": 1.1,
    "capsize": 2.2,
    "capthick": 1.1,
}


def picture(results: Results) -> dict[str, bytes]:
    """Draws the measures for which the paper has numbers (all, if it has none), as `rendered`."""
    return rendered(lambda figure: draw(figure, results))


def rendered(draw: Callable[[Figure], None]) -> dict[str, bytes]:
    """What `draw` draws onto an empty figure, in the look of a report.

    Returns:
        The files' contents by suffix: `png` for screens, `pdf` for papers. The same results give
        the same bytes.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        # A user's own settings must not change what a report looks like.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        figure = Figure()
        draw(figure)
        return {
            "png": _bytes(figure, "png", {"Software": None}),
            "pdf": _bytes(figure, "pdf", {"Creator": None, "Producer": None, "CreationDate": None}),
        }


def _bytes(figure: Figure, suffix: str, metadata: dict[str, None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=suffix, dpi=DOTS, metadata=metadata)
    return content.getvalue()


def draw(figure: Figure, results: Results) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    columns = results.kinds()[0]
    across = min(PER_LINE, len(columns))
    down = -(-len(columns) // across)
    places, ticks, labels, headings = _places(results)
    bottom = ticks[-1] + 0.7
    titles = [textwrap.wrap(heading(column), TITLE) for column in columns]
    panel, below, above = LINE * bottom + 0.1, 0.29 + 0.13 * max(map(len, titles)), 0.3
    height = down * (panel + below) + above
    figure.set_size_inches(WIDTH, height)
    longest = max(map(len, labels))
    grid = figure.add_gridspec(
        down,
        across,
        left=(0.15 + 0.068 * longest) / WIDTH,
        right=1 - 0.1 / WIDTH,
        top=1 - above / height,
        bottom=below / height,
        wspace=0.16,
        hspace=below / panel,
    )
    for i, column in enumerate(columns):
        axes = figure.add_subplot(grid[i // across, i % across])
        _panel(axes, results, column, places)
        axes.set_xlabel("\n".join(titles[i]))
        axes.set_ylim(bottom, -0.6)
        axes.set_yticks(ticks, labels if i % across == 0 else [""] * len(labels))
        for tick, is_heading in zip(axes.get_yticklabels(), headings, strict=True):
            tick.set_fontweight("bold" if is_heading else "normal")
    legend(figure, handles(results, columns))


def _places(
    results: Results,
) -> tuple[dict[str, float], list[float], list[str], list[bool]]:
    """Heights, counted downwards: of each row by name, and of the labels with their texts."""
    places: dict[str, float] = {}
    ticks: list[float] = []
    labels: list[str] = []
    headings: list[bool] = []
    y = 0.0
    for group in results.groups():
        if group.name:
            ticks.append(y)
            labels.append(group.name)
            headings.append(True)
            y += 1
        for label, row in group.rows:
            places[row.name] = y
            ticks.append(y)
            labels.append(label)
            headings.append(False)
            y += 1
        y += 0.4
    return places, ticks, labels, headings


def _panel(axes: Axes, results: Results, column: Column, places: dict[str, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    apart = APART if results.has_paper(column) else 0.0
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.hlines(
        list(places.values()),
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color="0.9",
        linewidth=0.6,
    )
    for row in results.experiment.rows:
        cell = results.cell(row, column)
        if cell.paper is not None:
            axes.plot([cell.paper], [places[row.name] - apart], **PAPER)
        if cell.ours is not None:
            ours = cell.ours
            half = ours.high - ours.mean if ours.high is not None else None
            axes.errorbar([ours.mean], [places[row.name] + apart], xerr=half, **OURS)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def handles(results: Results, columns: Iterable[Column]) -> list[Line2D]:
    """What a legend says of the marks: whose numbers of these columns they are."""
    from matplotlib.lines import Line2D

    columns = tuple(columns)
    marks = {name: OURS[name] for name in ("linestyle", "marker", "markersize", "color")}
    text = f"ours ({results.preset} preset)"
    if any(map(results.has_spread, columns)):
        marks |= {"linestyle": "-", "linewidth": OURS["elinewidth"]}
        text += ", mean and 95 % interval over seeds"
    found = [Line2D([], [], label=text, **marks)]
    if any(map(results.has_paper, columns)):
        found.insert(0, Line2D([], [], label="paper", **PAPER))
    return found


def legend(figure: Figure, entries: Sequence[Artist], columns: int = 2, down: float = 0.0) -> None:
    """Puts a legend above the panels, `down` inches from the top; the figure has its size."""
    figure.legend(
        handles=list(entries),
        loc="upper right",
        bbox_to_anchor=(1, 1 - down / figure.get_figheight()),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
    )


def decades(axis: Axis, low: float, high: float) -> None:
    """Numbers on a logarithmic axis that goes from `low` to `high`: a few in every range."""
    from matplotlib.ticker import LogLocator, NullFormatter

    steps = (1, 2, 5) if high / low > 10 else range(1, 10)
    axis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else steps, numticks=9))
    axis.set_major_formatter(lambda x, _: power(x))
    axis.set_minor_formatter(NullFormatter())


def power(x: float) -> str:
    """A positive number on an axis: 0.01, 2, 100, 10³, 5×10⁶."""
    if 0.01 <= x < 1000:
        return f"{x:g}"
    digits, exponent = f"{x:e}".split("e")
    factor = "" if float(digits) == 1 else f"{float(digits):g}×"
    return f"{factor}10{str(int(exponent)).translate(SUPERSCRIPTS)}"
