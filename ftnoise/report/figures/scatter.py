"""`Scatter`: rows as points in two columns, with the Pareto front: the cost of each quality.

A row is the same number in all panels, and each group of rows has a shape and a color.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import Scatter
from ftnoise.report.figures.canvas import (
    COLORS,
    WIDTH,
    decades,
    legend,
    panels,
    ticks,
    wrapped,
)
from ftnoise.report.figures.view import View
from ftnoise.report.table import seeds_in_words, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PANEL = 2.7  # inches: the height of a panel
SHAPES = ("o", "s", "h", "D", "8", "p")  # with room for a number
MARK, NUMBER = 9.0, 5.5  # points: of a mark, and of the number in it


@dataclass(frozen=True)
class Point:
    """A row in a panel; `number` and `group` are its positions in the experiment."""

    row: str
    number: int
    group: int
    x: float
    y: float
    on_front: bool


class ScatterView(View):
    """A panel for each pair of columns."""

    figure: Scatter
    header = ("row", "x_column", "y_column", "x", "y", "on_front")

    def is_empty(self) -> bool:
        return not any(map(self.points, self.figure.panels))

    def text(self) -> str:
        counts = [cell.ours.count for cell in self.results.cells() if cell.ours]
        return (
            f"{seeds_in_words(max(counts), min(counts))}. Filled: no other row is better in both "
            "columns (the Pareto front, which the line joins)."
        )

    def points(self, pair: tuple[str, str]) -> list[Point]:
        """The rows that have a number in both columns of a panel."""
        found: list[tuple[str, int, int, float, float]] = []
        number = 0
        for group, rows in enumerate(self.results.groups.values()):
            for row in rows.values():
                number += 1
                x, y = (self.results.cell(row, self.columns[name]).ours for name in pair)
                if x is not None and y is not None:
                    found.append((row.name, number, group, x.mean, y.mean))
        signs = [-1 if name in self.figure.low else 1 for name in pair]
        scores = [[sign * v for sign, v in zip(signs, one[3:], strict=True)] for one in found]
        return [
            Point(*one, on_front=not any(_beats(other, score) for other in scores))
            for one, score in zip(found, scores, strict=True)
        ]

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """A line for each panel and row."""
        for pair in self.figure.panels:
            for one in self.points(pair):
                yield (one.row, *pair, one.x, one.y, one.on_front)

    def _title(self, name: str) -> str:
        column, better = self.columns[name], "less" if name in self.figure.low else "more"
        return f"{titled(column.title, column.unit)}; {better} is better"

    def draw(self, canvas: Canvas) -> None:
        pairs = self.figure.panels
        shown = [self.points(pair) for pair in pairs]
        points = {one.number: one for panel in shown for one in panel}
        across, down = min(2, len(pairs)), -(-len(pairs) // 2)
        canvas.set_size_inches(WIDTH, down * PANEL + 0.14 * (len(points) // across + 1))
        grid = panels(canvas, len(pairs), across)
        for axes, pair, panel in zip(grid, pairs, shown, strict=True):
            _panel(axes, panel)
            axes.set_xlabel(wrapped(self._title(pair[0]), 0.8 * WIDTH / across))
            axes.set_ylabel(wrapped(self._title(pair[1]), PANEL - 0.5))
            scales = ["log" if name in self.figure.logarithmic else "linear" for name in pair]
            axes.set(xscale=scales[0], yscale=scales[1])
            for axis, scale in zip((axes.xaxis, axes.yaxis), scales, strict=True):
                (decades if scale == "log" else ticks)(axis)
        legend(
            canvas, [_mark(replace(points[n], on_front=False)) for n in sorted(points)], below=True
        )


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the first is nowhere worse, and somewhere better."""
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def _panel(axes: Axes, panel: list[Point]) -> None:
    front = sorted((one.x, one.y) for one in panel if one.on_front)
    if front:
        axes.plot(*zip(*front, strict=True), color="0.6", linewidth=0.9, zorder=1)
    axes.margins(0.1)
    # The front last, so that no other mark covers it.
    for place, one in enumerate(sorted(panel, key=lambda one: one.on_front)):
        mark = _mark(one)
        mark.set_zorder(2 + place)
        mark.set_data([one.x], [one.y])
        axes.add_line(mark)
        axes.annotate(
            str(one.number),
            (one.x, one.y),
            fontsize=NUMBER,
            ha="center",
            va="center_baseline",
            color="white" if one.on_front else mark.get_color(),
            zorder=2 + place,
        )
    axes.autoscale_view()


def _mark(one: Point) -> Any:
    """The mark of a row, which the legend names."""
    from matplotlib.lines import Line2D

    color = COLORS[one.group % len(COLORS)]
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=SHAPES[one.group % len(SHAPES)],
        markersize=MARK,
        color=color,
        markerfacecolor=color if one.on_front else "white",
        label=f"{one.number}  {one.row}",
    )
