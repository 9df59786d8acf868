"""The stored results of an experiment next to the paper's numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean

from ftnoise.core.checks import expect, listed
from ftnoise.core.errors import printable
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import ArrayFigure, Pairs
from ftnoise.core.interfaces import Measure
from ftnoise.core.lazy import np
from ftnoise.core.preset import Preset
from ftnoise.core.spec import JSON, spec_id
from ftnoise.report.table import MISSING, PLUS_MINUS, VACUOUS, fixed, seeds_in_words
from ftnoise.stats import Summary, summarize
from ftnoise.store.lookup import StoredRun

# The number of the data's draw, and the seed: which of a row's runs a number comes from.
Key = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """The arrays and the info that a measure returned for the run with this seed."""

    seed: int
    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, JSON] = field(default_factory=dict)


def mean_over_seeds(readings: Sequence[Reading], name: str) -> np.ndarray:
    """The mean of an array over the seeds."""
    return np.mean([one.arrays[name] for one in readings], axis=0, dtype=np.float64)


@dataclass(frozen=True)
class Cell:
    """One number of the table: the paper's and ours, each None where there is none.

    With several draws of the data, ours is the mean over the means of the draws; its `count` is
    still the number of runs. `ends` are those of its interval, the means over seeds.
    """

    row: Row
    column: Column
    paper: float | None
    ours: Summary | None
    ends: tuple[float, float] | None = None

    def number(self, ours: bool) -> float | None:
        """The mean of ours, or else the paper's number."""
        if ours:
            return None if self.ours is None else self.ours.mean
        return self.paper

    @property
    def difference(self) -> float | None:
        """Ours - paper; a difference of float rounding is 0. None where one is missing."""
        if self.ours is None or self.paper is None:
            return None
        same = math.isclose(self.ours.mean, self.paper, rel_tol=1e-12)
        return 0.0 if same else self.ours.mean - self.paper

    @property
    def printed(self) -> tuple[str, str, str]:
        """Paper, ours (`mean ± spread [low, high]`), difference, with the column's digits."""
        digits, vacuous = self.column.digits, self.column.vacuous
        paper = fixed(self.paper, digits)
        if self.ours is None:
            return paper, MISSING, MISSING
        if vacuous is not None and self.ours.mean >= vacuous:
            return paper, VACUOUS, MISSING
        ours = fixed(self.ours.mean, digits, upward=self.column.upward)
        if self.ours.spread:  # that of a number which no seed changes is left out
            ours += PLUS_MINUS + fixed(self.ours.spread, digits)
        if self.ends is not None:
            ours += f" [{', '.join(fixed(end, digits) for end in self.ends)}]"
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
    """

    experiment: Experiment
    preset: str
    values: Mapping[str, Mapping[str, Mapping[Key, float]]]
    notes: tuple[str, ...] = ()
    readings: Mapping[str, Mapping[str, Sequence[Reading]]] = field(default_factory=dict)

    def shown(self, figure: ArrayFigure) -> dict[str, list[Reading]]:
        """The readings with all arrays and info that a figure shows, by the names of its rows.

        Raises:
            BadInput: an array has not the axes that the figure needs, or arrays that are averaged
                or compared differ in their x or shapes.
        """
        found: dict[str, list[Reading]] = {}
        first: dict[str, JSON] = {}
        for group, _, row in self.rows:
            for one in self.readings.get(row.name, {}).get(spec_id(figure.measure), ()):
                if {*figure.arrays} - {*one.arrays} or {*figure.info} - {*one.info}:
                    continue
                here = [one.arrays[name].tolist() for name in figure.coordinates]
                here += [_lengths(figure, one)]
                here += [one.info[name] for name in figure.info]
                known = first.setdefault(group if isinstance(figure, Pairs) else row.name, here)
                expect(
                    here == known,
                    f"the same x and shapes in what {figure.name} takes together",
                    row=row.name,
                    seed=one.seed,
                    first=known,
                    here=here,
                )
                found.setdefault(row.name, []).append(one)
        labels = {row.name: label for _, label, row in self.rows}
        return {n: found[n] for n in found if not figure.rows or labels[n] in figure.rows}

    @cached_property
    def groups(self) -> dict[str, dict[str, Row]]:
        """The rows by the first word of their names and the rest of it, if all have two words."""
        rows = self.experiment.rows
        if not all(" " in row.name for row in rows):
            return {"": {row.name: row for row in rows}}
        found: dict[str, dict[str, Row]] = {}
        for row in rows:
            group, _, rest = row.name.partition(" ")
            found.setdefault(group, {})[rest] = row
        return found

    @property
    def rows(self) -> list[tuple[str, str, Row]]:
        """Group, label in the group and row, group by group."""
        return [(group, *one) for group, rows in self.groups.items() for one in rows.items()]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table, without those of ends of intervals."""
        ends = {name for column in self.experiment.columns for name in self.ends(column)}
        return tuple(column for column in self.experiment.columns if column.name not in ends)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.experiment.columns if column.name == name)

    def by_run(self, row: Row, column: Column) -> Mapping[Key, float]:
        """The numbers of a cell by the run that each comes from."""
        return self.values.get(row.name, {}).get(column.name, {})

    def by_draw(self, row: Row, column: Column) -> dict[int, list[float]]:
        """The numbers of a cell by the draw of the data."""
        found: dict[int, list[float]] = {}
        for (draw, _), number in self.by_run(row, column).items():
            found.setdefault(draw, []).append(number)
        return found

    @cached_property
    def draws(self) -> int:
        """The number of draws of the data that there are results of, at least 1."""
        draws = {draw for cell in self.cells() for draw in self.by_draw(*cell)}
        return len(draws) or 1

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row and a column."""
        by_draw = self.by_draw(row, column).values()
        sample = numbers = [number for draw in by_draw for number in draw]
        if self.draws > 1:  # seeds of one draw share its data, so they are not independent
            sample = [fmean(draw) for draw in by_draw]
        ours = replace(summarize(sample), count=len(numbers)) if sample else None
        if ours and ours.low is not None and ours.high is not None and column.is_share(sample):
            ours = replace(ours, low=max(ours.low, 0.0), high=min(ours.high, 100.0))
        ends = [self.by_run(row, self.column(name)).values() for name in self.ends(column)]
        found = (fmean(ends[0]), fmean(ends[1])) if ours and all(ends) and ends else None
        return Cell(row, column, row.paper.get(column.name), ours, found)

    def ends(self, column: Column) -> tuple[str, ...]:
        """The names of the columns with the ends of its interval, where the table has them."""
        return column.ends if column.ends and self._names.issuperset(column.ends) else ()

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.experiment.columns)

    def cells(self) -> Iterator[tuple[Row, Column]]:
        """All cells, row by row."""
        return itertools.product(self.experiment.rows, self.experiment.columns)

    def has_paper(self, column: Column) -> bool:
        """Whether the paper has a number for the column in any row."""
        return any(column.name in row.paper for row in self.experiment.rows)

    def has_spread(self, column: Column) -> bool:
        """Whether a cell of the column has a spread over seeds or draws of the data."""
        cells = [self.cell(row, column).ours for row in self.experiment.rows]
        return any(ours is not None and ours.spread is not None for ours in cells)

    def kinds(self) -> tuple[tuple[Column, ...], ...]:
        """The columns with numbers of the paper, and the others; an empty kind is left out.

        Ends of intervals are in the cells of their columns.
        """
        columns = self.columns
        kinds = (filter(self.has_paper, columns), itertools.filterfalse(self.has_paper, columns))
        return tuple(kind for kind in map(tuple, kinds) if kind)

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
        parts = []
        for kind in sorted(rows, reverse=True):
            names: list[str] = []
            for group, members in self.groups.items():
                having = [row.name for row in members.values() if row.name in rows[kind]]
                names += [group] if group and len(having) == len(members) else having
            words = seeds_in_words(kind[:2], kind[2:])
            parts.append(f"{words} for {', '.join(names)}" if len(rows) > 1 else words)
        return "; ".join(parts) or "no result yet"

    def legend(self) -> str:
        """A few sentences that explain the numbers of the table."""
        spread = any(map(self.has_spread, self.columns))
        text = f"{self.seeds()}."
        if spread:
            over = "seeds"
            if self.draws > 1:
                over = "draws of the data, the number of a draw being the mean over its seeds"
            text = f"Mean ± sample standard deviation over {over} ({self.seeds()})."
        if self.experiment.reproduces:
            text = f"Ours: {text[0].lower()}{text[1:]} Difference: ours minus paper."
        if spread:
            text += " The CSV file and the figure have the 95 % t intervals of the means."
        if any(map(self.ends, self.columns)):
            text += " In brackets: the 95 % interval of the number for its network"
            text += ", the mean over seeds." if spread else "."
        cells = [self.by_run(*cell) for cell in self.cells()]
        measured = sum(map(len, self.values.values()))
        if measured > sum(map(bool, cells)):
            text += " A number that does not apply to a row is a dash."
        missing = len(cells) - measured
        return text + (f" {missing} of {len(cells)} numbers are missing." if missing else "")


def results(experiment: Experiment, preset: Preset, runs: Sequence[StoredRun]) -> Results:
    """Reads the measurements of stored runs.

    Args:
        experiment: the table, within the limits of `preset`.
        preset: for the name and the notes.
        runs: finished runs, by row, draw and seed.
    """
    values: dict[str, dict[str, dict[Key, float]]] = {}
    returned: dict[Measure, set[str]] = {}
    readings: dict[str, dict[str, list[Reading]]] = {}
    for run in runs:
        folder = run.folder
        for measure in dict.fromkeys(column.measure for column in experiment.columns):
            if (scalars := folder.read_measure(spec_id(measure))) is None:
                continue
            returned.setdefault(measure, set()).update(scalars)
            for column in experiment.columns:
                if column.measure == measure:
                    cell = values.setdefault(run.row.name, {}).setdefault(column.name, {})
                    if (number := column.of(scalars)) is not None:
                        cell[run.draw, run.run.seed] = number
        for id in map(spec_id, experiment.drawn() if run.draw == 0 else ()):
            arrays, info = folder.read_measure_arrays(id), folder.read_measure_info(id)
            if arrays is not None and info is not None:
                by_measure = readings.setdefault(run.row.name, {})
                by_measure.setdefault(id, []).append(Reading(run.run.seed, arrays, info))
    lines = notes(experiment, preset, runs)
    for column in experiment.columns:
        names = returned.get(column.measure, set())
        if names and column.of(dict.fromkeys(names, 0.0)) is None:
            kind, found = type(column.measure).__name__, listed(sorted(names))
            lines.append(printable(f"Column {column.name} is empty: {kind} returned {found}."))
    return Results(experiment, preset.name, values, tuple(lines), readings)


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
        part = experiment.reproduces and not preset.whole
        full = " The paper's numbers are of its full protocol." if part else ""
        lines.append(f"Preset {preset.name}: {summary}.{full}")
    if preset.secret_key:
        lines.append("Measurements on training examples are exact: no epsilon covers them.")
    data = {f"{run.run.data.slug} from {run.spec['data']['source']}" for run in runs}
    machines = {_machine(environment) for run in runs for environment in run.environments}
    lines += [f"Data: {'; '.join(sorted(data))}."] if data else []
    lines += [f"Machine: {'; '.join(sorted(machines))}."] if machines else []
    for run in runs:
        for measure in experiment.measures():
            info = run.folder.read_measure_info(spec_id(measure))
            flags = () if info is None else measure.red_flags(info)
            lines += [f"Red flag, {run.name}: {text}" for text in flags]
    return [printable(line) for line in lines]


def _machine(environment: dict[str, JSON]) -> str:
    where = ", ".join(environment["gpus"]) or environment["processor"]
    threads = environment["threads"]
    plural = "" if threads == 1 else "s"
    return f"{where}, {threads} thread{plural}, TensorFlow {environment['tensorflow']}"


def _lengths(figure: ArrayFigure, one: Reading) -> dict[str, int]:
    """The length of each axis of the arrays that are shown.

    Raises:
        BadInput: an array has other axes, or the x are not finite and different.
    """
    lists = {name: one.info[name] for name in figure.info}
    lengths = {name: len(found) for name, found in lists.items() if isinstance(found, list)}
    lengths["2"] = 2
    for name, axes in figure.arrays.items():
        array = one.arrays[name]
        known = tuple(lengths.setdefault(a, n) for a, n in zip(axes, array.shape, strict=False))
        fits = array.ndim == len(axes) and array.shape == known and array.size > 0
        expect(
            fits and array.dtype.kind in "biuf",
            f"real numbers {name} [{', '.join(axes)}] for {figure.name}",
            shape=array.shape,
            dtype=str(array.dtype),
        )
    expect(lengths.get("draws", 2) > 1, f"at least two draws for {figure.name}", **lengths)
    x = one.arrays[figure.x].tolist()
    different = all(map(math.isfinite, x)) and len({*x}) == len(x)
    expect(different, f"finite, different {figure.x} for {figure.name}", x=x)
    return lengths
