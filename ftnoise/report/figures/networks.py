"""The networks of grids: a table of the grids, clouds of points, rank correlations, boxes.

The unit of the statistics is a training: its stages are no independent networks.
"""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import Boxes, Clouds, Correlations
from ftnoise.core.grid import Grid
from ftnoise.report.figures.canvas import COLORS, WIDTH, legend, panels, wrapped
from ftnoise.report.results import Results
from ftnoise.report.table import MISSING, Block, Section, Table, fixed, titled
from ftnoise.stats.correlation import RESAMPLES, rank_correlation
from ftnoise.stats.interval import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

FEWEST = 10  # trainings of a grid from which a correlation is shown
SIGNS = {-1: "negative", 0: "none", 1: "positive"}
UNDECIDED = "undecided"
NONE = 0.3  # a correlation that is certainly smaller counts as none


@dataclass(frozen=True)
class Network:
    """A stored network of a grid, and its numbers by column; with several seeds, their means."""

    grid: Grid
    row: Row
    numbers: dict[str, float]

    @property
    def training(self) -> Hashable:
        """The training that it is a stage of."""
        return tuple(value for axis, value in self.row.cell.items() if axis != self.grid.along)


@lru_cache(maxsize=1)  # all parts of a report show the same
def networks(results: Results) -> dict[str, list[Network]]:
    """The networks of each grid that there are numbers of."""
    found: dict[str, list[Network]] = {}
    for name, grid in _grids(results):
        found[name] = []
        for row in results.groups.get(name, {}).values():
            numbers = {
                column: statistics.fmean(by_run.values())
                for column, by_run in results.values.get(row.name, {}).items()
                if by_run
            }
            if numbers:
                found[name].append(Network(grid, row, numbers))
    return found


def overview(results: Results) -> Section:
    """A row for each grid: its networks, and the median and range of each column.

    The CSV file has a line for each network.
    """
    found, columns = networks(results), results.experiment.columns
    counts = [
        (f"{len(some):,} of {len(results.groups.get(name, ())):,}",) for name, some in found.items()
    ]
    blocks = [Block("Networks", counts)]
    for column in columns:
        cells = [(_spread(some, column),) for some in found.values()]
        blocks.append(Block(titled(column.title, column.unit), cells, ("median [range]",)))
    labels = [(name, grid.about) for name, grid in _grids(results)]
    axes = [*dict.fromkeys(axis for grid in results.experiment.grids for axis in grid.axes)]
    lines = [
        (
            name,
            *(one.row.cell.get(axis) for axis in axes),
            *(one.numbers.get(column.name) for column in columns),
        )
        for name, some in found.items()
        for one in some
    ]
    names = [column.name for column in columns]
    return Section(
        tables=[Table(labels, blocks)],
        text="The CSV file has a line for each network.",
        header=("grid", *axes, *names),
        lines=lines,
    )


def _grids(results: Results) -> Iterator[tuple[str, Grid]]:
    return ((grid.name, grid) for grid in results.experiment.grids)


def _spread(some: Sequence[Network], column: Column) -> str:
    numbers = [one.numbers[column.name] for one in some if column.name in one.numbers]
    if not numbers:
        return MISSING
    middle, low, high = (
        fixed(number, column.digits)
        for number in (statistics.median(numbers), min(numbers), max(numbers))
    )
    return f"{middle} [{low}, {high}]"


def clouds(results: Results, figure: Clouds) -> Section | None:
    """A panel for each pair of columns; the color and the mark of a point are its grid's."""
    found = {name: some for name, some in networks(results).items() if some}
    if not found:
        return None

    def draw(canvas: Canvas) -> None:
        from matplotlib.lines import Line2D

        across = min(2, len(figure.panels))
        grid = panels(canvas, len(figure.panels), across)
        canvas.set_size_inches(WIDTH, 2.6 * -(-len(grid) // across) + 0.5)
        looks: dict[str, dict[str, Any]] = {
            name: {"color": COLORS[k % len(COLORS)], "marker": "osh^Dv"[k % 6], "markersize": 2.6}
            for k, name in enumerate(found)
        }
        for axes, (x, y) in zip(grid, figure.panels, strict=True):
            for name, some in found.items():
                both = [one.numbers for one in some if {x, y} <= one.numbers.keys()]
                points = [one[x] for one in both], [one[y] for one in both]
                axes.plot(*points, linestyle="none", alpha=0.5, markeredgewidth=0, **looks[name])
            for axis, column in (("x", results.column(x)), ("y", results.column(y))):
                axes.set(**{f"{axis}label": wrapped(titled(column.title, column.unit), across)})
        abouts = {grid.name: grid.about for grid in results.experiment.grids}
        handles = [
            Line2D([], [], linestyle="none", label=f"{name} {abouts[name]}".strip(), **look)
            for name, look in looks.items()
        ]
        legend(canvas, handles)

    return Section(text="Each point is a network.", draw=draw)


def correlations(results: Results, figure: Correlations) -> Section | None:
    """A line for each grid, a column for each column that is correlated with x."""

    def value(one: Network) -> Any:
        """The network's x; None if it has none."""
        return one.row.cell.get(figure.axis) if figure.axis else one.numbers.get(figure.x)

    found, without = networks(results), ""
    if figure.axis:
        with_axis = {name for name, grid in _grids(results) if figure.axis in grid.axes}
        found = {name: some for name, some in found.items() if name in with_axis}
    if figure.least:
        key, least = figure.least
        limiting = results.column(key)
        kept = {
            grid: [one for one in some if one.numbers.get(key, least) >= least]
            for grid, some in found.items()
        }
        left = sum(map(len, found.values())) - sum(map(len, kept.values()))
        found = kept
        without = (
            f" Networks with less than {least:g} {limiting.unit} in the column {limiting.title} "
            f"are left out ({left:,})."
        )
    x = figure.axis or results.column(figure.x).title.lower()
    table: dict[str, list[str]] = {}
    lines: list[tuple[Any, ...]] = []
    for name, some in found.items():
        for column in figure.columns:
            both = [one for one in some if value(one) is not None and column in one.numbers]
            xs, ys = [value(one) for one in both], [one.numbers[column] for one in both]
            trainings = [one.training for one in both]
            cell = MISSING
            if len({*trainings}) >= FEWEST and len({*xs}) > 1 and len({*ys}) > 1:
                result = rank_correlation(xs, ys, trainings)
                expected = figure.expected.get(name)
                if column in figure.unjudged:
                    expected = None
                elif expected is not None and column in figure.reverse:
                    expected = -expected
                sign, verdict = _judged(result, expected)
                words = dict.fromkeys(filter(None, (sign, verdict)))
                cell = f"{result.mean:+.2f} [{result.low:+.2f}, {result.high:+.2f}] "
                cell += ", ".join(words)
                counts = len(both), len({*trainings})
                ends = result.mean, result.low, result.high
                lines.append((name, figure.x or figure.axis, column, *counts, *ends, sign, verdict))
            table.setdefault(name, []).append(cell)
    if not lines:
        return None
    labels = [(name, grid.about) for name, grid in _grids(results) if name in found]
    blocks = [
        Block(results.column(column).title, [(table[name][place],) for name, _ in labels])
        for place, column in enumerate(figure.columns)
    ]
    claims = [f"{name} {SIGNS[sign]}" for name, sign in figure.expected.items()]
    paper = f" The paper finds: {', '.join(claims)}." if claims else ""
    return Section(
        tables=[Table(labels, blocks)],
        text=f"Spearman's rank correlation with {x}, and its 95 % bootstrap interval "
        f"over {RESAMPLES:,} draws of trainings (the stages of a training are drawn together; "
        f"grids with fewer than {FEWEST} trainings have none). Negative or positive where the "
        f"interval excludes 0, else none where it lies within -{NONE} and {NONE}, else undecided. "
        "A paper's 'none' is confirmed where the interval lies within these ends, and contradicted "
        "where it lies outside."
        f"{paper}{without}",
        header=(
            *("grid", "x", "column", "networks", "trainings"),
            *("rho", "low", "high", "sign", "verdict"),
        ),
        lines=lines,
    )


def _judged(interval: Interval, expected: int | None) -> tuple[str, str]:
    """The sign of the interval, and whether it agrees with the paper's, if there is one.

    A short interval can exclude 0 and still count as no correlation.
    """
    sign = 1 if interval.low > 0 else -1 if interval.high < 0 else 0
    none = max(-interval.low, interval.high) <= NONE
    large = interval.low > NONE or interval.high < -NONE
    shown = SIGNS[sign] if sign or none else UNDECIDED
    if expected is None:
        return shown, ""
    agrees, differs = (sign == expected, sign or none) if expected else (none, large)
    verdict = "as in the paper" if agrees else "not as in the paper" if differs else UNDECIDED
    return shown, verdict


def boxes(results: Results, figure: Boxes) -> Section | None:
    """Boxes from the first to the third quartile with the median, and whiskers to the extremes."""
    column = results.column(figure.y)
    shown: list[tuple[str, str, dict[Any, list[float]]]] = []
    for name, some in networks(results).items():
        for axis in figure.axes:
            by_value: dict[Any, list[float]] = {}
            for one in some:
                if axis in one.row.cell and figure.y in one.numbers:
                    by_value.setdefault(one.row.cell[axis], []).append(one.numbers[figure.y])
            if len(by_value) > 1:
                shown.append((name, axis, by_value))
    if not shown:
        return None

    def draw(canvas: Canvas) -> None:
        across = min(3, len(shown))
        canvas.set_size_inches(WIDTH, 1.7 * -(-len(shown) // across) + 0.2)
        line = {"color": "0.25", "linewidth": 0.8}
        for axes, (name, axis, by_value) in zip(
            panels(canvas, len(shown), across), shown, strict=True
        ):
            ordered = all(isinstance(value, int | float) for value in by_value)
            values = sorted(by_value) if ordered else [*by_value]
            axes.boxplot(
                [by_value[value] for value in values],
                tick_labels=[
                    f"{value:g}" if isinstance(value, float) else str(value) for value in values
                ],
                whis=(0, 100),
                widths=0.6,
                patch_artist=True,
                boxprops={**line, "facecolor": "#dce6f2"},
                medianprops={"color": COLORS[6]},
                whiskerprops=line,
                capprops=line,
            )
            axes.set_xlabel(f"{name}: {axis}")
            axes.grid(visible=False, axis="x")
        canvas.supylabel(titled(column.title, column.unit), fontsize=8)

    lines = [
        (
            *(name, axis, str(value), len(numbers)),
            *(*statistics.quantiles(numbers, n=4), min(numbers), max(numbers)),
        )
        for name, axis, by_value in shown
        for value, numbers in by_value.items()
        if len(numbers) > 1
    ]
    return Section(
        text=f"{column.title} by the values of an axis: median, quartiles and extremes.",
        draw=draw,
        header=(
            *("grid", "axis", "value", "networks"),
            *("first_quartile", "median", "third_quartile", "low", "high"),
        ),
        lines=lines,
    )
