"""Rows as points in two columns, with the Pareto front: what one pays for what.

A row is the same number in all panels, and each group of rows has a shape of its own, so that all
of it is there without color.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.pictures import Scatter
from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, rendered
from ftnoise.report.records import csv_of
from ftnoise.report.results import Results, heading, seeds_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADER = ("experiment", "preset", "row", "x_column", "y_column", "x", "y", "on_front")
ACROSS = 2  # panels beside each other
PANEL = 2.3  # inches: the height of a panel
LEFT, BELOW, RIGHT, ABOVE = 0.55, 0.5, 0.12, 0.12  # inches around a panel
SHAPES = ("o", "s", "^", "D", "v", "P")
COLORS = ("#0072b2", "#e69f00", "#000000", "#009e73", "#cc79a7", "#d55e00")
MARK = 5.0  # points
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
    lines = -(-len(numbers) // NAMES)
    names = TEXT * (lines + 1)
    height = down * (PANEL + BELOW + ABOVE) + names
    figure.set_size_inches(WIDTH, height)
    for place, (pair, panel) in enumerate(zip(scatter.panels, shown, strict=True)):
        left = (place % across) * wide + LEFT
        top = height - (place // across) * (PANEL + BELOW + ABOVE) - ABOVE
        box = (left, top - PANEL, wide - LEFT - RIGHT, PANEL)
        axes = figure.add_axes((box[0] / WIDTH, box[1] / height, box[2] / WIDTH, box[3] / height))
        _panel(axes, panel, results, scatter, pair)
    for place, number in enumerate(numbers):
        x = 0.3 + (place // lines) * (WIDTH - 0.3) / NAMES
        y = names - TEXT * (place % lines + 1)
        text = f"{number:>2}  {rows[number - 1]}"
        figure.text(x / WIDTH, y / height, text, ha="left", va="center")


def _panel(
    axes: Axes, panel: list[Point], results: Results, scatter: Scatter, pair: tuple[str, str]
) -> None:
    columns = {column.name: column for column in results.experiment.columns}
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
        axes.annotate(
            str(one.number), (one.x, one.y), (3.5, 2.5), textcoords="offset points", fontsize=6.5
        )
    for name, axis, scale in ((pair[0], axes.xaxis, "x"), (pair[1], axes.yaxis, "y")):
        if name in scatter.logarithmic:
            getattr(axes, f"set_{scale}scale")("log")
        better = "less" if name in scatter.low else "more"
        title = f"{heading(columns[name])}; {better} is better"
        length = PANEL if scale == "y" else WIDTH / ACROSS - LEFT - RIGHT
        axis.set_label_text("\n".join(textwrap.wrap(title, int(length / CHARACTER))))
    axes.spines["left"].set_visible(True)
    axes.tick_params(axis="y", length=3, width=0.6)
    axes.margins(0.1)
