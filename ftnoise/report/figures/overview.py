"""The table as an image: the paper's number and ours for each row, a panel for each column.

Points rather than bars, so that an axis need not begin at zero; shapes and gray values rather than
colors, so that it survives a printer. The line through ours is the 95 % t interval of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column
from ftnoise.report.figures.canvas import WIDTH, legend, panels, ticks, wrapped
from ftnoise.report.results import Results
from ftnoise.report.table import titled
from ftnoise.stats import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LINE = 0.22  # inches for a row
ACROSS = 3  # panels in a row
APART = 0.18  # of a row: distance of the paper's point and ours from its middle, above and below
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


def draw(canvas: Canvas, results: Results) -> None:
    """Draws the columns for which the paper has numbers, or all if it has none."""
    columns = results.kinds()[0]
    across = min(ACROSS, len(columns))
    down = -(-len(columns) // across)
    places: dict[str, float] = {}
    labels: dict[float, str] = {}
    y = 0.0
    for group, rows in results.groups.items():
        if group:
            labels[y] = group
            y += 1
        for label, row in rows.items():
            places[row.name], labels[y] = y, label
            y += 1
        y += 0.4
    canvas.set_size_inches(WIDTH, down * (LINE * y + 0.55) + 0.3)
    grid = panels(canvas, len(columns), across, sharey=True)
    for axes, column in zip(grid, columns, strict=True):
        _panel(axes, results, column, places)
        axes.set_xlabel(wrapped(titled(column.title, column.unit), 0.8 * WIDTH / across))
        axes.set_ylim(y - 0.3, -0.7)
        axes.set_yticks(list(labels), list(labels.values()))
        for tick in axes.get_yticklabels():
            if tick.get_text() in results.groups:
                tick.set(fontsize=9, color="0.4")
    legend(canvas, handles(results, columns))


def _panel(axes: Axes, results: Results, column: Column, places: dict[str, float]) -> None:
    apart = APART if results.has_paper(column) else 0.0
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.hlines(
        *(list(places.values()), 0, 1),
        transform=axes.get_yaxis_transform(),
        color="0.9",
        linewidth=0.6,
    )
    cells = [(places[row.name], results.cell(row, column)) for row in results.experiment.rows]
    paper = [(cell.paper, y - apart) for y, cell in cells if cell.paper is not None]
    if paper:
        axes.plot(*zip(*paper, strict=True), **PAPER)
    ours = [(cell.ours.mean, y + apart, half(cell.ours)) for y, cell in cells if cell.ours]
    if ours:
        x, y, xerr = zip(*ours, strict=True)
        axes.errorbar(x, y, xerr=xerr, **OURS)
    axes.margins(x=0.08)
    ticks(axes.xaxis, 5)


def half(ours: Summary) -> float:
    """Half of the interval's length; NaN, for nothing to draw, where there is none."""
    return math.nan if ours.high is None else ours.high - ours.mean


def handles(results: Results, columns: Iterable[Column]) -> list[Any]:
    """The marks in a legend: whose numbers of these columns they are."""
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
