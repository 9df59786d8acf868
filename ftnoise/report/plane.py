"""What networks say of each point of a plane, with the examples on it: a panel for each row.

Shades are gray, classes are shapes, and examples that were trained on are filled, so that all of it
is there without color.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import Plane
from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, legend, rendered
from ftnoise.report.records import csv_of
from ftnoise.report.results import Results, seeds_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADER = ("experiment", "preset", "row", "seeds", "x", "y", "value")
ACROSS = 4  # panels beside each other
GAP, MARGIN = 0.12, 0.08  # inches between panels, and beside all of them
LEVEL = 0.5
SHAPES = ("o", "^")
SIZE = 3.0  # points
DARK, THIN, THICK = "#12436d", 0.35, 1.1


def plot(results: Results, plane: Plane) -> dict[str, bytes]:
    """Draws it, as `rendered`, and its `csv`: the mean for each row and place of the grid."""
    files = rendered(lambda figure: draw(figure, results, plane))
    return {**files, "csv": csv_of(HEADER, _records(results, plane))}


def caption(results: Results, plane: Plane) -> tuple[str, str]:
    """What stands in the place of the picture, and below it."""
    seeds = [len(results.shown(row, plane)) for row in results.experiment.rows]
    seeds = [count for count in seeds if count]
    if not seeds:
        return plane.title, f"{plane.title}. No result yet."
    first = "first draw of the data, " if results.draws > 1 else ""
    text = f"{plane.title}, {first}{seeds_in_words(max(seeds), min(seeds))}."
    if max(seeds) > 1:
        text += " The shade is the mean over seeds, thin lines are the boundaries of each."
    return plane.title, text


def _records(results: Results, plane: Plane) -> Iterator[tuple[Any, ...]]:
    for row in results.experiment.rows:
        found = [reading.arrays for reading in results.shown(row, plane)]
        if not found:
            continue
        xs, ys = (found[0][name].tolist() for name in (plane.x, plane.y))
        for y, line in zip(ys, _mean(found, plane).tolist(), strict=True):
            for x, value in zip(xs, line, strict=True):
                yield (results.experiment.name, results.preset, row.name, len(found), x, y, value)


def _mean(found: list[Any], plane: Plane) -> Any:
    import numpy as np

    return np.mean([arrays[plane.values] for arrays in found], axis=0, dtype=np.float64)


def draw(figure: Figure, results: Results, plane: Plane) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    from matplotlib.lines import Line2D

    rows = [row for row in results.experiment.rows if results.shown(row, plane)]
    if not rows:
        figure.set_size_inches(WIDTH, 0.5)
        figure.text(0.5, 0.5, "no result yet", ha="center", va="center")
        return
    across = min(ACROSS, len(rows))
    side = (WIDTH - 2 * MARGIN - GAP * (across - 1)) / across
    titles = {row.name: textwrap.wrap(row.name, int(side / CHARACTER)) for row in rows}
    lines = [rows[i : i + across] for i in range(0, len(rows), across)]
    above = [TEXT * max(len(titles[row.name]) for row in line) + 0.08 for line in lines]
    top = TEXT * 2.6
    height = top + sum(above) + len(lines) * side + GAP * len(lines)
    figure.set_size_inches(WIDTH, height)
    place = height - top
    for line, room in zip(lines, above, strict=True):
        place -= room + side
        for i, row in enumerate(line):
            left = MARGIN + i * (side + GAP)
            axes = figure.add_axes((left / WIDTH, place / height, side / WIDTH, side / height))
            axes.set_title("\n".join(titles[row.name]), loc="left", fontsize=8, pad=3)
            _panel(axes, [reading.arrays for reading in results.shown(row, plane)], plane)
        place -= GAP
    marks: dict[str, Any] = {"linestyle": "none", "color": "black", "markersize": SIZE + 1}
    entries = [
        Line2D([], [], marker=SHAPES[1], **marks, label="class 1, trained on"),
        Line2D([], [], marker=SHAPES[0], **marks, label="class 0, trained on"),
        Line2D([], [], marker=SHAPES[1], **marks, markerfacecolor="white", label="class 1, tested"),
        Line2D([], [], marker=SHAPES[0], **marks, markerfacecolor="white", label="class 0, tested"),
        Line2D([], [], color=DARK, linewidth=THICK, label="boundary of the mean"),
    ]
    legend(figure, entries, 3)


def _panel(axes: Axes, found: list[Any], plane: Plane) -> None:
    x, y = found[0][plane.x], found[0][plane.y]
    values = [arrays[plane.values] for arrays in found]
    mean = _mean(found, plane)
    shades = axes.contourf(
        x, y, mean, levels=[k / 8 for k in range(9)], cmap="Greys_r", vmin=-1.5, vmax=1
    )
    shades.set_rasterized(True)
    for one in values if len(values) > 1 else ():
        axes.contour(x, y, one, levels=[LEVEL], colors=DARK, linewidths=THIN, alpha=0.5)
    axes.contour(x, y, mean, levels=[LEVEL], colors=DARK, linewidths=THICK)
    # Examples of the first seed's data; the grid is the same for all.
    points, classes, tested = (
        found[0][name] for name in (plane.points, plane.classes, plane.tested)
    )
    for kind in (0, 1):
        for unseen in (1, 0):
            chosen = points[(classes == kind) & (tested == unseen)]
            axes.plot(
                *chosen.T,
                linestyle="none",
                marker=SHAPES[kind],
                markersize=SIZE,
                markeredgewidth=0.5,
                markeredgecolor="black",
                markerfacecolor="white" if unseen else "black",
            )
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
