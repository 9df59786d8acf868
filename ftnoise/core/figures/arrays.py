"""Pictures of a measure's arrays: lines, cells, a plane."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, is_count, is_name
from ftnoise.core.interfaces import Figure
from ftnoise.core.spec import JSON, Spec

REAL_KINDS = frozenset("biuf")
# What the CSV file of a `Series` has beside its `table`.
TAKEN = ("experiment", "preset", "row", "seed", "x", "y", "low", "high")


@dataclass(frozen=True, kw_only=True)
class ArrayFigure(Figure):
    """Base of the pictures that show arrays of a measure.

    Args:
        name, title: see `Figure`.
        measure: a spec with `evaluate(trained)`.
        x: the name of an array [x], finite.
        x_title, x_unit: what it is, and "%" or the like.
    """

    measure: Any
    x: str
    x_title: str
    x_unit: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.measure, Spec) and hasattr(self.measure, "evaluate"),
            f"measure of {self.name} to be a spec with `evaluate`",
            measure=self.measure,
        )
        expect(
            all(map(is_name, self.arrays)),
            f"{self.name} to show arrays named in lower case letters, digits and _",
            arrays=self.arrays,
        )

    @property
    def measures(self) -> tuple[Any, ...]:
        return (self.measure,)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of all arrays that it needs."""
        return (self.x,)

    def is_in(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        """Whether what a measure found has all that is shown; what lacks some is left out."""
        return set(self.arrays) <= arrays.keys()

    def check_found(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> None:
        """Raises `BadInput` unless what a measure found, which `is_in`, has the right shapes."""
        shapes = {name: arrays[name].shape for name in self.arrays}
        expect(
            all(arrays[name].dtype.kind in REAL_KINDS for name in self.arrays),
            f"real numbers for {self.name}",
            dtypes={name: str(arrays[name].dtype) for name in self.arrays},
        )
        expect(self._fits(shapes), f"{self._expected} for {self.name}", shapes=shapes)
        expect(
            all(map(math.isfinite, arrays[self.x].tolist())),
            f"finite {self.x} for {self.name}",
            x=arrays[self.x].tolist(),
        )

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        """What has to be the same in all that is averaged or compared."""
        return arrays[self.x].tolist()

    @property
    def _expected(self) -> str:
        raise NotImplementedError

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Series(ArrayFigure):
    """Arrays of a measure against one of them: a line with a band for each row.

    Each group of rows has a panel. With several seeds the line is the mean over them, and the band
    its 95 % t interval instead of the stored one: over seeds, or over seeds and `values`.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayFigure`.
        y: the name of the array [x] that the line is; NaN leaves a gap.
        values: the name of an array [x, draws] whose means over draws are `y`, if all seeds of a
            row have the same draws: what they have in common is no part of the spread over seeds.
        draws: what is drawn, in the plural; where there are `values`.
        y_title, y_unit: what it is, and "%" or the like.
        low, high: the names of the arrays [x] between which the band is; both or none.
        band: what the band is, such as "95 % interval over masks"; where there is one.
        table: the names of further arrays [x] for the CSV file.
        steps: the line is an outline of bins (a histogram) of which `x` are the middles, in order.
        logarithmic_y: whether the y axis is; it has no place for what is <= 0.
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
        expect(isinstance(self.table, tuple), "table to be a tuple of names", table=self.table)
        super().__post_init__()
        expect(
            (self.low is None) == (self.high is None),
            f"both low and high of {self.name}, or neither",
            low=self.low,
            high=self.high,
        )
        expect(
            isinstance(self.band, str) and bool(self.band) == (self.low is not None),
            f"band to say what low and high of {self.name} are, where there are any",
            low=self.low,
            band=self.band,
        )
        expect(
            len(set(self.table)) == len(self.table) and not {*self.table} & {*TAKEN},
            f"further arrays of {self.name} under names of their own",
            table=self.table,
        )

    @property
    def arrays(self) -> tuple[str, ...]:
        band = (self.low, self.high) if self.low is not None and self.high is not None else ()
        values = () if self.values is None else (self.values,)
        return (self.x, self.y, *band, *values, *self.table)

    def check_found(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> None:
        super().check_found(arrays, info)
        x = arrays[self.x].tolist()
        expect(
            not self.steps or all(low < high for low, high in itertools.pairwise(x)),
            f"{self.x}, the middles of bins, in order for {self.name}",
            x=x,
        )

    @property
    def _expected(self) -> str:
        return "arrays [x] of one length" + (", values [x, draws]," if self.values else "")

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        lines = {shape for name, shape in shapes.items() if name != self.values}
        x = shapes[self.x]
        drawn = () if self.values is None else shapes[self.values]
        fit = self.values is None or (len(drawn) == 2 and drawn[:1] == x and drawn[1] > 1)
        return lines == {x} and len(x) == 1 and fit


@dataclass(frozen=True, kw_only=True)
class HeatMap(ArrayFigure):
    """An array of two dimensions as colored cells, a panel for each row, with one scale for all.

    With several seeds a cell is the mean over them.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayFigure`.
        values: the name of an array [labels, x]; NaN is an empty cell.
        labels: the name of a list of strings, one for each line of `values`, in the `info` of what
            the measure found.
        value_title, value_unit: what the values are, and "%" or the like.
        digits: of the numbers in the cells, after the point.
    """

    values: str
    labels: str
    value_title: str
    value_unit: str = ""
    digits: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(is_name(self.labels), f"labels of {self.name} to be a name", labels=self.labels)
        expect(is_count(self.digits, least=0), "digits >= 0", digits=self.digits)

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.values)

    def is_in(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        return super().is_in(arrays, info) and self.labels in info

    def check_found(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> None:
        super().check_found(arrays, info)
        labels = info[self.labels]
        expect(
            isinstance(labels, list)
            and all(isinstance(label, str) for label in labels)
            and len(labels) == len(arrays[self.values]),
            f"{self.labels} of {self.name} to be {len(arrays[self.values])} strings",
            labels=labels,
        )

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [info[self.labels], super().same(arrays, info)]

    @property
    def _expected(self) -> str:
        return "x [x] and values [labels, x], neither of them empty,"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, values = shapes[self.x], shapes[self.values]
        return len(x) == 1 and len(values) == 2 and values[1:] == x and 0 not in values


@dataclass(frozen=True, kw_only=True)
class Plane(ArrayFigure):
    """What a network says of each point of a plane, and examples on it: a panel for each row.

    With several seeds the shade is the mean over them, and the boundary of each is a thin line.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayFigure`; here a grid, rising.
        y: the name of an array [y], a grid.
        y_title: what it is.
        values: the name of an array [y, x] in [0, 1], the probability of class 1.
        value_title: what it is.
        points: the name of an array [points, 2], examples.
        classes: the name of an array [points], 0 or 1.
        tested: the name of an array [points], 1 for an example that was not trained on.
    """

    y: str
    y_title: str
    values: str
    value_title: str
    points: str
    classes: str
    tested: str

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.y, self.values, self.points, self.classes, self.tested)

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [arrays[name].tolist() for name in (self.x, self.y)]

    @property
    def _expected(self) -> str:
        return "grids [x] and [y], values [y, x], points [points, 2] and their classes"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, y, values = shapes[self.x], shapes[self.y], shapes[self.values]
        points, *of_each = (shapes[name] for name in (self.points, self.classes, self.tested))
        grids = len(x) == len(y) == 1 and values == (*y, *x) and 0 not in values
        return grids and len(points) == 2 and points[1] == 2 and set(of_each) == {points[:1]}
