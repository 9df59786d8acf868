"""The finished runs of an experiment, found in a store."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from ftnoise.core.experiment import Experiment, Row, seedless
from ftnoise.core.interfaces import DataSet, Run
from ftnoise.core.spec import JSON, canonical, digest
from ftnoise.store.folders import RunFolder, Store


@dataclass(frozen=True)
class StoredRun:
    """A finished run of a table: its row, its spec.json, and the number of the draw of its data."""

    row: Row
    run: Run
    folder: RunFolder
    spec: dict[str, JSON]
    draw: int = 0

    @property
    def name(self) -> str:
        """The row, and the seed unless it is the first."""
        return f"{self.row.name} (seed {self.run.seed})" if self.run.seed else self.row.name

    @property
    def data(self) -> tuple[DataSet, int | None, int | None]:
        """The data that it was trained on: runs that share it must have the same content of it."""
        return self.run.data, self.run.train_examples, self.run.test_examples

    @property
    def content(self) -> str:
        """The digest of the data's content."""
        return self.spec["data"]["digest"]

    @property
    def environments(self) -> list[dict[str, JSON]]:
        """Where it was trained; more than one if it was resumed in another environment."""
        return [*self.spec.get("earlier_environments", []), self.spec["environment"]]


def runs_of(
    experiment: Experiment, seeds: int | None, store: Store, preferred: Collection[str] = ()
) -> list[StoredRun]:
    """The finished runs of a table, row by row and seed by seed; with `seeds` None, all of them.

    All runs on the same data set are on the same content of it: where the store holds several, that
    of the preferred runs, given by their ids, or the one with most runs. The experiment is within
    the limits of its preset.
    """
    draws = {row.name: experiment.draws(row) for row in experiment.rows}
    # An id begins with the slug, which ends with the seed.
    beginnings = {run.slug.removesuffix(str(run.seed)) for runs in draws.values() for run in runs}
    by_form: dict[str, list[tuple[int, RunFolder, dict[str, JSON]]]] = {}
    for folder, spec in store.finished(beginnings):
        form = spec["run"]
        by_form.setdefault(seedless(form), []).append((form.get("seed", 0), folder, spec))
    found = []
    for row in experiment.rows:
        for draw, first in enumerate(draws[row.name]):
            hits = by_form.get(seedless(canonical(first)), [])
            for seed, folder, spec in sorted(hits, key=lambda hit: hit[0]):
                if (seeds is None or seed < seeds) and trained_on(first, spec):
                    run = dataclasses.replace(first, seed=seed)
                    found.append(StoredRun(row, run, folder, spec, draw))
    votes: dict[object, Counter[str]] = {}
    for stored in found:
        weight = len(found) if stored.folder.id in preferred else 1
        votes.setdefault(stored.data, Counter())[stored.content] += weight
    common = {data: max(sorted(count), key=count.__getitem__) for data, count in votes.items()}
    return [stored for stored in found if stored.content == common[stored.data]]


def trained_on(run: Run, spec: dict[str, JSON]) -> bool:
    """Whether a stored run of this form was on the data of `run`; see `DataSet.may_be`."""
    data = spec["data"]
    return run.data.may_be(data["digest"], data["source"], run.train_examples, run.test_examples)


def others_of(experiment: Experiment, runs: list[StoredRun], store: Store) -> list[StoredRun]:
    """The finished runs that these and their measures need and that are not among them."""
    wanted = {
        (digest(canonical(other)), stored.content): (stored.row, other)
        for stored in runs
        for other in experiment.others(stored.run)
    }
    own = {stored.folder.id for stored in runs}
    return [
        StoredRun(*wanted[key], folder, spec)
        for folder, spec in (store.finished() if wanted else ())
        if folder.id not in own and (key := (digest(spec["run"]), spec["data"]["digest"])) in wanted
    ]
