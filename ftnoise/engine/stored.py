"""What is stored of a table: its finished runs, ready to be drawn or published."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment, seedless
from ftnoise.core.preset import Preset
from ftnoise.core.spec import canonical, digest
from ftnoise.engine.plan import Task, check_seeds

if TYPE_CHECKING:
    from ftnoise.store.folders import RunFolder, Store


@dataclass(frozen=True)
class Stored:
    """A finished run of a table, found in the store; `draw` is the number of its data's draw."""

    task: Task
    folder: RunFolder
    spec: dict[str, Any]
    draw: int = 0

    @property
    def dataset(self) -> tuple[Any, int | None, int | None]:
        """Which data it asks for: runs that ask for the same have to get the same."""
        run = self.task.run
        return run.data, run.train_examples, run.test_examples

    @property
    def content(self) -> str:
        """The digest of the data that it got."""
        return self.spec["data"]["digest"]

    @property
    def environments(self) -> list[dict[str, Any]]:
        """Where it was trained; more than one if it went on in another environment."""
        return [*self.spec.get("earlier_environments", []), self.spec["environment"]]


def runs_of(
    experiment: Experiment,
    preset: Preset,
    seeds: int | None,
    store: Store,
    preferred: Collection[str] = (),
) -> list[Stored]:
    """The finished runs of a table, row by row and seed by seed.

    All runs on the same data set are on the same content of it: where the store holds several,
    that of the preferred runs, or the one with most runs.

    Args:
        experiment: the table.
        preset: how much of the protocol.
        seeds: number of seeds, or None for all that are there.
        store: where to look.
        preferred: ids of runs.
    """
    check_seeds(seeds)
    by_form: dict[str, list[tuple[int, RunFolder, dict[str, Any]]]] = {}
    asked = [run for row in experiment.rows for run in preset.runs(experiment, row)]
    # An id begins with the slug, which ends with the seed.
    beginnings = {run.slug.removesuffix(str(run.seed)) for run in asked}
    for folder, spec in store.finished(beginnings):
        form = spec["run"]
        by_form.setdefault(seedless(form), []).append((form.get("seed", 0), folder, spec))
    found: list[Stored] = []
    for row in experiment.rows:
        for draw, first in enumerate(preset.runs(experiment, row)):
            hits = by_form.get(seedless(canonical(first)), [])
            for seed, folder, spec in sorted(hits, key=lambda hit: hit[0]):
                if seeds is None or seed < seeds:
                    task = Task(row, dataclasses.replace(first, seed=seed))
                    found.append(Stored(task, folder, spec, draw))
    votes: dict[Any, Counter[str]] = {}
    for run in found:
        weight = len(found) if run.folder.id in preferred else 1
        votes.setdefault(run.dataset, Counter())[run.content] += weight
    common = {
        dataset: max(sorted(count), key=count.__getitem__) for dataset, count in votes.items()
    }
    return [run for run in found if run.content == common[run.dataset]]


def publish(
    experiment: Experiment, preset: Preset, seeds: int | None, store: Store, target: Store
) -> None:
    """Copies a table's finished runs (spec, weights, measures) into `target`.

    With them go the runs that their measures need, so that they can be measured again. The copy is
    a store itself: whoever has it can redraw the table and use the weights. Its environment.json
    has the environment of each run, or the list of them where there were several; what was
    published there before stays.
    """
    from ftnoise.core.files import write_json

    runs = runs_of(experiment, preset, seeds, store)
    if not runs:
        raise BadInput(
            f"Expected finished {preset.name} runs of {experiment.name} in {store.root}. "
            "Received: none."
        )
    target.prepare()
    runs += beside(experiment, runs, store)
    for run in runs:
        run.folder.copy_to(target)
    file = target.root / "environment.json"
    environments = _published(file) | {
        run.folder.id: run.environments if len(run.environments) > 1 else run.environments[0]
        for run in runs
    }
    write_json(file, dict(sorted(environments.items())))


def beside(experiment: Experiment, runs: list[Stored], store: Store) -> list[Stored]:
    """The finished runs that the measures of these need, without those that are among them."""
    wanted = {
        (digest(canonical(other)), run.content): Task(run.task.row, other, beside=True)
        for run in runs
        for other in experiment.others(run.task.run)
    }
    own = {run.folder.id for run in runs}
    return [
        Stored(wanted[key], folder, spec)
        for folder, spec in (store.finished() if wanted else ())
        if folder.id not in own and (key := (digest(spec["run"]), spec["data"]["digest"])) in wanted
    ]


def _published(file: Path) -> dict[str, Any]:
    """The environments of what was published before, as far as they can be read."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
