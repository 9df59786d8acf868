"""Rows as points in two columns, with the Pareto front: what one pays for what.

A row is the same number in all panels, and each group of rows has a shape of its own, so that all
of it is there without color.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import Scatter
from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, decades, rendered
from ftnoise.report.records import csv_of
from ftnoise.report.results import Results, heading, seeds_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADER = ("experiment", "preset", "row", "x_column", "y_column", "x", "y", "on_front")
ACROSS = 2  # panels beside each other
PANEL = 2.3  # inches: the height of a panel
LEFT, BELOW, RIGHT, ABOVE = 0.45, 0.3, 0.12, 0.12  # inches around a panel, without its titles
SHAPES = ("o", "s", "^", "D", "v", "P")
COLORS = ("#0072b2", "#e69f00", "#000000", "#009e73", "#cc79a7", "#d55e00")
MARK, NUMBER = 5.0, 6.5  # points: of a mark, and of the number beside it
# Where a number may stand, from its mark, in points: the first that is free.
BESIDE = tuple(
    (far * x, far * y)
    for far in (1.0, 1.8, 2.6, 3.4, 4.2)
    for x, y in ((6, 5), (6, -5), (-6, 5), (-6, -5), (0, 8), (0, -8), (9, 0), (-9, 0))
)
NAMES = 2  # columns of names below


@dataclass(frozen=True)
class Point:
    """A row in a panel; `number` and `group` are its places in the experiment."""

    row: str
    number: int
    group: int
    x: float
    y: float
    on_front: bool


def plot(results: Results, scatter: Scatter) -> dict[str, bytes]:
    """Draws it, as `rendered`, and its `csv`: a line for each panel and row."""
    files = rendered(lambda figure: draw(figure, results, scatter))
    return {**files, "csv": csv_of(HEADER, _records(results, scatter))}


def caption(results: Results, scatter: Scatter) -> tuple[str, str]:
    """What stands in the place of the picture, and below it."""
    counts = [cell.ours.count for cell in results.cells() if cell.ours]
    if not any(points(results, scatter, pair) for pair in scatter.panels):
        return scatter.title, f"{scatter.title}. No result yet."
    return scatter.title, (
        f"{scatter.title}, {seeds_in_words(max(counts), min(counts))}. Filled: no other row is "
        "better in both columns; the line joins them."
    )


def points(results: Results, scatter: Scatter, pair: tuple[str, str]) -> list[Point]:
    """The rows that have a number in both columns of a panel."""
    columns = {column.name: column for column in results.experiment.columns}
    found: list[tuple[str, int, int, float, float]] = []
    number = 0
    for group, rows in enumerate(results.groups()):
        for _, row in rows.rows:
            number += 1
            ours = [results.cell(row, columns[name]).ours for name in pair]
            if ours[0] is not None and ours[1] is not None:
                found.append((row.name, number, group, ours[0].mean, ours[1].mean))
    signs = [-1 if name in scatter.low else 1 for name in pair]
    scores = [tuple(s * v for s, v in zip(signs, one[3:], strict=True)) for one in found]
    return [
        Point(*one, on_front=not any(_beats(other, score) for other in scores))
        for one, score in zip(found, scores, strict=True)
    ]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the first is nowhere worse, and somewhere better."""
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def _records(results: Results, scatter: Scatter) -> Iterator[tuple[Any, ...]]:
    where = (results.experiment.name, results.preset)
    for pair in scatter.panels:
        for one in points(results, scatter, pair):
            yield (*where, one.row, *pair, one.x, one.y, one.on_front)


def draw(figure: Figure, results: Results, scatter: Scatter) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    rows = [row.name for group in results.groups() for _, row in group.rows]
    shown = [points(results, scatter, pair) for pair in scatter.panels]
    numbers = sorted({one.number for panel in shown for one in panel})
    if not numbers:
        figure.set_size_inches(WIDTH, 0.5)
        figure.text(0.5, 0.5, "no result yet", ha="center", va="center")
        return
    across = min(ACROSS, len(scatter.panels))
    down = -(-len(scatter.panels) // across)
    wide = WIDTH / across
    titles = _titles(results, scatter)
    left = LEFT + TEXT * max(len(y) for _, y in titles)
    below = BELOW + TEXT * max(len(x) for x, _ in titles)
    lines = -(-len(numbers) // NAMES)
    names = TEXT * (lines + 1)
    height = down * (PANEL + below + ABOVE) + names
    figure.set_size_inches(WIDTH, height)
    for place, (pair, panel, title) in enumerate(zip(scatter.panels, shown, titles, strict=True)):
        x = (place % across) * wide + left
        y = height - (place // across) * (PANEL + below + ABOVE) - ABOVE - PANEL
        box = (x / WIDTH, y / height, (wide - left - RIGHT) / WIDTH, PANEL / height)
        axes = figure.add_axes(box)
        _panel(axes, panel, [name in scatter.logarithmic for name in pair])
        axes.set_xlabel("\n".join(title[0]))
        axes.set_ylabel("\n".join(title[1]))
    for place, number in enumerate(numbers):
        x = 0.3 + (place // lines) * (WIDTH - 0.3) / NAMES
        y = names - TEXT * (place % lines + 1)
        text = f"{number:>2}  {rows[number - 1]}"
        figure.text(x / WIDTH, y / height, text, ha="left", va="center")


def _titles(results: Results, scatter: Scatter) -> list[tuple[list[str], list[str]]]:
    """The lines below and beside each panel."""
    columns = {column.name: column for column in results.experiment.columns}

    def lines(name: str, length: float) -> list[str]:
        better = "less" if name in scatter.low else "more"
        text = f"{heading(columns[name])}; {better} is better"
        return textwrap.wrap(text, int(length / CHARACTER))

    wide = WIDTH / min(ACROSS, len(scatter.panels)) - LEFT - RIGHT
    return [(lines(x, wide - 2 * TEXT), lines(y, PANEL)) for x, y in scatter.panels]


def _panel(axes: Axes, panel: list[Point], logarithmic: Sequence[bool]) -> None:
    front = sorted((one.x, one.y) for one in panel if one.on_front)
    axes.plot(*zip(*front, strict=True), color="0.6", linewidth=0.9, zorder=1)
    for one in panel:
        color = COLORS[one.group % len(COLORS)]
        axes.plot(
            [one.x],
            [one.y],
            linestyle="none",
            marker=SHAPES[one.group % len(SHAPES)],
            markersize=MARK,
            color=color,
            markerfacecolor=color if one.on_front else "white",
        )
    axes.spines["left"].set_visible(True)
    axes.tick_params(axis="y", length=3, width=0.6)
    axes.margins(0.1)
    # Otherwise the limits are set when it is drawn, too late for what stands beside the marks.
    axes.autoscale_view()
    for scale, axis, wanted in zip("xy", (axes.xaxis, axes.yaxis), logarithmic, strict=True):
        if wanted:
            getattr(axes, f"set_{scale}scale")("log")
            decades(axis, *getattr(axes, f"get_{scale}lim")())
    _numbers(axes, panel)


def _numbers(axes: Axes, panel: list[Point]) -> None:
    """Writes each point's number where neither a mark nor another number is, if there is room."""
    scale = 72 * PANEL / axes.bbox.height  # points in a pixel
    marks = [scale * axes.transData.transform((one.x, one.y)) for one in panel]
    taken = [(x, y, MARK, MARK) for x, y in marks]
    for one, (x, y) in zip(panel, marks, strict=True):
        wide = 0.65 * NUMBER * len(str(one.number))
        free = [
            (dx, dy)
            for dx, dy in BESIDE
            if not any(_overlap((x + dx, y + dy, wide, NUMBER), other) for other in taken)
        ]
        dx, dy = (free or BESIDE)[0]
        taken.append((x + dx, y + dy, wide, NUMBER))
        axes.annotate(
            str(one.number),
            (one.x, one.y),
            (dx, dy),
            textcoords="offset points",
            fontsize=NUMBER,
            ha="center",
            va="center_baseline",
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes do, given as middle, width and height."""
    return all(2 * abs(one[i] - other[i]) < one[i + 2] + other[i + 2] for i in (0, 1))
