"""A table as data: rows are runs, columns are measures, compared to the paper's numbers."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ftnoise.core.checks import count, expect, listed, positive
from ftnoise.core.errors import BadInput
from ftnoise.core.grid import Cell, Grid
from ftnoise.core.interfaces import Figure, Measure, Run
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.core.spec import JSON, canonical, digest


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: a run, with the paper's number for each column that has one.

    Args:
        name: of the row; the first of two or more words is the group of the row in the report.
        run: what is trained.
        paper: the printed number of each column that has one, by the column's name.
        cell: the value on each axis of its grid, if it is one of a grid's networks.
    """

    name: str
    run: Run
    paper: dict[str, float] = field(default_factory=dict)
    cell: Cell = field(default_factory=dict)

    def with_paper(self, **paper: float) -> Row:
        """The same run with other printed numbers, by column; with none by default."""
        return dataclasses.replace(self, paper=paper)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table: a scalar that `measure` returns.

    Args:
        name: of the column, and of the scalar unless `scalar` names it; a row whose measurement
            does not have it shows a dash.
        measure: what is evaluated for each run.
        title: the heading.
        unit: of the scalar; `%` is for shares in [0, 100].
        digits: digits after the decimal point.
        ranked: the report compares the order of the rows with the paper's.
        vacuous: a bound of at least this value is marked as one without content.
        upward: printed numbers are rounded up, as an upper bound has to be.
        scalar: name of the scalar, where several columns show that of one name.
        ends: names of the columns with the low and the high end of its 95 % interval. Where a table
            has them, they are in its cells, `84.6 [83.8, 85.3]`, instead of columns of their own.
    """

    name: str
    measure: Measure
    title: str
    unit: str = ""
    digits: int = 2
    ranked: bool = False
    vacuous: float | None = None
    upward: bool = False
    scalar: str = ""
    ends: tuple[str, str] | None = None

    def of(self, scalars: dict[str, float]) -> float | None:
        """Its number in a measurement, or None."""
        return scalars.get(self.scalar or self.name)

    def is_share(self, numbers: Sequence[float]) -> bool:
        """Whether these numbers are shares, so that their interval ends at 0 and 100 %."""
        return self.unit == "%" and all(0 <= number <= 100 for number in numbers)


def columns_of(
    measure: Measure, titles: Mapping[str, str | tuple[str, str, int]], **ends: tuple[str, str]
) -> tuple[Column, ...]:
    """A column for each scalar of a measure.

    `titles` has by the scalar's name a title, if it is in percent, or title, unit and digits;
    `ends` the names of the ends of its interval.
    """
    found = []
    for name, text in titles.items():
        title, unit, digits = (text, "%", 2) if isinstance(text, str) else text
        shown: Any = {"title": title, "unit": unit, "digits": digits, "ends": ends.get(name)}
        found.append(Column(name=name, measure=measure, **shown))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A table, and the figures drawn from it.

    With grids, its rows are all of their networks, from `scaled` on; the table in a report has a
    row for each grid, and the CSV file a line for each network.

    Args:
        name: its file's name, which is the command's argument and begins the report's files.
        title: what it shows.
        source: where the paper prints it.
        rows: the runs, each with a name of its own; none if there are grids.
        columns: the measures, each with a name of its own.
        notes: sentences under the table.
        figures: drawn from the same runs.
        adopts: its models are those of other tables. Published runs are copied, not trained again,
            unless their training has begun in the user's own runs folder.
        seeds: number of seeds unless the user gives one.
        presets: further ones, or in place of the common ones of the same names.
        minutes: measured cost on two cores by preset, in minutes, for the list.
        data_seeds: number of draws of a random data set; at least those of the preset.
        grids: each with a name of its own.
        keeps_weights: trained weights stay stored, so that a measure can be added without training.
    """

    name: str
    title: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    adopts: bool = False
    seeds: int = 1
    presets: tuple[Preset, ...] = ()
    minutes: dict[str, float] = field(default_factory=dict)
    data_seeds: int = 1
    grids: tuple[Grid, ...] = ()
    keeps_weights: bool = True

    def __post_init__(self) -> None:
        expect(
            isinstance(self.name, str) and re.fullmatch("[A-Za-z0-9_-]+", self.name) is not None,
            "an experiment named in letters, digits, _ and -",
            name=self.name,
        )
        count(seeds=self.seeds, data_seeds=self.data_seeds)
        positive(**self.minutes)
        kinds: dict[str, Sequence[Row | Column | Figure | Grid]] = {
            "rows": self.rows,
            "columns": self.columns,
            "figures": self.figures,
            "grids": self.grids,
        }
        empty = {"figures", "grids", *(["rows"] if self.grids else [])}
        for kind, items in kinds.items():
            names = [item.name for item in items]
            filled = len(names) > 0 or kind in empty
            expect(filled, f"{kind} of {self.name} not to be empty", **{kind: names})
            expect(len(set(names)) == len(names), f"{kind} with different names", **{kind: names})
        # A stored run is found by its form without the seed.
        forms: dict[str, str] = {}
        for row in self.rows:
            same = forms.setdefault(seedless(canonical(row.run)), row.name)
            expect(
                same == row.name,
                f"rows of {self.name} with different runs (give your own files different `name`s)",
                rows=[same, row.name],
            )
        units = {column.name: column.unit for column in self.columns}
        for row in self.rows:
            expect(
                row.paper.keys() <= units.keys(),
                f"paper numbers of known columns in {row.name}",
                paper=sorted(row.paper),
            )
        for figure in self.figures:
            figure.check([row.name for row in self.rows], units)

    def sampled(self, share: float) -> Experiment:
        """The same experiment with this share, in (0, 1], of the trainings of each grid.

        Raises:
            BadInput: it has no grid.
        """
        expect(
            len(self.grids) > 0,
            f"--sample with an experiment of grids, not {self.name}",
            share=share,
        )
        grids = tuple(dataclasses.replace(grid, share=share) for grid in self.grids)
        return dataclasses.replace(self, grids=grids)

    def _networks(self, preset: Preset) -> tuple[Row, ...]:
        """The rows of the grids, each run once: a preset can make stages equal."""
        found: dict[Run, Row] = {}
        for grid in self.grids:
            for cell in grid.cells(preset.trainings):
                name = " ".join([grid.name, *(f"{axis}={value}" for axis, value in cell.items())])
                run = grid.run(**cell).scaled(preset)
                found.setdefault(run, Row(name=name, run=run, cell=cell))
        return tuple(found.values())

    def scaled(self, preset: Preset) -> Experiment:
        """The whole experiment within the limits of a preset."""
        trains = preset.adopted or not self.adopts
        rows = tuple(
            dataclasses.replace(row, run=row.run.scaled(preset)) if trains else row
            for row in self.rows
        )
        return dataclasses.replace(
            self,
            rows=self._networks(preset) if self.grids else rows,
            columns=tuple(
                dataclasses.replace(column, measure=column.measure.scaled(preset))
                for column in self.columns
            ),
            figures=tuple(figure.scaled(preset) for figure in self.figures),
            data_seeds=max(preset.data_seeds, self.data_seeds),
        )

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
            BadInput: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise BadInput(
            f"Expected a row of {self.name} ({listed([row.name for row in self.rows])}). "
            f"Received: {name!r}."
        )

    @property
    def reproduces(self) -> bool:
        """Whether there is a paper's number."""
        return any(row.paper for row in self.rows)

    def matching(self, pattern: str | None) -> tuple[Row, ...]:
        """The rows whose names contain `pattern` or match it (`*trades`); None takes all.

        Several patterns are separated by commas.

        Raises:
            BadInput: no row matches one of them; the empty pattern matches none.
        """
        if pattern is None:
            return self.rows
        chosen = set()
        for one in pattern.split(","):
            names = {
                row.name
                for row in self.rows
                if one and (one in row.name or fnmatch.fnmatchcase(row.name, one))
            }
            if not names:
                known = listed([row.name for row in self.rows])
                raise BadInput(f"Expected rows to match one of: {known}. Received: {one!r}.")
            chosen |= names
        return tuple(row for row in self.rows if row.name in chosen)

    def only(self, pattern: str | None) -> Experiment:
        """The table of these rows (see `matching`), without figures; None is the whole.

        Grids stay whole, as their table has a row for each grid.
        """
        if pattern is None or self.grids:
            return self
        return dataclasses.replace(self, rows=self.matching(pattern), figures=())

    def preset(self, name: str) -> Preset:
        """Its own preset of that name, or else the common one; `BadInput` if there is neither."""
        presets = self.all_presets
        expect(name in presets, f"preset of {self.name} in {', '.join(presets)}", preset=name)
        return presets[name]

    @property
    def all_presets(self) -> dict[str, Preset]:
        """Its own presets and the common ones, by name."""
        return PRESETS | {own.name: own for own in self.presets}

    def draws(self, row: Row) -> list[Run]:
        """The run of a row on each draw of the data; the first is the row's own."""
        if self.data_seeds == 1:
            return [row.run]
        return [
            dataclasses.replace(row.run, data=row.run.data.redrawn(number))
            for number in range(self.data_seeds)
        ]

    def drawn(self) -> tuple[Measure, ...]:
        """The measures whose arrays its figures show, each once."""
        return tuple(dict.fromkeys(m for figure in self.figures for m in figure.measures))

    def measures(self) -> tuple[Measure, ...]:
        """The measures of each trained network, each once."""
        return self._measures

    @cached_property
    def _measures(self) -> tuple[Measure, ...]:
        return tuple(dict.fromkeys([*(c.measure for c in self.columns), *self.drawn()]))

    def others(self, run: Run) -> tuple[Run, ...]:
        """The other runs that this one's training and measures need, each once."""
        return run.others(self.measures())


def run_id(run: Run, data_digest: str) -> str:
    """`<slug>-<10 hex digits>`: the identity of a run on data of this content."""
    return f"{run.slug}-{digest({'run': canonical(run), 'data': data_digest})[:10]}"


def seedless(form: JSON) -> str:
    """SHA-256 (hex) of a run's canonical form without its seed, which the seeds of a row share."""
    return digest({name: value for name, value in form.items() if name != "seed"})
