"""What is shown of a table beside it: some columns against another, or arrays of a measure.

A picture is a description, which `report/` draws and which is no part of any run's identity.
`Curves` show a table's columns. The others show arrays of one measure, which is asked of every row:
`Series` are lines, a `HeatMap` has cells; `Pairs` and `Levels` are tables. Nothing here
imports NumPy.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftnoise.spec import JSON, Experiment, Spec, expect, is_count, is_name

REAL_KINDS = frozenset("biuf")
# What the CSV file of a `Series` has beside its `table`.
TAKEN = ("experiment", "preset", "row", "seed", "x", "y", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Base of all pictures.

    Args:
        name: ends the names of the picture's files; lower case letters, digits and _.
        title: what the picture shows.
    """

    name: str
    title: str

    def __post_init__(self) -> None:
        expect(
            isinstance(self.name, str) and re.fullmatch("[a-z0-9_]+", self.name) is not None,
            "a picture named in lower case letters, digits and _",
            name=self.name,
        )

    @property
    def measures(self) -> tuple[Any, ...]:
        """The measures whose arrays are shown."""
        return ()

    def check(self, experiment: Experiment) -> None:
        """Raises `BadInput` unless the picture can be one of this table."""


@dataclass(frozen=True, kw_only=True)
class Curves(Picture):
    """Some columns of the table against the column `x`, a point for each row.

    A row that has no x, neither the paper's nor ours, is a horizontal line.

    Args:
        name, title: see `Picture`.
        x: the name of a column.
        panels: for each panel, from top to bottom, the names of the columns that it shows, which
            have one unit.
        logarithmic: whether the x axis is; it has no place for an x <= 0.
    """

    x: str
    panels: tuple[tuple[str, ...], ...]
    logarithmic: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.panels, tuple)
            and len(self.panels) > 0
            and all(isinstance(panel, tuple) and panel for panel in self.panels),
            f"panels of {self.name} to be tuples of columns' names",
            panels=self.panels,
        )
        expect(
            all(len(set(panel)) == len(panel) for panel in self.panels),
            f"panels of {self.name} with different columns",
            panels=self.panels,
        )

    def check(self, experiment: Experiment) -> None:
        units = {column.name: column.unit for column in experiment.columns}
        expect(self.x in units, f"a column of {experiment.name} for {self.name}", x=self.x)
        for panel in self.panels:
            expect(
                units.keys() >= set(panel),
                f"columns of {experiment.name} for {self.name}",
                panel=panel,
            )
            found = [units[name] for name in panel]
            expect(len(set(found)) == 1, f"one unit in a panel of {self.name}", units=found)


@dataclass(frozen=True, kw_only=True)
class ArrayPicture(Picture):
    """Base of the pictures that show arrays of a measure.

    Args:
        name, title: see `Picture`.
        measure: a spec with `evaluate(subject)`.
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
class Series(ArrayPicture):
    """Arrays of a measure against one of them: a line with a band for each row.

    Each group of rows has a panel. With several seeds the line is the mean over them, and the band
    its 95 % t interval instead of the stored one.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayPicture`.
        y: the name of the array [x] that the line is; NaN leaves a gap.
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
        return (self.x, self.y, *band, *self.table)

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
        return "arrays [x] of one length"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        return len(set(shapes.values())) == 1 and len(shapes[self.x]) == 1


@dataclass(frozen=True, kw_only=True)
class HeatMap(ArrayPicture):
    """An array of two dimensions as colored cells, a panel for each row, with one scale for all.

    With several seeds a cell is the mean over them.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayPicture`.
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
class Pairs(ArrayPicture):
    """Rows compared pair by pair on the same draws: a table instead of a picture.

    For every pair of rows of a group, at each x: the mean over draws of the first row's value minus
    the second's, which is first averaged over the seeds that both rows have, its 95 % t interval,
    and the p-value of a two-sided paired t test, corrected by Holm's method for all comparisons of
    the table. What is tested are these trained networks: the spread over draws says nothing of
    other trainings.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayPicture`.
        values: the name of an array [x, draws], of at least two draws, which are the same in all
            rows; an x with a value that is not finite is left out. No x comes twice.
        value_title, value_unit: what the values are, and "%" or the like.
        draws: what is drawn, in the plural.
        digits: of differences, after the point.
    """

    values: str
    value_title: str
    value_unit: str = ""
    rows: tuple[str, ...] = ()
    draws: str = "draws"
    digits: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.rows, tuple) and all(isinstance(row, str) for row in self.rows),
            f"rows of {self.name} to be names",
            rows=self.rows,
        )
        expect(is_count(self.digits, least=0), "digits >= 0", digits=self.digits)

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.values)

    def check(self, experiment: Experiment) -> None:
        rows = [row.name for row in experiment.rows]
        expect(len(rows) > 1, f"at least two rows of {experiment.name} for {self.name}", rows=rows)
        unknown = [one for one in self.rows if not any(row.endswith(one) for row in rows)]
        expect(not unknown, f"rows of {experiment.name} for {self.name}", rows=unknown)

    def check_found(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> None:
        super().check_found(arrays, info)
        x = arrays[self.x].tolist()
        expect(len(set(x)) == len(x), f"different {self.x} for {self.name}", x=x)

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [super().same(arrays, info), list(arrays[self.values].shape)]

    @property
    def _expected(self) -> str:
        return "x [x] and values [x, draws], of at least two draws,"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, values = shapes[self.x], shapes[self.values]
        return len(x) == 1 and len(values) == 2 and values[:1] == x and values[1] > 1


@dataclass(frozen=True, kw_only=True)
class Levels(ArrayPicture):
    """Where the uncertainty of a share comes from: seeds, draws or images; a table.

    For each row, at one x: the standard error of the mean over its seeds, all draws and all images,
    what each of these levels adds to it, and of which more would help most (`stats/levels.py`).

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayPicture`.
        at: the x.
        bits: the name of a uint8 array [x, draws, images / 8], as `numpy.packbits` packs bits along
            the last axis; all seeds of a row have the same draws.
        images: the name of the number of images in the `info` of what the measure found.
        draws: what is drawn, in the plural.
    """

    at: float
    bits: str
    images: str
    draws: str = "draws"

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.bits)

    def is_in(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        return super().is_in(arrays, info) and is_count(info.get(self.images))

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [super().same(arrays, info), list(arrays[self.bits].shape), info[self.images]]

    @property
    def _expected(self) -> str:
        return "x [x] and bits [x, draws, images / 8]"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, bits = shapes[self.x], shapes[self.bits]
        return len(x) == 1 and len(bits) == 3 and bits[:1] == x
