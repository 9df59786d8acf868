"""Columns of the table as pictures: the paper's numbers and ours, and rows against each other.

Our points have a mark and a color of their own everywhere. They are points rather than bars, so
that an axis need not begin at zero. The line through ours is the 95 % t interval of the mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves, Scatter
from ftnoise.report.figures.canvas import COLORS, DASHES, WIDTH, decades, legend, panels, wrapped
from ftnoise.report.results import Results
from ftnoise.report.table import Section, seeds_in_words, titled
from ftnoise.stats import Summary

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

APART = 0.18  # of a row: distance of the paper's point and ours from its middle, above and below
LIGHT = 0.5  # opacity of the paper's lines
PAPER: dict[str, Any] = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 4.6,
    "markerfacecolor": "white",
    "color": "0.25",
}
OURS: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.6, "color": "#12436d"}
BARS: dict[str, Any] = {"elinewidth": 1.1, "capsize": 2.2}
SHAPES = ("o", "s", "h", "D", "8", "p")  # with room for a number


def overview(canvas: Canvas, results: Results) -> None:
    """Draws a panel for each column with numbers of the paper, or for all if it has none."""
    columns = results.kinds()[0]
    across = min(3, len(columns))
    rows = [row for *_, row in results.rows]
    canvas.set_size_inches(WIDTH, -(-len(columns) // across) * (0.22 * len(rows) + 0.6) + 0.3)
    grid = panels(canvas, len(columns), across, sharey=True)
    for axes, column in zip(grid, columns, strict=True):
        apart = APART if results.has_paper(column) else 0.0
        cells = [*enumerate(results.cell(row, column) for row in rows)]
        paper = [(cell.paper, y - apart) for y, cell in cells if cell.paper is not None]
        axes.plot([x for x, _ in paper], [y for _, y in paper], **PAPER)
        ours = [(cell.ours.mean, y + apart, _half(cell.ours)) for y, cell in cells if cell.ours]
        xs, ys, bars = ([point[k] for point in ours] for k in range(3))
        axes.errorbar(xs, ys, xerr=bars, **OURS, **BARS)
        axes.set_xlabel(wrapped(titled(column.title, column.unit), across))
        axes.locator_params(axis="x", nbins=4, integer=column.digits == 0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
    legend(canvas, _handles(results, columns))


def _half(ours: Summary) -> float:
    """Half of the interval's length; NaN, for nothing to draw, where there is none."""
    return math.nan if ours.high is None else ours.high - ours.mean


def _handles(results: Results, columns: Sequence[Column]) -> list[Artist]:
    """The marks in a legend: whose numbers of these columns they are."""
    from matplotlib.lines import Line2D

    text, line = f"ours ({results.preset} preset)", "none"
    if any(map(results.has_spread, columns)):
        text, line = f"{text}, mean and 95 % interval over seeds", "-"
    paper = any(map(results.has_paper, columns))
    return [
        *([Line2D([], [], label="paper", **PAPER)] if paper else []),
        Line2D([], [], label=text, **(OURS | {"linestyle": line})),
    ]


def curves(results: Results, figure: Curves) -> Section:
    """A panel for each group of rows and each entry of `panels`.

    The dashes of a line show its column. A row without an x is a horizontal line in a color of its
    own.
    """
    text = (
        f"The paper's numbers and ours, each at its own x ({results.column(figure.x).title}). A "
        "horizontal line is a row without an x; the paper's lines are lighter."
    )
    return Section(text=text, draw=lambda canvas: _draw_curves(canvas, results, figure))


def _draw_curves(canvas: Canvas, results: Results, figure: Curves) -> None:
    from matplotlib.lines import Line2D

    shown = [(group, names) for group in results.groups for names in figure.panels]
    heights = [1.2 + 0.8 * len(names) for _, names in shown]
    canvas.set_size_inches(WIDTH, sum(heights) + 0.8)
    grid = panels(canvas, len(shown), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    columns = {name: results.column(name) for names in figure.panels for name in names}
    several = dict.fromkeys(name for names in figure.panels if len(names) > 1 for name in names)
    dashes = {name: DASHES[k % len(DASHES)] for k, name in enumerate(several)}
    flat: dict[str, str] = {}  # colors of the rows without an x
    x_column = results.column(figure.x)
    for axes, (group, names) in zip(grid, shown, strict=True):
        for name, ours in itertools.product(names, (False, True)):
            line = {"linestyle": dashes.get(name, "-"), "alpha": 1 if ours else LIGHT}
            points: list[Any] = []
            for label, row in results.groups[group].items():
                cell, x_cell = results.cell(row, columns[name]), results.cell(row, x_column)
                y, x = cell.number(ours), x_cell.number(ours or x_cell.paper is None)
                if y is None or (x is None and x_cell.paper is not None):
                    continue  # not measured yet
                if x is None:
                    color = flat.setdefault(label, COLORS[1 + len(flat) % (len(COLORS) - 1)])
                    axes.axhline(y, color=color, **line)
                elif x > 0 or not figure.logarithmic:
                    points.append((x, y, _half(cell.ours) if cell.ours else math.nan))
            xs, ys, bars = ([point[k] for point in sorted(points)] for k in range(3))
            axes.errorbar(xs, ys, bars if ours else None, **(OURS if ours else PAPER) | BARS | line)
        titles = ",\n".join(columns[name].title for name in names)
        axes.set_ylabel(titled(titles, columns[names[0]].unit))
        axes.set_title(group if len(results.groups) > 1 else "")
        axes.margins(x=0.05, y=0.08)
    axes.set_xlabel(titled(x_column.title, x_column.unit))
    if figure.logarithmic:
        decades(axes, "x")
    canvas.align_ylabels()
    handles = _handles(results, [*columns.values()])
    for name, style in dashes.items():
        handles.append(Line2D([], [], label=columns[name].title, linestyle=style, color="0.25"))
    for label, color in flat.items():
        handles.append(Line2D([], [], label=f"{label}, no x (lighter: paper)", color=color))
    legend(canvas, handles)


@dataclass(frozen=True)
class Point:
    """A row in a panel; `number` and `group` are its positions in the table."""

    number: int
    group: int
    row: str
    x: float
    y: float
    on_front: bool

    @property
    def mark(self) -> dict[str, Any]:
        """Its shape and color."""
        color = COLORS[self.group % len(COLORS)]
        shape = SHAPES[self.group % len(SHAPES)]
        face = color if self.on_front else "white"
        return {"marker": shape, "color": color, "markerfacecolor": face, "markersize": 9}


def scatter(results: Results, figure: Scatter) -> Section | None:
    """A panel for each pair of columns; a row is the same number in all of them."""
    shown = [_points(results, figure, pair) for pair in figure.panels]
    if not any(shown):
        return None
    ours = [results.cell(*cell).ours for cell in results.cells()]
    counts = seeds_in_words([one.count for one in ours if one])
    return Section(
        text=f"{counts}. Filled: no other row is better in both columns (the Pareto front, which "
        "the line joins).",
        draw=lambda canvas: _draw_scatter(canvas, results, figure, shown),
        header=("row", "x_column", "y_column", "x", "y", "on_front"),
        lines=[
            (one.row, *pair, one.x, one.y, one.on_front)
            for pair, points in zip(figure.panels, shown, strict=True)
            for one in points
        ],
    )


def _points(results: Results, figure: Scatter, pair: tuple[str, str]) -> list[Point]:
    """The rows that have a number in both columns."""
    columns, groups = [results.column(name) for name in pair], [*results.groups]
    signs = [-1 if name in figure.low else 1 for name in pair]
    found, scores = [], []
    for number, (group, _, row) in enumerate(results.rows, 1):
        x, y = (results.cell(row, column).ours for column in columns)
        if x is not None and y is not None:
            found.append((number, groups.index(group), row.name, x.mean, y.mean))
            scores.append((signs[0] * x.mean, signs[1] * y.mean))
    return [
        Point(*one, on_front=not any(a >= x and b >= y and (a, b) != (x, y) for a, b in scores))
        for one, (x, y) in zip(found, scores, strict=True)
    ]


def _draw_scatter(
    canvas: Canvas, results: Results, figure: Scatter, shown: Sequence[Sequence[Point]]
) -> None:
    from matplotlib.lines import Line2D

    grid = panels(canvas, len(shown), min(2, len(shown)))
    handles = {}
    for axes, pair, points in zip(grid, figure.panels, shown, strict=True):
        _plot_points(axes, points)
        for one in points:
            mark = one.mark | {"markerfacecolor": "white", "linestyle": "none"}
            handles[one.number] = Line2D([], [], label=f"{one.number}  {one.row}", **mark)
        for axis, name in zip("xy", pair, strict=True):
            column, better = results.column(name), "less" if name in figure.low else "more"
            title = wrapped(titled(column.title, column.unit), 2)
            axes.set(**{f"{axis}label": f"{title}\n{better} is better"})
            if name in figure.logarithmic:
                decades(axes, axis)
    canvas.set_size_inches(WIDTH, 2.7 * -(-len(shown) // 2) + 0.07 * len(handles) + 0.2)
    legend(canvas, [handles[number] for number in sorted(handles)])


def _plot_points(axes: Axes, points: Sequence[Point]) -> None:
    front = sorted((one.x, one.y) for one in points if one.on_front)
    axes.plot([x for x, _ in front], [y for _, y in front], color="0.6", linewidth=0.9, zorder=1)
    # The front last, so that no other mark covers it.
    for place, one in enumerate(sorted(points, key=lambda one: one.on_front), 2):
        axes.plot(one.x, one.y, zorder=place, **one.mark)
        axes.annotate(
            str(one.number),
            (one.x, one.y),
            fontsize=5.5,
            ha="center",
            va="center_baseline",
            color="white" if one.on_front else one.mark["color"],
            zorder=place,
        )
    axes.margins(0.1)
