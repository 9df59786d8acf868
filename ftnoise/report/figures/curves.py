"""`Curves`: columns of the table against a column, the paper's numbers and ours.

The mark shows whose number it is, as in the table's own figure, and the dashes of a line which
column it shows. A row without an x is a horizontal line in a color of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import Curves
from ftnoise.report.figures.canvas import COLORS, DASHES, WIDTH, decades, legend, ticks, wrapped
from ftnoise.report.figures.overview import OURS, PAPER, half, handles
from ftnoise.report.figures.view import View
from ftnoise.report.table import titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PANEL, COLUMN = 1.2, 0.8  # inches: the height of a panel, and what each of its columns adds
GRAY = "0.55"
RIGHT = {False: 1.012, True: 1.03}  # of the axes: ends of horizontal lines, the paper's and ours


@dataclass(frozen=True)
class Point:
    """A number of a row, the paper's or ours; `x` is None where the row has none."""

    row: str
    ours: bool
    x: float | None
    y: float
    half: float = math.nan


class CurvesView(View):
    """A panel for each group of rows and each entry of `panels`."""

    figure: Curves

    def is_empty(self) -> bool:
        return False

    def text(self) -> str:
        x = self.columns[self.figure.x]
        return (
            f"The paper's numbers and ours, each at its own x ({x.title}). A horizontal line is a "
            "row without an x."
        )

    def points(self, rows: dict[str, Row], column: Column) -> Iterator[Point]:
        """The numbers of a column in a group of rows."""
        x = self.columns[self.figure.x]
        for label, row in rows.items():
            at, cell = self.results.cell(row, x), self.results.cell(row, column)
            own = at.ours.mean if at.ours else None
            paper = own if at.paper is None else at.paper
            if cell.paper is not None:
                yield Point(label, False, paper, cell.paper)
            if cell.ours is not None and (own is not None or paper is None):
                yield Point(label, True, own, cell.ours.mean, half(cell.ours))

    def draw(self, canvas: Canvas) -> None:
        from matplotlib.lines import Line2D

        figure, groups = self.figure, self.results.groups
        panels = [(group, rows, names) for group, rows in groups.items() for names in figure.panels]
        heights = [PANEL + COLUMN * len(names) for *_, names in panels]
        canvas.set_size_inches(WIDTH, sum(heights) + 0.8)
        grid = canvas.subplots(
            len(panels), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        several = dict.fromkeys(name for *_, names in panels if len(names) > 1 for name in names)
        dashes = {name: DASHES[k % len(DASHES)] for k, name in enumerate(several)}
        flat: dict[str, str] = {}
        for axes, (group, rows, names), height in zip(grid[:, 0], panels, heights, strict=True):
            axes.set_xscale("log" if figure.logarithmic else "linear")
            for name in names:
                points = [
                    point
                    for point in self.points(rows, self.columns[name])
                    if point.x is None or point.x > 0 or not figure.logarithmic
                ]
                for point in points:
                    if point.x is None:
                        flat.setdefault(point.row, COLORS[1 + len(flat) % (len(COLORS) - 1)])
                _plot(axes, points, dashes.get(name, "-"), flat)
            title = titled(_together([self.columns[name] for name in names]),
                           self.columns[names[0]].unit)  # fmt: skip
            axes.set_ylabel(wrapped(title, height))
            if len(groups) > 1:
                axes.set_title(group, fontweight="bold")
            axes.margins(x=0.05, y=0.08)
            ticks(axes.yaxis)
        x = self.columns[figure.x]
        axes.set_xlabel(titled(x.title, x.unit))
        if figure.logarithmic:
            decades(axes.xaxis)
        canvas.align_ylabels()
        shown = [self.columns[name] for *_, names in panels for name in names]
        entries = handles(self.results, shown)
        for name, style in dashes.items():
            entries += [
                Line2D([], [], label=self.columns[name].title, linestyle=style, color="0.25")
            ]
        for row, color in flat.items():
            entries += [Line2D([], [], label=f"{row} (no x)", color=color)]
        legend(canvas, entries)


def _plot(axes: Axes, points: Sequence[Point], dashes: Any, flat: dict[str, str]) -> None:
    """Draws a column; horizontal lines have their marks at the right end."""
    for ours, color in ((False, GRAY), (True, OURS["color"])):
        found = [point for point in points if point.ours is ours]
        curve = sorted((p.x, p.y, p.half) for p in found if p.x is not None)
        if curve:
            x, y, bars = zip(*curve, strict=True)
            axes.plot(x, y, linestyle=dashes, color=color)
            _mark(axes, x, y, bars, ours)
        for point in (p for p in found if p.x is None):
            # Beyond the axes, where no curve is.
            end = RIGHT[ours]
            look = {"color": flat[point.row], "clip_on": False}
            axes.axhline(point.y, 0, end, linestyle=dashes, linewidth=0.8, **look)
            place = {"transform": axes.get_yaxis_transform(), **look}
            _mark(axes, [end], [point.y], [point.half], ours, **place)


def _mark(
    axes: Axes, x: Sequence[float], y: Sequence[float], bars: Sequence[float], ours: bool,
    **look: Any,
) -> None:  # fmt: skip
    if ours:
        axes.errorbar(x, y, yerr=bars, **{**OURS, "zorder": 3, **look})
    else:
        look.pop("color", None)
        axes.plot(x, y, **{**PAPER, "markersize": 5.4, "zorder": 2.5, **look})


def _together(columns: Sequence[Column]) -> str:
    """The words with which the titles of all columns end, or else all titles."""
    words = [column.title.split() for column in columns]
    most = min(map(len, words)) - (len(columns) > 1)
    last = 0
    while last < most and len({found[-1 - last] for found in words}) == 1:
        last += 1
    text = " ".join(words[0][len(words[0]) - last :])
    return f"{text[:1].upper()}{text[1:]}" if text else ", ".join(c.title for c in columns)
