"""The kinds of figures that a report shows next to its table: descriptions only, without NumPy.

`Curves`, `Scatter` and `Contrasts` show columns of the table. The others show arrays of one
measure: `Series` are lines, a `HeatMap` has cells, a `Plane` has points; `Pairs` and `Levels` are
tables. A kind is drawn by the module of `report/figures/` that has its name in snake case, so a new
kind needs no entry anywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import boolean, count, expect, instance, is_count, is_name, is_number
from ftnoise.core.interfaces import Figure, Measure
from ftnoise.core.spec import JSON


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

    x: str
    panels: tuple[tuple[str, ...], ...]
    logarithmic: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect_panels(self)
        boolean(logarithmic=self.logarithmic)

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_columns(self, columns, self.x, *(name for panel in self.panels for name in panel))
        for panel in self.panels:
            units = [columns[name] for name in panel]
            expect(len(set(units)) == 1, f"one unit in a panel of {self.name}", units=units)


@dataclass(frozen=True, kw_only=True)
class Scatter(Figure):
    """Every row as a point in two columns, with the Pareto front, a panel for each pair of columns.

    Args:
        panels: pairs of columns' names, (x, y).
        low: names of the columns in which less is better; in the others more is.
        logarithmic: names of the columns whose axis is logarithmic.
    """

    panels: tuple[tuple[str, str], ...]
    low: tuple[str, ...] = ()
    logarithmic: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect_panels(self, 2)
        _expect_names(self, "low", self.low)
        _expect_names(self, "logarithmic", self.logarithmic)
        shown = dict.fromkeys((name for pair in self.panels for name in pair), "")
        _expect_columns(self, shown, *self.low, *self.logarithmic)

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_columns(self, columns, *(name for pair in self.panels for name in pair))


@dataclass(frozen=True, kw_only=True)
class Contrasts(Figure):
    """Table of each row of a group minus the group's baseline, paired by seed.

    Each cell is the mean over the seeds that both rows have, its 95 % t interval, and the p-value
    of a two-sided paired t test, with Holm's correction for all comparisons of the table.

    Args:
        baseline: name of a row, without its group's.
        columns: names of columns.
    """

    baseline: str
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect_names(self, "columns", self.columns)
        expect(len(self.columns) > 0, f"columns for {self.name}", columns=self.columns)

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        _expect_rows(self, rows, self.baseline)
        _expect_columns(self, columns, *self.columns)


@dataclass(frozen=True, kw_only=True)
class ArrayFigure(Figure):
    """Base of the figures that show arrays of a measure.

    Args:
        measure: returns the arrays.
        x: name of an array [x], finite and without repetition.
        x_title, x_unit: the x axis, such as "Rate" and "%".
    """

    measure: Measure
    x: str
    x_title: str
    x_unit: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(Measure, "a measure", measure=self.measure)
        for name in (*self.shapes, *self.info):
            expect(
                is_name(name),
                f"names in lower case letters, digits and _ in {self.name}",
                name=name,
            )

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        """The axes of each array that is shown, by name; equal names are equal lengths."""
        return {self.x: ("x",)}

    @property
    def info(self) -> tuple[str, ...]:
        """Names in the measurement's `info` that are shown."""
        return ()

    def has(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        """Whether a measurement has all that the figure shows; otherwise it is left out."""
        return self.shapes.keys() <= arrays.keys() and {*self.info} <= info.keys()

    def shared(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        """The parts that all seeds of a row must share: the x, the shapes, the info.

        Raises:
            BadInput: the arrays do not have the shapes that the figure needs.
        """
        sizes: dict[str, int] = {"2": 2}
        for name, axes in self.shapes.items():
            array = arrays[name]
            known = tuple(sizes.setdefault(a, n) for a, n in zip(axes, array.shape, strict=False))
            fits = array.ndim == len(axes) and array.shape == known and array.size > 0
            expect(
                fits and array.dtype.kind in "biuf",
                f"real numbers {name} [{', '.join(axes)}] for {self.name}",
                shape=array.shape,
                dtype=str(array.dtype),
            )
        expect(sizes.get("draws", 2) > 1, f"at least two draws for {self.name}", sizes=sizes)
        x = arrays[self.x].tolist()
        expect(
            all(map(math.isfinite, x)) and len({*x}) == len(x),
            f"finite, different {self.x} for {self.name}",
            x=x,
        )
        return [x, sizes, [info[name] for name in self.info]]


@dataclass(frozen=True, kw_only=True)
class Series(ArrayFigure):
    """Arrays of a measure as lines over x: a panel for each group, a line with a band for each row.

    With several seeds the line is their mean, and the band its 95 % t interval over seeds, or over
    seeds and draws where there are `values`.

    Args:
        y: name of the array [x] of the line; NaN is a gap.
        values: name of an array [x, draws] whose means over draws are `y`. All seeds of a row have
            the same draws, so the draws are a second source of the spread.
        draws: what is drawn, in the plural.
        y_title, y_unit: the y axis.
        low, high: names of the arrays [x] that bound the band of a single seed; both or none.
        band: what that band is, such as "95 % interval over trials".
        table: names of further arrays [x] for the CSV file.
        steps: the line is the outline of a histogram, whose bins have the middles `x`.
        logarithmic_y: scale of the y axis; values <= 0 are gaps.
    """

    y: str
    y_title: str
    y_unit: str = ""
    low: str | None = None
    high: str | None = None
    band: str = ""
    values: str | None = None
    draws: str = "draws"
    table: tuple[str, ...] = ()
    steps: bool = False
    logarithmic_y: bool = False

    def __post_init__(self) -> None:
        _expect_names(self, "table", self.table)
        super().__post_init__()
        expect(
            (self.low is None) == (self.high is None) == (not self.band),
            f"low, high and band of {self.name}, or none of them",
            low=self.low,
            high=self.high,
            band=self.band,
        )
        boolean(steps=self.steps, logarithmic_y=self.logarithmic_y)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        band = () if self.low is None or self.high is None else (self.low, self.high)
        lines = (self.x, self.y, *band, *self.table)
        values = {} if self.values is None else {self.values: ("x", "draws")}
        return {**dict.fromkeys(lines, ("x",)), **values}


@dataclass(frozen=True, kw_only=True)
class HeatMap(ArrayFigure):
    """An array of two dimensions as colored cells, a panel for each row, with one scale for all.

    With several seeds a cell is their mean.

    Args:
        values: name of an array [labels, x]; NaN is an empty cell.
        labels: name of a list of strings in the measurement's `info`, one for each line of cells.
        value_title, value_unit: the values.
        digits: digits after the point of the numbers in the cells.
    """

    values: str
    labels: str
    value_title: str
    value_unit: str = ""
    digits: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        count(least=0, digits=self.digits)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        return {self.x: ("x",), self.values: ("labels", "x")}

    @property
    def info(self) -> tuple[str, ...]:
        return (self.labels,)

    def shared(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        labels, lines = info[self.labels], len(arrays[self.values])
        expect(
            isinstance(labels, list)
            and len(labels) == lines
            and all(isinstance(label, str) for label in labels),
            f"{self.labels} of {self.name} to be {lines} strings",
            labels=labels,
        )
        return super().shared(arrays, info)


@dataclass(frozen=True, kw_only=True)
class Plane(ArrayFigure):
    """The output of a network over a plane, with examples: a panel for each row.

    With several seeds the shade is their mean, and each seed's boundary is a thin line.

    Args:
        y: name of an array [y].
        y_title: the y axis.
        values: name of an array [y, x] in [0, 1], the probability of class 1.
        value_title: the values.
        points: name of an array [points, 2], examples.
        classes: name of an array [points] of 0 and 1.
        tested: name of an array [points], 1 for an example of the test set.
    """

    y: str
    y_title: str
    values: str
    value_title: str
    points: str
    classes: str
    tested: str

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        grid = {self.x: ("x",), self.y: ("y",), self.values: ("y", "x")}
        of_points = dict.fromkeys((self.classes, self.tested), ("points",))
        return {**grid, self.points: ("points", "2"), **of_points}

    def shared(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [super().shared(arrays, info), arrays[self.y].tolist()]


@dataclass(frozen=True, kw_only=True)
class Pairs(ArrayFigure):
    """Table of each row of a group minus each later one, paired by draw, at each x.

    Each cell is the mean difference over draws, which are first averaged over the seeds that both
    rows have, its 95 % t interval, and the p-value as in `Contrasts`. It compares these trained
    networks: the spread over draws does not show what other trainings would give.

    Args:
        values: name of an array [x, draws]; all rows of a group have the same draws. An x with a
            value that is not finite, or without any spread over draws, is left out.
        value_title, value_unit: the values.
        rows: names of the rows that are compared, without their groups'; all if empty.
        draws: what is drawn, in the plural.
        digits: digits after the point.
        alone: each row is shown by itself too, with its mean over draws.
    """

    values: str
    value_title: str
    value_unit: str = ""
    rows: tuple[str, ...] = ()
    draws: str = "draws"
    digits: int = 2
    alone: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect_names(self, "rows", self.rows)
        count(least=0, digits=self.digits)
        boolean(alone=self.alone)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        return {self.x: ("x",), self.values: ("x", "draws")}

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        expect(len(rows) > 1, f"at least two rows of the table for {self.name}", rows=rows)
        _expect_rows(self, rows, *self.rows)


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
        draws: what is drawn, in the plural.
    """

    at: float
    bits: str
    examples: str
    draws: str = "draws"

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(is_number(self.at), "at to be a finite number", at=self.at)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        return {self.x: ("x",), self.bits: ("x", "draw", "bytes")}

    @property
    def info(self) -> tuple[str, ...]:
        return (self.examples,)

    def has(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        return super().has(arrays, info) and is_count(info[self.examples])


def _expect_panels(figure: Curves | Scatter, size: int | None = None) -> None:
    """Expects a tuple of tuples of different names, each of this size."""
    panels = figure.panels
    expect(
        isinstance(panels, tuple)
        and len(panels) > 0
        and all(isinstance(p, tuple) and len({*p}) == len(p) > 0 for p in panels)
        and all(size in (None, len(p)) for p in panels),
        f"panels of {figure.name} to be tuples of different columns",
        panels=panels,
    )


def _expect_names(figure: Figure, kind: str, names: object) -> None:
    expect(
        isinstance(names, tuple)
        and all(isinstance(name, str) for name in names)
        and len({*names}) == len(names),
        f"{kind} of {figure.name} to be a tuple of different names",
        **{kind: names},
    )


def _expect_columns(figure: Figure, columns: Mapping[str, str], *names: str) -> None:
    for name in names:
        expect(name in columns, f"a known column for {figure.name}", column=name)


def _expect_rows(figure: Figure, rows: Sequence[str], *names: str) -> None:
    """Expects rows, named with or without their group."""
    for name in names:
        known = any(f" {row}".endswith(f" {name}") for row in rows)
        expect(known, f"a row of the table for {figure.name}", row=name)
