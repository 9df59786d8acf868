"""The stored results of an experiment next to the paper's numbers: all that a report is made of."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import ArrayFigure, Pairs
from ftnoise.core.preset import Preset
from ftnoise.core.spec import JSON, spec_id
from ftnoise.report.table import MISSING, PLUS_MINUS, VACUOUS, fixed, seeds_in_words
from ftnoise.stats import Summary, summarize
from ftnoise.store.lookup import StoredRun

if TYPE_CHECKING:
    from numpy import ndarray

# The number of the data's draw, and the seed: which of a row's runs a number comes from.
Key = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """The arrays and the info that a measure returned for the run with this seed."""

    seed: int
    arrays: Mapping[str, ndarray]
    info: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One number of the table: the paper's and ours, each None where there is none.

    With several draws of the data, ours is the mean over the means of the draws; its `count` is
    still the number of runs.
    """

    row: Row
    column: Column
    paper: float | None
    ours: Summary | None

    @property
    def difference(self) -> float | None:
        """Ours - paper; a difference of float rounding is 0. None where one is missing."""
        if self.ours is None or self.paper is None:
            return None
        same = math.isclose(self.ours.mean, self.paper, rel_tol=1e-12)
        return 0.0 if same else self.ours.mean - self.paper

    @property
    def printed(self) -> tuple[str, str, str]:
        """Paper, ours (`mean ± spread`) and the difference, with the column's digits."""
        digits, vacuous = self.column.digits, self.column.vacuous
        paper = fixed(self.paper, digits)
        if self.ours is None:
            return paper, MISSING, MISSING
        if vacuous is not None and self.ours.mean >= vacuous:
            return paper, VACUOUS, MISSING
        ours = fixed(self.ours.mean, digits)
        if self.ours.spread is not None:
            ours += PLUS_MINUS + fixed(self.ours.spread, digits)
        return paper, ours, fixed(self.difference, digits, "+")


@dataclass(frozen=True, eq=False)
class Results:
    """The stored results of an experiment under one preset.

    Args:
        experiment: the table.
        preset: the preset's name.
        values: by row name and column name, the finite number of each run, in the column's unit. A
            column that was not measured is absent; an empty one does not apply to the row.
        notes: lines about the runs, such as their machine.
        readings: by row name and measure id, the arrays that figures show, in the order of seeds;
            of the first draw of the data.

    Raises:
        BadInput: a figure cannot show the arrays.
    """

    experiment: Experiment
    preset: str
    values: Mapping[str, Mapping[str, Mapping[Key, float]]]
    notes: tuple[str, ...] = ()
    readings: Mapping[str, Mapping[str, Sequence[Reading]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for figure in self.experiment.figures:
            if isinstance(figure, ArrayFigure):
                self._check(figure)

    def _check(self, figure: ArrayFigure) -> None:
        """Expects the same x and shapes in arrays that are averaged or compared."""
        for rows in self.groups.values():
            first: JSON = None
            for row in rows.values():
                if not isinstance(figure, Pairs):
                    first = None
                for reading in self.shown(row, figure):
                    here = figure.shared(reading.arrays, reading.info)
                    first = here if first is None else first
                    expect(
                        here == first,
                        f"the same x and shapes in what {figure.name} takes together",
                        row=row.name,
                        seed=reading.seed,
                        first=first,
                        here=here,
                    )

    def shown(self, row: Row, figure: ArrayFigure) -> tuple[Reading, ...]:
        """The readings of a row that have all that a figure shows, by seed."""
        found = self.readings.get(row.name, {}).get(spec_id(figure.measure), ())
        return tuple(r for r in found if figure.has(r.arrays, r.info))

    @property
    def stem(self) -> str:
        """`<experiment>.<preset>`, the name of the report's files without their suffix."""
        return f"{self.experiment.name}.{self.preset}"

    @cached_property
    def groups(self) -> dict[str, dict[str, Row]]:
        """The rows by the first word of their names and the rest of it, if all have two words."""
        split = [(*row.name.partition(" "), row) for row in self.experiment.rows]
        if not all(rest for _, _, rest, _ in split):
            return {"": {row.name: row for row in self.experiment.rows}}
        found: dict[str, dict[str, Row]] = {}
        for group, _, rest, row in split:
            found.setdefault(group, {})[rest] = row
        return found

    def by_run(self, row: Row, column: Column) -> Mapping[Key, float]:
        """The numbers of a cell by the run that each comes from."""
        return self.values.get(row.name, {}).get(column.name, {})

    @cached_property
    def draws(self) -> int:
        """The number of draws of the data that there are results of, at least 1."""
        by_row = self.values.values()
        keys = (key for columns in by_row for found in columns.values() for key in found)
        return len({draw for draw, _ in keys}) or 1

    def by_draw(self, row: Row, column: Column) -> dict[int, list[float]]:
        """The numbers of a cell by the draw of the data."""
        found: dict[int, list[float]] = {}
        for (draw, _), number in self.by_run(row, column).items():
            found.setdefault(draw, []).append(number)
        return found

    def _sample(self, row: Row, column: Column) -> list[float]:
        """The independent numbers of a cell: seeds of one draw share its data."""
        if self.draws == 1:
            return [*self.by_run(row, column).values()]
        return [statistics.fmean(numbers) for numbers in self.by_draw(row, column).values()]

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row and a column."""
        sample = self._sample(row, column)
        ours = summarize(sample) if sample else None
        if ours and self.draws > 1:
            ours = replace(ours, count=len(self.by_run(row, column)))
        return Cell(row, column, row.paper.get(column.name), ours)

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
        """The columns with numbers of the paper, and the others; an empty kind is left out."""
        columns = self.experiment.columns
        with_paper = tuple(column for column in columns if self.has_paper(column))
        others = tuple(column for column in columns if not self.has_paper(column))
        return tuple(kind for kind in (with_paper, others) if kind)

    def orders(self) -> list[tuple[Column, str, str, str]]:
        """Ranked column, group, the paper's order of its rows and ours, `a < b = c`.

        Only groups with two rows that have both numbers.
        """
        found = []
        for column in self.experiment.columns:
            for group, rows in self.groups.items() if column.ranked else ():
                cells = {label: self.cell(row, column) for label, row in rows.items()}
                both = {
                    label: (cell.paper, cell.ours.mean)
                    for label, cell in cells.items()
                    if cell.paper is not None and cell.ours is not None
                }
                if len(both) > 1:
                    orders = [_order(both, side, column.digits) for side in (0, 1)]
                    found.append((column, group, orders[0], orders[1]))
        return found

    def seeds(self) -> str:
        """The number of seeds of each row, in words."""
        rows: dict[tuple[int, int, int, int], list[str]] = {}
        for row in self.experiment.rows:
            columns = [self.by_draw(row, column) for column in self.experiment.columns]
            counts = [len(numbers) for draws in columns for numbers in draws.values()]
            if counts:
                draws = [len(draws) for draws in columns if draws]
                kind = (max(counts), min(counts), max(draws), min(draws))
                rows.setdefault(kind, []).append(row.name)
        if len(rows) < 2:
            return seeds_in_words(*next(iter(rows))) if rows else "no result yet"
        parts = []
        for kind in sorted(rows, reverse=True):
            names: list[str] = []
            for group, members in self.groups.items():
                having = [row.name for row in members.values() if row.name in rows[kind]]
                whole = group and len(having) == len(members)
                names += [group] if whole else having
            parts.append(f"{seeds_in_words(*kind)} for {', '.join(names)}")
        return "; ".join(parts)

    def legend(self) -> str:
        """A few sentences that explain the numbers of the table."""
        spread = any(map(self.has_spread, self.experiment.columns))
        text = f"Ours: {self.seeds()}."
        if spread:
            over = "seeds"
            if self.draws > 1:
                over = "draws of the data, the number of a draw being the mean over its seeds"
            text = f"Ours: mean ± sample standard deviation over {over} ({self.seeds()})."
        if any(map(self.has_paper, self.experiment.columns)):
            text += " Difference: ours minus paper."
        if spread:
            text += " The CSV file and the figure have the 95 % t intervals of the means."
        cells = [self.by_run(cell.row, cell.column) for cell in self.cells()]
        measured = sum(map(len, self.values.values()))
        if measured > sum(map(bool, cells)):
            text += " A number that does not apply to a row is a dash."
        missing = len(cells) - measured
        return text + (f" {missing} of {len(cells)} numbers are missing." if missing else "")


def _order(both: Mapping[str, tuple[float, float]], side: int, digits: int) -> str:
    """The labels by their numbers as printed: equal ones are ties."""
    labels: dict[float, list[str]] = {}
    for label, pair in both.items():
        labels.setdefault(round(pair[side], digits), []).append(label)
    return " < ".join(" = ".join(labels[number]) for number in sorted(labels))


def results(experiment: Experiment, preset: Preset, runs: Sequence[StoredRun]) -> Results:
    """Reads the measurements of stored runs.

    Args:
        experiment: the table, within the limits of `preset`.
        preset: for the name and the notes.
        runs: finished runs, by row, draw and seed.
    """
    values: dict[str, dict[str, dict[Key, float]]] = {}
    readings: dict[str, dict[str, list[Reading]]] = {}
    for run in runs:
        cells = values.setdefault(run.row.name, {})
        scalars = {
            measure: run.folder.read_measure(spec_id(measure))
            for measure in dict.fromkeys(column.measure for column in experiment.columns)
        }
        for column in experiment.columns:
            if (found := scalars[column.measure]) is not None:
                cell = cells.setdefault(column.name, {})
                if column.name in found:
                    cell[run.draw, run.run.seed] = found[column.name]
        for id in map(spec_id, experiment.drawn() if run.draw == 0 else ()):
            arrays, info = run.folder.read_measure_arrays(id), run.folder.read_measure_info(id)
            if arrays is not None and info is not None:
                by_measure = readings.setdefault(run.row.name, {})
                by_measure.setdefault(id, []).append(Reading(run.run.seed, arrays, info))
    values = {row: cells for row, cells in values.items() if cells}
    lines = tuple(notes(experiment, preset, runs))
    return Results(experiment, preset.name, values, lines, readings)


def notes(experiment: Experiment, preset: Preset, runs: Sequence[StoredRun]) -> list[str]:
    """Lines about the runs: preset, data, machine, red flags of measures."""
    lines = []
    if preset.name != "paper":
        summary = preset.summary
        if experiment.adopts and not preset.adopted:
            summary = (
                f"{preset.trials} fault trials, {preset.attacked:,} attacked examples, "
                "on models of the whole protocol"
            )
        full = "" if preset.whole else " The paper's numbers are of its full protocol."
        lines.append(f"Preset {preset.name}: {summary}.{full}")
    if preset.secret_key:
        lines.append("Measurements on training examples are exact: no epsilon covers them.")
    machines = [
        _machine(where)
        for run in runs
        for where in (*run.spec.get("earlier_environments", ()), run.spec["environment"])
    ]
    data = [f"{run.run.data.slug} from {run.spec['data']['source']}" for run in runs]
    for label, found in (("Data", data), ("Machine", machines)):
        if found:
            lines.append(f"{label}: {'; '.join(sorted({*found}))}.")
    for run in runs:
        seed = f" (seed {run.run.seed})" if run.run.seed else ""
        for measure in experiment.measures():
            info = run.folder.read_measure_info(spec_id(measure))
            flags = () if info is None else measure.red_flags(info)
            lines += [f"Red flag, {run.row.name}{seed}: {text}" for text in flags]
    return lines


def _machine(environment: dict[str, Any]) -> str:
    where = ", ".join(environment["gpus"]) or environment["processor"]
    threads = environment["threads"]
    plural = "" if threads == 1 else "s"
    return f"{where}, {threads} thread{plural}, TensorFlow {environment['tensorflow']}"
