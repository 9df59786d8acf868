"""What was measured, beside what the paper says: the value that every form of a report is made of.

Also what the forms have in common: how a cell is printed, which rows belong together, in which
order they stand, and the sentences that say what the numbers are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import ArrayFigure, Pairs
from ftnoise.core.spec import JSON, spec_id
from ftnoise.stats import Summary, is_finite, summarize

if TYPE_CHECKING:
    from numpy import ndarray

MISSING = "-"
LEVEL = 0.05  # below which a corrected p-value tells a difference from none
VACUOUS = "vacuous"
INTERVALS = "95 % t intervals of the means stand in the CSV file and in the picture."


@dataclass(frozen=True)
class Printed:
    """A cell in print; `spread` is empty where there is a single seed, the rest "-" if missing.

    A bound that says nothing is "vacuous".
    """

    paper: str
    ours: str
    spread: str
    difference: str


@dataclass(frozen=True)
class Cell:
    """One number of the table: the paper's and ours, each None where there is none.

    Where there are several draws of the data, ours is over the means of the draws; its `count` is
    that of the numbers behind them.
    """

    row: Row
    column: Column
    paper: float | None
    ours: Summary | None

    @property
    def difference(self) -> float | None:
        """Ours - paper; what is only rounding of the floats is 0. None where one is missing."""
        if self.ours is None or self.paper is None:
            return None
        if math.isclose(self.ours.mean, self.paper, rel_tol=1e-12):
            return 0.0
        return self.ours.mean - self.paper

    @property
    def printed(self) -> Printed:
        """The cell with the column's number of digits."""
        digits, most = self.column.digits, self.column.vacuous
        if self.ours and most is not None and self.ours.mean >= most:
            return Printed(fixed(self.paper, digits), VACUOUS, "", MISSING)
        spread = self.ours.spread if self.ours else None
        return Printed(
            fixed(self.paper, digits),
            fixed(self.ours.mean if self.ours else None, digits),
            "" if spread is None else fixed(spread, digits),
            fixed(self.difference, digits, sign="+"),
        )


def fixed(value: float | None, digits: int, sign: str = "") -> str:
    """A number with so many digits after the point; with the sign "+" both signs are printed."""
    if value is None:
        return MISSING
    rounded = round(value, digits)
    # Zero has no sign, neither -0.00 nor +0.00.
    return f"{rounded:{sign}.{digits}f}" if rounded else f"{0:.{digits}f}"


def printed_p(p: float) -> str:
    """A p-value, to a thousandth."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    `name` is what the rows' names begin with, "" if nothing; `rows` are pairs of the rest of the
    name and the row.
    """

    name: str
    rows: tuple[tuple[str, Row], ...]


@dataclass(frozen=True)
class Order:
    """How the rows of a group rank in a column, smallest first, as `a < b = c`."""

    column: Column
    group: str
    paper: str
    ours: str

    @property
    def same(self) -> bool:
        """Whether ours is the paper's order, ties included."""
        return self.paper == self.ours


@dataclass(frozen=True)
class Reading:
    """What a measure found in the run of a row with this seed; see `checkpointing.Measurement`."""

    seed: int
    arrays: Mapping[str, ndarray]
    info: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """All that is stored of an experiment under one preset.

    Args:
        experiment: the table.
        preset: the preset's name.
        values: by row name and column name, one finite number a seed, in the column's unit
            (percent, points or plain). A missing cell is absent; one without numbers was asked
            for, and there is none (no epsilon without noise).
        notes: lines that a reader needs, such as the machine and what a preset leaves out.
        runs: by row name and column name, for each number the run that it is of: the number of its
            data's draw, and its seed.
        readings: by row name and by the id of a measure that a picture shows, one for each seed,
            in the order of the seeds. What is missing is absent.

    Raises:
        BadInput: a row or column that the experiment does not have, a number not finite, or
            arrays that a picture cannot show.
    """

    experiment: Experiment
    preset: str
    values: Mapping[str, Mapping[str, Sequence[float]]]
    notes: tuple[str, ...] = ()
    readings: Mapping[str, Mapping[str, Sequence[Reading]]] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, Sequence[tuple[int, ...]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = {row.name for row in self.experiment.rows}
        columns = {column.name for column in self.experiment.columns}
        for row, found in self.values.items():
            expect(row in rows, f"a row of {self.experiment.name}", row=row)
            for column, numbers in found.items():
                expect(
                    column in columns,
                    f"a column of {self.experiment.name}",
                    column=column,
                )
                expect(
                    all(map(is_finite, numbers)),
                    f"finite numbers for {column} of {row}",
                    values=list(numbers),
                )
        known = {spec_id(measure) for measure in self.experiment.pictured()}
        for row, by_measure in self.readings.items():
            expect(row in rows, f"a row of {self.experiment.name}", row=row)
            for measure, readings in by_measure.items():
                expect(measure in known, "a measure that a picture shows", measure=measure)
                seeds = [reading.seed for reading in readings]
                expect(seeds == sorted(set(seeds)), f"seeds of {row} in order", seeds=seeds)
        for picture in self.experiment.figures:
            if isinstance(picture, ArrayFigure):
                self._check(picture)

    def _check(self, picture: ArrayFigure) -> None:
        for group in self.groups():
            first = None
            for _, row in group.rows:
                if not isinstance(picture, Pairs):
                    first = None
                for reading in self.shown(row, picture):
                    picture.check_found(reading.arrays, reading.info)
                    here = picture.same(reading.arrays, reading.info)
                    first = here if first is None else first
                    expect(
                        here == first,
                        f"the same in what {picture.name} takes together",
                        row=row.name,
                        seed=reading.seed,
                        first=first,
                        here=here,
                    )

    def shown(self, row: Row, picture: ArrayFigure) -> tuple[Reading, ...]:
        """The readings of a row that have all that a picture shows, by seed."""
        found = self.readings.get(row.name, {}).get(spec_id(picture.measure), ())
        return tuple(r for r in found if picture.is_in(r.arrays, r.info))

    @property
    def stem(self) -> str:
        """`<experiment>.<preset>`, the name of the report's files without their suffix."""
        return f"{self.experiment.name}.{self.preset}"

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row and a column, there or missing."""
        numbers = self.values.get(row.name, {}).get(column.name, ())
        ours = summarize(self._sample(row, column)) if len(numbers) else None
        if ours and ours.count != len(numbers):
            ours = replace(ours, count=len(numbers))
        return Cell(row, column, row.paper.get(column.name), ours)

    @cached_property
    def draws(self) -> int:
        """Of how many draws of the data there are numbers, at least 1."""
        runs = (run for found in self.runs.values() for names in found.values() for run in names)
        return len({draw for draw, *_ in runs}) or 1

    def by_draw(self, row: Row, column: Column) -> dict[int, list[float]]:
        """The numbers of a cell by the draw of the data; where it is not known, it is the first."""
        numbers = self.values.get(row.name, {}).get(column.name, ())
        runs = self.runs.get(row.name, {}).get(column.name) or [(0,)] * len(numbers)
        found: dict[int, list[float]] = {}
        for (draw, *_), number in zip(runs, numbers, strict=True):
            found.setdefault(draw, []).append(number)
        return found

    def _sample(self, row: Row, column: Column) -> Sequence[float]:
        """The numbers of a cell that are independent: seeds of a draw share its data."""
        if self.draws == 1:
            return self.values.get(row.name, {}).get(column.name, ())
        return [statistics.fmean(numbers) for numbers in self.by_draw(row, column).values()]

    def by_run(self, row: Row, column: Column) -> dict[tuple[int, ...], float]:
        """The numbers of a cell by the run that each is of."""
        numbers = self.values.get(row.name, {}).get(column.name, ())
        return dict(zip(self.runs.get(row.name, {}).get(column.name, ()), numbers, strict=False))

    def cells(self) -> Iterator[Cell]:
        """All cells, row by row."""
        for row in self.experiment.rows:
            for column in self.experiment.columns:
                yield self.cell(row, column)

    def has_paper(self, column: Column) -> bool:
        """Whether the paper has a number for the column in any row."""
        return any(column.name in row.paper for row in self.experiment.rows)

    def has_spread(self, column: Column) -> bool:
        """Whether a cell of the column has more than one seed, or draw of the data if several."""
        return any(len(self._sample(row, column)) > 1 for row in self.experiment.rows)

    def kinds(self) -> tuple[tuple[Column, ...], ...]:
        """The columns with numbers of the paper, and the others; without a kind that is empty."""
        columns = self.experiment.columns
        with_paper = tuple(column for column in columns if self.has_paper(column))
        others = tuple(column for column in columns if not self.has_paper(column))
        return tuple(kind for kind in (with_paper, others) if kind)

    @property
    def has_spreads(self) -> bool:
        """Whether any cell has more than one seed, or draw of the data if several."""
        return any(map(self.has_spread, self.experiment.columns))

    def groups(self) -> tuple[Group, ...]:
        """The rows by the first word of their names, if all of them have more than one word."""
        split = [(*row.name.partition(" "), row) for row in self.experiment.rows]
        if not all(rest for _, _, rest, _ in split):
            return (Group("", tuple((row.name, row) for row in self.experiment.rows)),)
        firsts = dict.fromkeys(first for first, *_ in split)
        return tuple(
            Group(
                name,
                tuple((rest, row) for first, _, rest, row in split if first == name),
            )
            for name in firsts
        )

    def orders(self) -> tuple[Order, ...]:
        """For each ranked column and group, the order of the rows which the paper and we have."""
        found = []
        for column in self.experiment.columns:
            for group in self.groups():
                cells = {label: self.cell(row, column) for label, row in group.rows}
                both = {
                    label: (cell.paper, cell.ours.mean)
                    for label, cell in cells.items()
                    if cell.paper is not None and cell.ours is not None
                }
                if column.ranked and len(both) > 1:
                    paper, ours = (
                        _ranking(
                            {label: round(pair[i], column.digits) for label, pair in both.items()}
                        )
                        for i in (0, 1)
                    )
                    found.append(Order(column, group.name, paper, ours))
        return tuple(found)

    def seeds(self) -> str:
        """How many seeds stand behind the numbers of each row, in words."""
        counts: dict[str, list[int]] = {}
        draws: dict[str, list[int]] = {}
        for row in self.experiment.rows:
            for column in self.experiment.columns:
                if by_draw := self.by_draw(row, column):
                    counts.setdefault(row.name, []).extend(map(len, by_draw.values()))
                    draws.setdefault(row.name, []).append(len(by_draw))
        ranges = {
            row: (max(found), min(found), max(draws[row]), min(draws[row]))
            for row, found in counts.items()
        }
        kinds = sorted(set(ranges.values()), reverse=True)
        if len(kinds) < 2:
            return seeds_in_words(*kinds[0]) if kinds else "no result yet"
        parts = []
        for kind in kinds:
            names: list[str] = []
            for group in self.groups():
                having = [row.name for _, row in group.rows if ranges.get(row.name) == kind]
                alike = len(having) == len(group.rows)
                names += [group.name] if group.name and alike else having
            parts.append(f"{seeds_in_words(*kind)} for {', '.join(names)}")
        return "; ".join(parts)

    def legend(self) -> str:
        """What the numbers are, in a few sentences."""
        text = f"Ours: {self.seeds()}."
        if self.has_spreads:
            over = "seeds"
            if self.draws > 1:
                over = "draws of the data, the number of a draw being the mean over its seeds"
            text = f"Ours: mean ± sample standard deviation over {over} ({self.seeds()})."
        if any(map(self.has_paper, self.experiment.columns)):
            text += " Difference: ours minus paper."
        cells = list(self.cells())
        asked = sum(map(len, self.values.values()))
        none = sum(cell.ours is None for cell in cells)
        if none + asked > len(cells):
            text += " A number that a row cannot have is a dash."
        missing = len(cells) - asked
        return text + (f" {missing} of {len(cells)} numbers are missing." if missing else "")


def heading(column: Column) -> str:
    """The column's title with its unit."""
    return titled(column.title, column.unit)


def titled(title: str, unit: str) -> str:
    """`Testing accuracy (%)`."""
    return f"{title} ({unit})" if unit else title


def seeds_in_words(most: int, least: int, most_draws: int = 1, least_draws: int = 1) -> str:
    """`1 seed`, `3 seeds`, `2 to 3 seeds`, `5 draws of the data, 20 seeds each`."""
    seeds = _in_words(most, least, "seed")
    if most_draws == 1:
        return seeds
    return f"{_in_words(most_draws, least_draws, 'draw')} of the data, {seeds} each"


def _in_words(most: int, least: int, noun: str) -> str:
    if least < most:
        return f"{least} to {most} {noun}s"
    return f"1 {noun}" if most == 1 else f"{most} {noun}s"


def _ranking(numbers: dict[str, float]) -> str:
    by_number: dict[float, list[str]] = {}
    for label, number in numbers.items():
        by_number.setdefault(number, []).append(label)
    return " < ".join(" = ".join(by_number[number]) for number in sorted(by_number))
