"""`Series`: arrays of a measure as lines over x, a panel for each group of rows.

Rows of the same name look the same in all panels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Series
from ftnoise.report.figures.canvas import WIDTH, decades, legend, look, panels, ticks, wrapped
from ftnoise.report.figures.view import ArrayView
from ftnoise.report.table import seeds_in_words, titled
from ftnoise.stats import summarize
from ftnoise.stats.interval import crossed_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ALONE, PANEL = 3.2, 2.6  # inches: the height of a panel on all of the width, and on half of it
MARKS = 12  # markers on a line; a longer one has fewer than points


@dataclass(frozen=True)
class Line:
    """A row's line: `y`, `low` and `high` are as long as `x`, NaN in a gap; no band is empty."""

    label: str
    seeds: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class SeriesView(ArrayView):
    """A line for each row; several seeds are their mean with its 95 % t interval."""

    figure: Series

    def panel(self, rows: Mapping[str, Row]) -> list[Line]:
        """The lines of one panel; rows without arrays have none."""
        found = (self._line(label, row) for label, row in rows.items())
        return [line for line in found if line is not None]

    def _line(self, label: str, row: Row) -> Line | None:
        series, readings = self.figure, self.results.shown(row, self.figure)
        if not readings:
            return None
        first = readings[0].arrays
        x = tuple(first[series.x].tolist())
        if len(readings) == 1:
            ends = [name for name in (series.low, series.high) if name is not None]
            band = [tuple(first[name].tolist()) for name in ends]
            return Line(label, 1, x, tuple(first[series.y].tolist()), *band)
        drawn = [reading.arrays[series.values or series.y] for reading in readings]
        points = zip(*map(_over_seeds, zip(*drawn, strict=True)), strict=True)
        return Line(label, len(readings), x, *points)

    def bands(self) -> str:
        """The description of the bands."""
        parts = []
        if self.seeds[0] > 1:
            crossed = f" and {self.figure.draws}" if self.figure.values else ""
            parts.append(f"95 % t interval over seeds{crossed}")
        if self.seeds[1] == 1 and self.figure.band:
            parts.append(self.figure.band + (" for a row with one seed" if parts else ""))
        return f"Band: {'; '.join(parts)}." if parts else ""

    def text(self) -> str:
        series = self.figure
        text = f"{seeds_in_words(*self.seeds)}."
        if self.seeds[0] > 1:
            text += " A line is the mean over the seeds."
        if series.values:
            counts = {r[0].arrays[series.values].shape[1] for _, r in self.rows}
            x_title = f"{series.x_title[:1].lower()}{series.x_title[1:]}"
            text += f" {' or '.join(map(str, sorted(counts)))} {series.draws} at each {x_title}."
        return f"{text} {self.bands()}".strip()

    @property
    def header(self) -> tuple[str, ...]:
        return ("row", "seed", "x", "y", "low", "high", *self.figure.table)

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """A line for each row, seed and x."""
        series = self.figure
        for row, readings in self.rows:
            for reading in readings:
                x = reading.arrays[series.x]
                arrays = [
                    [None] * x.size if name is None else reading.arrays[name].astype(float).tolist()
                    for name in (series.x, series.y, series.low, series.high, *series.table)
                ]
                for numbers in zip(*arrays, strict=True):
                    yield (row.name, reading.seed, *numbers)

    def draw(self, canvas: Canvas) -> None:
        series, groups = self.figure, self.results.groups
        drawn = {group: lines for group, rows in groups.items() if (lines := self.panel(rows))}
        labels = dict.fromkeys(label for rows in groups.values() for label in rows)
        looks = {label: look(place) for place, label in enumerate(labels)}
        across, down = min(2, len(drawn)), -(-len(drawn) // 2)
        tall = ALONE if len(drawn) == 1 else PANEL
        canvas.set_size_inches(WIDTH, down * tall + 0.3)
        grid = panels(canvas, len(drawn), across)
        for k, (axes, (group, lines)) in enumerate(zip(grid, drawn.items(), strict=True)):
            plot(axes, lines, looks, steps=series.steps, logarithmic_y=series.logarithmic_y)
            axes.set_title(group)
            axes.set_xlabel(wrapped(titled(series.x_title, series.x_unit), 0.9 * WIDTH / across))
            if k % across == 0:
                axes.set_ylabel(wrapped(titled(series.y_title, series.y_unit), tall - 0.5))
        shown = {line.label for lines in drawn.values() for line in lines}
        handles = [entry(label, looks[label]) for label in labels if label in shown]
        legend(canvas, handles, self.bands())


def _over_seeds(values: Sequence[Any]) -> tuple[float, float, float]:
    """Mean and interval at one x of a number or an array [draws] of each seed.

    A gap in one seed is a gap: the mean of the others is another quantity.
    """
    import numpy as np

    array = np.stack(values)
    if not np.isfinite(array).all():
        return math.nan, math.nan, math.nan
    found = summarize(array.tolist()) if array.ndim == 1 else crossed_interval(array)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    return found.mean, found.low, found.high


def plot(
    axes: Axes,
    lines: Sequence[Line],
    looks: Mapping[str, dict[str, Any]],
    *,
    steps: bool = False,
    logarithmic_y: bool = False,
) -> None:
    """Draws lines with their bands.

    Args:
        axes: empty.
        lines: the lines to draw.
        looks: the result of `look` by label.
        steps: `x` are the middles of bins.
        logarithmic_y: values <= 0 are gaps.
    """
    if logarithmic_y:
        axes.set_yscale("log", nonpositive="clip" if steps else "mask")
    for place, line in enumerate(lines):
        style = looks[line.label]
        if line.low:
            shape: dict[str, Any] = {"step": "mid"} if steps else {}
            axes.fill_between(
                line.x, line.low, line.high, alpha=0.2, linewidth=0, color=style["color"], **shape
            )
        every, first = 1, 0
        if len(line.x) > MARKS:  # the markers of different lines do not overlap
            every = -(-len(line.x) // (MARKS // 2))
            first = every * (2 * place + 1) // (2 * len(lines))
        drawn = "steps-mid" if steps else "default"
        axes.plot(line.x, line.y, markevery=(first, every), drawstyle=drawn, **style)
    axes.margins(x=0.02, y=0.06)
    ticks(axes.xaxis, 8)
    if logarithmic_y:
        decades(axes.yaxis)
    else:
        ticks(axes.yaxis)


def entry(label: str, style: dict[str, Any]) -> Any:
    """The line in a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)
