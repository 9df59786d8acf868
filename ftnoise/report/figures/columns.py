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
from ftnoise.report.figures.canvas import (
    COLORS,
    DASHES,
    HEIGHT,
    WIDTH,
    decades,
    legend,
    panels,
    wrapped,
)
from ftnoise.report.results import Cell, Results
from ftnoise.report.table import Section, seeds_in_words, titled

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

APART = 0.18  # of a row: distance of the paper's point and ours from its middle, above and below
ACROSS, FEW = 3, 14  # panels in a row, and one more with more than `FEW` rows of the table
SPAN = 1000  # between numbers on a logarithmic axis
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
SHAPES = ("o", "s", "^", "D", "v", "P")
LABEL, MARK = 6.0, 5.0  # points: sizes of a label and of a mark


def on_overview(results: Results) -> tuple[int, list[Column]]:
    """The panels in a row, and the columns in the picture of the table.

    They are those with numbers of the paper, or all if it has none, as far as they fit on a page.
    Columns whose numbers are all equal show nothing.
    """
    columns = results.kinds()[0]
    different = [column for column in columns if len({*_numbers(results, column)}) > 1]
    different = different or [*columns]
    most = ACROSS if len(results.rows) <= FEW else ACROSS + 1
    down = max(1, int((HEIGHT - 0.3) / _height(results)))
    return min(most, len(different)), different[: most * down]


def _numbers(results: Results, column: Column) -> list[float]:
    cells = [results.cell(row, column) for *_, row in results.rows]
    return [x for cell in cells for x in map(cell.number, (True, False)) if x is not None]


def _height(results: Results) -> float:
    """Inches of a panel."""
    rows = len(results.rows)
    return 0.6 + (0.22 * rows if rows <= FEW else min(0.15 * rows, HEIGHT / 2 - 0.8))


def overview(canvas: Canvas, results: Results) -> None:
    """Draws a panel for each column of `on_overview`."""
    across, columns = on_overview(results)
    rows = [row for *_, row in results.rows]
    canvas.set_size_inches(WIDTH, -(-len(columns) // across) * _height(results) + 0.3)
    grid = panels(canvas, len(columns), across, sharey=True)
    for axes, column in zip(grid, columns, strict=True):
        apart = APART if results.has_paper(column) else 0.0
        cells = [*enumerate(results.cell(row, column) for row in rows)]
        paper = [(cell.paper, y - apart) for y, cell in cells if cell.paper is not None]
        axes.plot([x for x, _ in paper], [y for _, y in paper], **PAPER)
        ours = [(cell.ours.mean, y + apart, _bar(cell)) for y, cell in cells if cell.ours]
        xs, ys, bars = ([point[k] for point in ours] for k in range(3))
        axes.errorbar(xs, ys, xerr=[*zip(*bars, strict=True)] or None, **OURS, **BARS)
        axes.set_xlabel(wrapped(titled(column.title, column.unit), across + 1))
        numbers = _numbers(results, column)
        if numbers and 0 < SPAN * min(numbers) < max(numbers):
            decades(axes, "x")
        else:
            axes.locator_params(axis="x", nbins=4, integer=column.digits == 0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
    legend(canvas, _handles(results, columns))


def _bar(cell: Cell) -> tuple[float, float]:
    """How far the interval over seeds, or else that of the number itself, goes left and right."""
    ours, ends = cell.ours, cell.ends
    if ours and ours.low is not None and ours.high is not None:
        ends = ours.low, ours.high
    if ours is None or ends is None:
        return math.nan, math.nan  # nothing to draw
    return max(ours.mean - ends[0], 0.0), max(ends[1] - ours.mean, 0.0)


def _handles(results: Results, columns: Sequence[Column]) -> list[Artist]:
    """The marks in a legend: whose numbers of these columns they are."""
    from matplotlib.lines import Line2D

    text, line = f"ours ({results.preset} preset)", "none"
    if any(map(results.has_spread, columns)):
        text, line = f"{text}, mean and 95 % interval over seeds", "-"
    elif any(map(results.ends, columns)):
        text, line = f"{text} and the 95 % interval for the network", "-"
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
                    points.append((x, y, _bar(cell)))
            xs, ys, bars = ([point[k] for point in sorted(points)] for k in range(3))
            reach = [*zip(*bars, strict=True)] if ours and bars else None
            axes.errorbar(xs, ys, reach, **(OURS if ours else PAPER) | BARS | line)
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
    """A row in a panel; `group` is the position of its group, `label` its name in the group."""

    group: int
    label: str
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
        return {"marker": shape, "color": color, "markerfacecolor": face, "markersize": MARK}


def scatter(results: Results, figure: Scatter) -> Section | None:
    """A panel for each pair of columns; rows have their names where there is room."""
    shown = [_points(results, figure, pair) for pair in figure.panels]
    if not any(shown):
        return None
    ours = [results.cell(*cell).ours for cell in results.cells()]
    counts = seeds_in_words([one.count for one in ours if one])
    return Section(
        text=f"{counts}. Filled: no other row is better in both columns (the Pareto front, which "
        "the line joins). Where points are dense, some names are left out; the CSV file has all.",
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
    for group, label, row in results.rows:
        x, y = (results.cell(row, column).ours for column in columns)
        if x is not None and y is not None:
            found.append((groups.index(group), label, row.name, x.mean, y.mean))
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
    canvas.set_size_inches(WIDTH, 2.9 * -(-len(shown) // 2) + 0.4)
    for axes, pair, points in zip(grid, figure.panels, shown, strict=True):
        front = sorted((one.x, one.y) for one in points if one.on_front)
        axes.plot([x for x, _ in front], [y for _, y in front], color="0.6", linewidth=0.9)
        for one in points:
            axes.plot(one.x, one.y, zorder=3 if one.on_front else 2, **one.mark)
        axes.margins(0.2, 0.12)  # room for names
        for axis, name in zip("xy", pair, strict=True):
            column, better = results.column(name), "less" if name in figure.low else "more"
            title = wrapped(titled(column.title, column.unit), 2)
            axes.set(**{f"{axis}label": f"{title}\n{better} is better"})
            if name in figure.logarithmic:
                decades(axes, axis)
    present = {one.group: one for points in shown for one in points}
    legend(
        canvas,
        [
            Line2D([], [], label=name or "rows", linestyle="none", **present[number].mark)
            for number, name in enumerate(results.groups)
            if number in present
        ],
    )
    canvas.draw_without_rendering()  # lays the panels out
    for axes, points in zip(grid, shown, strict=True):
        _label(axes, points)


def _label(axes: Axes, points: Sequence[Point]) -> None:
    """Names points, those of the front first, where a name covers no point and no other name."""
    unit = axes.figure.dpi / 72  # pixels of a point
    centers = {one.row: axes.transData.transform((one.x, one.y)) for one in points}
    half = MARK / 2 * unit
    taken = [(x - half, y - half, x + half, y + half) for x, y in centers.values()]
    inside = axes.bbox.extents
    for one in sorted(points, key=lambda one: not one.on_front):
        (x, y), wide, high = centers[one.row], 0.56 * LABEL * len(one.label) * unit, LABEL * unit
        for right, up in itertools.product((1, -1, 0), (0, 1, -1)):
            left = x - wide / 2 + right * (wide / 2 + 1.6 * half)
            low = y - high / 2 + up * (high / 2 + (0.4 if right else 1.6) * half)
            box = (left, low, left + wide, low + high)
            fits = inside[0] <= box[0] and box[2] <= inside[2]
            fits = fits and inside[1] <= box[1] and box[3] <= inside[3]
            if fits and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                start, middle = axes.transAxes.inverted().transform((left, low + high / 2))
                axes.text(
                    start,
                    middle,
                    one.label,
                    fontsize=LABEL,
                    va="center_baseline",
                    color=one.mark["color"],
                    transform=axes.transAxes,
                ).set_in_layout(False)
                break


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes (left, low, right, high) have a point in common."""
    apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
    return not apart
