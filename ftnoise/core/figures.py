"""The kinds of figures that a report shows next to its table: descriptions only, without NumPy.

`Curves`, `Scatter` and `Contrasts` show columns of the table; `Clouds`, `Correlations` and `Boxes`
show columns of the networks of grids; the others show arrays of one measure. `Contrasts`,
`Correlations`, `Pairs` and `Levels` are tables. `HeatMap` is shown by the function `heat_map` of
its `module` in `report/figures/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftnoise.core.checks import expect, instance
from ftnoise.core.interfaces import Figure, Measure


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Columns of the table against the column `x`, a point for each row.

    A row without an x, the paper's or ours, is a horizontal line.

    Args:
        x: name of a column.
        panels: names of the columns of each panel, from top to bottom; those of one panel share
            their unit.
        logarithmic: scale of the x axis; rows with x <= 0 are left out then.
    """

    module = "columns"

    x: str
    panels: tuple[tuple[str, ...], ...]
    logarithmic: bool = False

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        full = len(self.panels) > 0 and all(self.panels)
        expect(full, f"columns in each panel of {self.name}", panels=self.panels)
        _expect_columns(self, columns, self.x, *(name for panel in self.panels for name in panel))
        for panel in self.panels:
            units = [columns[name] for name in panel]
            expect(len({*units}) == 1, f"one unit in a panel of {self.name}", units=units)


@dataclass(frozen=True, kw_only=True)
class Scatter(Figure):
    """Every row as a point in two columns, with the Pareto front, a panel for each pair of columns.

    Args:
        panels: pairs of columns' names, (x, y).
        low: names of the columns in which less is better; in the others more is.
        logarithmic: names of the columns whose axis is logarithmic.
    """

    module = "columns"

    panels: tuple[tuple[str, str], ...]
    low: tuple[str, ...] = ()
    logarithmic: tuple[str, ...] = ()

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        shown = [name for pair in self.panels for name in pair]
        _expect_columns(self, columns, *shown, *self.low, *self.logarithmic)
        for pair in self.panels:
            expect(len(pair) == 2, f"panels of {self.name} to be pairs of columns", panel=pair)


@dataclass(frozen=True, kw_only=True)
class Contrasts(Figure):
    """Table of each row of a group minus the group's baseline, paired by seed.

    Each cell is the mean over the seeds that both rows have, its 95 % t interval, and the p-value
    of a two-sided paired t test, with Holm's correction for all comparisons of the table.

    Args:
        baseline: name of a row, without its group's.
        columns: names of columns.
    """

    module = "comparisons"

    baseline: str
    columns: tuple[str, ...]

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_rows(self, rows, self.baseline)
        _expect_columns(self, columns, *self.columns)


@dataclass(frozen=True, kw_only=True)
class Clouds(Figure):
    """Every network as a point in two columns: a panel for each pair, a color for each grid.

    Args:
        panels: pairs of columns' names, (x, y).
    """

    module = "networks"

    panels: tuple[tuple[str, str], ...]

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        for pair in self.panels:
            expect(len(pair) == 2, f"panels of {self.name} to be pairs of columns", panel=pair)
            _expect_columns(self, columns, *pair)


@dataclass(frozen=True, kw_only=True)
class Correlations(Figure):
    """Table of the rank correlation of columns with `x` in each grid, with a verdict.

    Args:
        x: name of a column; "" for the axis.
        axis: name of an axis of numbers, in the place of `x`; grids without it are left out.
        columns: names of columns.
        expected: by the grid's name, what the paper found: -1 for a negative correlation, 1 for a
            positive one, 0 for none; grids without an entry have no verdict.
        reverse: those of the columns that fall where what `expected` speaks of rises.
        unjudged: those that the paper does not have: they have no verdict.
        least: name of a column, and the number below which its networks are left out; empty for
            none.
    """

    module = "networks"

    x: str = ""
    axis: str = ""
    columns: tuple[str, ...]
    expected: dict[str, int] = field(default_factory=dict)
    reverse: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    least: tuple[str, float] | tuple[()] = ()

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        expect(bool(self.x) != bool(self.axis), f"a column or an axis in {self.name}", x=self.x)
        _expect_columns(self, columns, *filter(None, [self.x, *self.least[:1]]), *self.columns)
        for name in (*self.reverse, *self.unjudged):
            expect(name in self.columns, f"one of the columns of {self.name}", column=name)
        for grid, sign in self.expected.items():
            expect(sign in (-1, 0, 1), f"-1, 0 or 1 for {grid} in {self.name}", sign=sign)


@dataclass(frozen=True, kw_only=True)
class Boxes(Figure):
    """A column of all networks of a grid by their value on an axis: a panel for each grid and axis.

    Args:
        y: name of a column.
        axes: names of axes; grids without one have no panel for it.
    """

    module = "networks"

    y: str
    axes: tuple[str, ...]

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_columns(self, columns, self.y)


@dataclass(frozen=True, kw_only=True)
class ArrayFigure(Figure):
    """Base of the figures that show arrays of a measure.

    Args:
        measure: returns the arrays.
        x: name of an array [x].
        x_title, x_unit: the x axis, such as "Rate" and "%".
        draws: what is drawn anew along an axis `draws`, in the plural.
        rows: names of the rows that are shown, without their groups'; all if empty.
    """

    module = "arrays"

    measure: Measure
    x: str
    x_title: str
    x_unit: str = ""
    draws: str = "draws"
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(Measure, "a measure", measure=self.measure)

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_rows(self, rows, *self.rows)

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        """The axes of each array that is shown, by name; a measurement without one is left out.

        Axes of one name have one length; that of a list in `info` is the list's.
        """
        return {self.x: ("x",)}

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the arrays that all seeds of a row share."""
        return (self.x,)

    @property
    def info(self) -> tuple[str, ...]:
        """Names in the measurement's `info` that are shown, too."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Series(ArrayFigure):
    """Arrays of a measure as lines over x: a panel for each group, a line with a band for each row.

    With several seeds the line is their mean, and the band its 95 % t interval over seeds, or over
    seeds and draws where there are `values`, within [0, 100] if the unit is %.

    Args:
        y: name of the array [x] of the line; NaN is a gap.
        values: name of an array [x, draws] whose means over draws are `y`. All seeds of a row have
            the same draws, so the draws are a second source of the spread.
        y_title, y_unit: the y axis.
        low, high: names of the arrays [x] that bound the band of a single seed; both or none.
        band: what that band is, such as "95 % interval over trials".
        table: names of further arrays [x] for the CSV file.
        steps: the line is the outline of a histogram, whose bins have the middles `x`.
        logarithmic_x, logarithmic_y: scales of the axes; values of y <= 0 are gaps.
        to_zero: a line ends at the first of the zeros at its end.
    """

    y: str
    y_title: str
    y_unit: str = ""
    low: str | None = None
    high: str | None = None
    band: str = ""
    values: str | None = None
    table: tuple[str, ...] = ()
    steps: bool = False
    logarithmic_x: bool = False
    logarithmic_y: bool = False
    to_zero: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = (self.low is None) == (self.high is None) == (not self.band)
        given = {"low": self.low, "high": self.high, "band": self.band}
        expect(ends, f"low, high and band of {self.name}, or none of them", **given)

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        lines = (self.x, self.y, self.low, self.high)
        axes: dict[str, tuple[str, ...]] = {name: ("x",) for name in lines if name is not None}
        if self.values is not None:
            axes[self.values] = ("x", "draws")
        return axes | dict.fromkeys(self.table, ("x",))


@dataclass(frozen=True, kw_only=True)
class HeatMap(ArrayFigure):
    """An array of two dimensions as colored cells, a panel for each row, with one scale for all.

    With several seeds a cell is their mean.

    Args:
        values: name of an array [labels, x]; NaN is an empty cell.
        labels: name of a list of strings in the measurement's `info`, one for each line of cells.
        value_title, value_unit: the values.
        digits: digits after the point in print.
    """

    values: str
    labels: str
    value_title: str
    value_unit: str = ""
    digits: int = 1

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        return super().arrays | {self.values: (self.labels, "x")}

    @property
    def info(self) -> tuple[str, ...]:
        return (self.labels,)


@dataclass(frozen=True, kw_only=True)
class Plane(ArrayFigure):
    """The output of a network over a plane, with examples: a panel for each row.

    With several seeds the shade is their mean, and each seed's boundary is a thin line.

    Args:
        y: name of an array [y].
        values: name of an array [y, x] in [0, 1], the probability of class 1.
        points: name of an array [points, 2], examples.
        classes: name of an array [points] of 0 and 1.
        tested: name of an array [points], 1 for an example of the test set.
    """

    y: str
    values: str
    points: str
    classes: str
    tested: str

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        grid: dict[str, tuple[str, ...]] = {self.y: ("y",), self.values: ("y", "x")}
        points = {self.points: ("points", "2"), self.classes: ("points",), self.tested: ("points",)}
        return super().arrays | grid | points

    @property
    def coordinates(self) -> tuple[str, ...]:
        return (self.x, self.y)


@dataclass(frozen=True, kw_only=True)
class Pairs(ArrayFigure):
    """Table of each row of a group minus each later one, or a baseline, paired by draw, at each x.

    Each cell is the mean difference over draws, which are first averaged over the seeds that both
    rows have, its 95 % t interval, and the p-value as in `Contrasts`. It compares these trained
    networks: the spread over draws does not show what other trainings would give.

    Args:
        values: name of an array [x, draws]; all rows of a group have the same draws. An x with a
            value that is not finite, or without any spread over draws, is left out.
        value_title, value_unit: the values.
        baseline: one of the rows; only differences to it are shown. Empty: all differences.
        alone: each row is shown by itself too, with its mean over draws.
    """

    module = "comparisons"

    values: str
    value_title: str
    value_unit: str = ""
    baseline: str = ""
    alone: bool = False

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        return super().arrays | {self.values: ("x", "draws")}

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        super().check(rows, columns)
        _expect_rows(self, rows, *([self.baseline] if self.baseline else []))


@dataclass(frozen=True, kw_only=True)
class Levels(ArrayFigure):
    """Table of where the uncertainty of a mean comes from: seeds, draws or examples.

    For each row, at one x: the standard error of the mean over its seeds, draws and examples, the
    part of each of these levels, and which of them should be enlarged (`stats/levels.py`).

    Args:
        at: the x.
        bits: name of a uint8 array [x, draws, bytes], packed by `numpy.packbits` along the
            examples; all seeds of a row have the same draws.
        examples: name of the number of examples in the measurement's `info`.
    """

    module = "comparisons"

    at: float
    bits: str
    examples: str

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        return super().arrays | {self.bits: ("x", "draw", "bytes")}

    @property
    def info(self) -> tuple[str, ...]:
        return (self.examples,)


def _expect_columns(figure: Figure, columns: Mapping[str, str], *names: str) -> None:
    for name in names:
        expect(name in columns, f"a known column for {figure.name}", column=name)


def _expect_rows(figure: Figure, rows: Sequence[str], *names: str) -> None:
    """Expects rows, named without their group."""
    grouped = all(" " in row for row in rows)
    labels = {row.partition(" ")[2] if grouped else row for row in rows}
    for name in names:
        expect(name in labels, f"a row of the table for {figure.name}", row=name)
