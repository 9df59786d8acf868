"""An array of two dimensions as colored cells with their numbers: a panel for each row.

All panels share one scale, whose colors go from dark to light without turning back, so that they
keep their order in gray.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import HeatMap
from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, rendered
from ftnoise.report.records import csv_of
from ftnoise.report.results import MISSING, Results, fixed, seeds_in_words, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADER = ("experiment", "preset", "row", "seed", "label", "x", "value")
COLORS = "cividis"  # Nunez et al. (2018)
CELL = 0.2  # inches: the height of a cell
SMALL = 6.5  # points: numbers in cells
DIGIT = 0.056  # inches of a character in a cell (rather too many)
BAR = (2.2, 0.1)  # inches: width and height of the bar of the scale
ABOVE = 0.4  # inches for it and its numbers
WIDEST = 0.75  # inches: the width of a cell that has all the room
LONGEST, NARROWEST = 40, 12  # characters: most of a label, and least of a title's line
GAP, MARGIN = 0.2, 0.15  # inches between panels, and beside all of them


@dataclass(frozen=True)
class Panel:
    """What is drawn of a row: `cells` are `[labels][x]`, NaN where there is none."""

    row: str
    seeds: int
    labels: tuple[str, ...]
    x: tuple[str, ...]
    cells: tuple[tuple[float, ...], ...]


def plot(results: Results, heat_map: HeatMap) -> dict[str, bytes]:
    """Draws it, as `rendered`, and its `csv`: a line for each row, seed, label and x."""
    files = rendered(lambda figure: draw(figure, results, heat_map))
    return {**files, "csv": csv_of(HEADER, _records(results, heat_map))}


def caption(results: Results, heat_map: HeatMap) -> tuple[str, str]:
    """What stands in the place of the picture, and below it."""
    seeds = [panel.seeds for panel in panels(results, heat_map)]
    if not seeds:
        return heat_map.title, f"{heat_map.title}. No result yet."
    text = f"{heat_map.title}, {seeds_in_words(max(seeds), min(seeds))}."
    return heat_map.title, text + (" A cell is the mean over seeds." if max(seeds) > 1 else "")


def panels(results: Results, heat_map: HeatMap) -> list[Panel]:
    """A panel for each row that has the arrays."""
    found = []
    for row in results.experiment.rows:
        if readings := results.shown(row, heat_map):
            values = [reading.arrays[heat_map.values].astype(float) for reading in readings]
            mean = (sum(values[1:], values[0]) / len(values)).tolist()
            ticks = tuple(f"{x:.3g}" for x in readings[0].arrays[heat_map.x].tolist())
            labels = tuple(readings[0].info[heat_map.labels])
            cells = tuple(map(tuple, mean))
            found.append(Panel(row.name, len(readings), labels, ticks, cells))
    return found


def _records(results: Results, heat_map: HeatMap) -> Iterator[tuple[Any, ...]]:
    for row in results.experiment.rows:
        for reading in results.shown(row, heat_map):
            where = (results.experiment.name, results.preset, row.name, reading.seed)
            xs = reading.arrays[heat_map.x].astype(float).tolist()
            lines = reading.arrays[heat_map.values].astype(float).tolist()
            for label, line in zip(reading.info[heat_map.labels], lines, strict=True):
                for x, value in zip(xs, line, strict=True):
                    yield (*where, label, x, value)


@dataclass(frozen=True)
class _Layout:
    """Where panels stand, in inches: as many beside each other as leave room for the numbers."""

    found: list[Panel]
    heat_map: HeatMap

    @cached_property
    def shared(self) -> bool:
        """Whether panels beside each other need the labels of their lines once."""
        return len({panel.labels for panel in self.found}) == 1

    @cached_property
    def aligned(self) -> bool:
        """Whether all panels have the same x, whose title then stands below the last ones."""
        return len({panel.x for panel in self.found}) == 1

    @cached_property
    def names(self) -> float:
        """The width of the labels."""
        texts = [shortened(label) for panel in self.found for label in panel.labels]
        return CHARACTER * max(map(len, texts)) + 0.12

    @cached_property
    def least(self) -> float:
        """The width of a cell that holds its number."""
        values = [value for panel in self.found for line in panel.cells for value in line]
        texts = [fixed(value, self.heat_map.digits) for value in values if math.isfinite(value)]
        return DIGIT * (max(map(len, texts), default=1) + 1)

    def width(self, across: int) -> float:
        """The width of a cell, with so many panels beside each other."""
        names = self.names if self.shared else self.names * across
        most = max(len(panel.x) for panel in self.found)
        room = WIDTH - 2 * MARGIN - names - GAP * (across - 1)
        return min(room / (across * most), WIDEST)

    @cached_property
    def across(self) -> int:
        """How many panels are beside each other: rather twice two than three and one."""
        some = range(1, min(3, len(self.found)) + 1)
        most = max((n for n in some if self.width(n) >= self.least), default=1)
        return -(-len(self.found) // -(-len(self.found) // most))

    @cached_property
    def cell(self) -> float:
        """The width of a cell."""
        return self.width(self.across)

    @cached_property
    def lines(self) -> list[list[Panel]]:
        """The panels beside each other, from top to bottom."""
        return [self.found[i : i + self.across] for i in range(0, len(self.found), self.across)]

    def title(self, panel: Panel) -> list[str]:
        """The row's name, in lines."""
        return textwrap.wrap(panel.row, self.characters(len(panel.x)))

    def characters(self, cells: int) -> int:
        """How many characters stand above or below so many cells."""
        return max(NARROWEST, int(self.cell * cells / CHARACTER))

    def above(self, line: list[Panel]) -> float:
        """The height of the titles of panels beside each other."""
        return TEXT * max(len(self.title(panel)) for panel in line) + 0.06

    @cached_property
    def tick(self) -> int:
        """The length of the longest number of an x."""
        return max(len(x) for panel in self.found for x in panel.x)

    @cached_property
    def turned(self) -> bool:
        """Whether the numbers of the x are, since they would overlap."""
        return DIGIT * (self.tick + 1) > self.cell

    @cached_property
    def x_title(self) -> list[str]:
        """The title of the x, in lines."""
        title = titled(self.heat_map.x_title, self.heat_map.x_unit)
        return textwrap.wrap(title, self.characters(min(len(panel.x) for panel in self.found)))

    def below(self, line: list[Panel]) -> float:
        """The height of what stands below panels beside each other."""
        numbers = DIGIT * self.tick + 0.06 if self.turned else TEXT
        return 0.2 + numbers + (TEXT * len(self.x_title) + 0.04 if self.has_title(line) else 0)

    def has_title(self, line: list[Panel]) -> bool:
        """Whether the title of the x stands below these panels."""
        return not self.aligned or line is self.lines[-1]

    def height(self, line: list[Panel]) -> float:
        """All of what panels beside each other take."""
        cells = CELL * max(len(panel.labels) for panel in line)
        return self.above(line) + cells + self.below(line)


def draw(figure: Figure, results: Results, heat_map: HeatMap) -> None:
    """Draws onto an empty figure, and gives it the size that it needs.

    Numbers that do not fit into their cells are left to the CSV file.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    found = panels(results, heat_map)
    if not found:
        figure.set_size_inches(WIDTH, 0.5)
        figure.text(0.5, 0.5, "no result yet", ha="center", va="center")
        return
    numbers = [value for panel in found for line in panel.cells for value in line]
    finite = [value for value in numbers if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    scale = ScalarMappable(Normalize(low, high if high > low else low + 1), COLORS)

    layout = _Layout(found, heat_map)
    height = ABOVE + sum(map(layout.height, layout.lines))
    figure.set_size_inches(WIDTH, height)

    def place(left: float, bottom: float, wide: float, tall: float) -> Axes:
        return figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, tall / height))

    top = height - ABOVE
    for line in layout.lines:
        left = MARGIN + layout.names
        for i, panel in enumerate(line):
            wide, tall = layout.cell * len(panel.x), CELL * len(panel.labels)
            axes = place(left, top - layout.above(line) - tall, wide, tall)
            _panel(axes, panel, layout, scale, not layout.shared or i == 0)
            axes.set_xlabel("\n".join(layout.x_title) if layout.has_title(line) else "")
            left += wide + GAP + (0 if layout.shared else layout.names)
        top -= layout.height(line)
    bar = place(WIDTH - MARGIN - BAR[0], height - 0.07 - BAR[1], *BAR)
    _bar(figure, bar, scale, titled(heat_map.value_title, heat_map.value_unit))


def _panel(axes: Axes, panel: Panel, layout: _Layout, scale: Any, labeled: bool) -> None:
    axes.imshow(panel.cells, cmap=scale.cmap, norm=scale.norm, aspect="auto")
    every = max(1, math.ceil(2 * DIGIT / layout.cell))
    places = range(0, len(panel.x), every)
    axes.set_xticks(places, [panel.x[k] for k in places], rotation=90 if layout.turned else 0)
    labels = [shortened(label) if labeled else "" for label in panel.labels]
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set_title("\n".join(layout.title(panel)), loc="left", fontsize=8, pad=3)
    if layout.cell < layout.least:
        return
    for i, line in enumerate(panel.cells):
        for k, value in enumerate(line):
            known = math.isfinite(value)
            shown = fixed(value, layout.heat_map.digits) if known else MISSING
            color = ink(scale.to_rgba(value)) if known else "black"
            axes.text(
                k, i, shown, ha="center", va="center_baseline", fontsize=SMALL, color=color
            )  # fmt: skip


def shortened(label: str) -> str:
    """A label of at most `LONGEST` characters: its begin and its end."""
    if len(label) <= LONGEST:
        return label
    return f"{label[: LONGEST // 2 - 1]}…{label[-LONGEST // 2 :]}"


def ink(color: Sequence[float]) -> str:
    """Black or white, whatever is read better on this color (red, green, blue in [0, 1], ...)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Where the contrasts (WCAG 2) with black and white are the same.
    return "black" if luminance > 0.179 else "white"


def _bar(figure: Figure, axes: Axes, scale: Any, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=6, steps=[1, 2, 5, 10])
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=ticks)
    bar.outline.set_visible(False)
    axes.tick_params(length=2, labelsize=7)
    lines = textwrap.wrap(title, int((WIDTH - BAR[0] - 0.4) / CHARACTER))
    axes.text(-0.04, 1, "\n".join(lines), ha="right", va="top", transform=axes.transAxes)
