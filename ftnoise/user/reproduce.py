"""Reproduce a table or figure from Python, as `./reproduce.sh table5` does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import count, instance, path
from ftnoise.core.data import Sources
from ftnoise.core.errors import RunFailed
from ftnoise.core.experiment import Experiment
from ftnoise.core.lazy import pandas
from ftnoise.user.catalog import experiment as named

if TYPE_CHECKING:
    from ftnoise.report import Results
    from ftnoise.store.folders import Store

# The checkout's published runs.
REFERENCES = Path(__file__).resolve().parents[2] / "runs" / "reference"


def published(experiment: Experiment) -> list[Store]:
    """The stores of published runs that an experiment adopts."""
    from ftnoise.store.folders import Store

    return [Store(REFERENCES)] if experiment.adopts else []


@dataclass(frozen=True, kw_only=True, eq=False)
class ReproductionResult:
    """A table next to the paper's numbers; printing it gives the table.

    Attributes:
        results: the number of each run; see `report.results.Results`.
    """

    results: Results

    @cached_property
    def lines(self) -> pandas.DataFrame:
        """A line for each row and column of the table, as in its CSV file.

        Columns: `row`, `measure` (name of the table's column), `unit`, `paper`, `ours` (mean over
        seeds), `spread` (sample standard deviation), `low` and `high` (95 % t interval of the
        mean), `seeds`, `difference` (ours minus paper). Grids have a line for each network.
        """
        from ftnoise.report.page import sections

        section = sections(self.results)[0]
        return pandas.DataFrame(list(section.lines), columns=list(section.header))

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Writes the table as .md, .html, .tex and .csv and all pictures; returns the paths."""
        from ftnoise import report

        path(folder=folder)
        return report.write(self.results, Path(folder))

    def __str__(self) -> str:
        """The table and its notes, 100 characters wide."""
        from ftnoise import report

        return report.terminal(self.results, 100, False)


def reproduce(
    experiment: str | Experiment,
    *,
    preset: str = "paper",
    rows: str | None = None,
    seeds: int | None = None,
    runs: str | os.PathLike[str] | None = None,
) -> ReproductionResult:
    """Trains and measures what is missing of a table, and returns it next to the paper's numbers.

    What is stored is used, whether the command line or Python made it, and an interrupted call
    resumes.

    Args:
        experiment: a name, such as `"table5"`; the path of a file with a value `EXPERIMENT`; or an
            `Experiment`.
        preset: "paper" (the whole protocol, often hours), "quick" (minutes), "smoke", or one of the
            experiment's own.
        rows: only rows whose name contains this text or matches it as a pattern (`"*trades"`), and
            no figures; a table of grids is returned whole.
        seeds: number of trainings of each row, >= 1; by default what the table needs.
        runs: see `train`.

    Raises:
        BadInput: there is no such experiment, preset or row, or an argument does not fit.
        RunFailed: runs failed; what the others gave is stored.
    """
    from ftnoise import report
    from ftnoise.engine import plan
    from ftnoise.engine.executor import Engine
    from ftnoise.store.folders import Store, default_root
    from ftnoise.store.lookup import runs_of

    if not isinstance(experiment, Experiment):
        instance((str, os.PathLike), "an experiment or its name", experiment=experiment)
        experiment = named(os.fspath(experiment))
    count(optional=True, seeds=seeds)
    if runs is not None:
        path(runs=runs)
    limits = experiment.preset(preset)
    whole = experiment.scaled(limits)
    tasks = plan.tasks(whole, seeds or whole.seeds, rows)
    store = Store(default_root() if runs is None else Path(runs))
    store.prepare()
    engine = Engine(
        whole,
        tasks,
        store,
        Sources.from_environment(),
        references=published(whole),
        keep_weights=whole.keeps_weights,
    )
    engine.adopt()
    if failures := engine.run():
        raise RunFailed(f"{len(failures)} of {len(tasks)} runs failed, the first: {failures[0]}")
    own = {engine.folder(task).id for task in tasks}
    part = whole.only(rows)
    found = runs_of(part, seeds or whole.seeds, store, own)
    return ReproductionResult(results=report.results(part, limits, found))
