"""Publishing: a table's finished runs are copied into a store that anybody can redraw it from."""

from __future__ import annotations

import json
from pathlib import Path

from ftnoise.core.checks import listed
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment
from ftnoise.core.files import TEMPORARIES, failing, read_bytes, write_json
from ftnoise.core.spec import JSON, spec_id
from ftnoise.store.folders import RunFolder, Store
from ftnoise.store.lookup import others_of, runs_of

ENVIRONMENTS = "environment.json"  # first written, so that it marks a folder of published runs


def publish(
    experiment: Experiment,
    seeds: int | None,
    store: Store,
    target: Store,
    weights: int | None = None,
) -> None:
    """Copies a table's finished runs, and those that they need, into `target`.

    `ENVIRONMENTS` there lists the environment of each run that is not packed, or the list of them
    where there were several; what was published there before stays. The experiment is within the
    limits of its preset.

    `seeds` is the number of seeds, `weights` that of seeds whose weights are copied, too, on the
    first draw of the data; None is all. Runs without weights are packed, unless a figure shows
    arrays of them, or they have a folder in `target`.

    Raises `BadInput` if there are no finished runs, one of them would replace another private
    release, or `target` is neither new, nor empty, nor published.
    """
    _check(target.root)
    if target.root.resolve() == store.root.resolve():
        raise BadInput(f"Expected --to to be another folder than --runs. Received: {target.root}.")
    runs = runs_of(experiment, seeds, store)
    if not runs:
        raise BadInput(
            f"Expected finished runs of {experiment.name} in {store.root}. Received: none."
        )
    target.prepare()
    runs += others_of(experiment, runs, store)
    for stored in runs:
        refuse_second_release(stored.folder, target.run(stored.folder.id))
    file = target.root / ENVIRONMENTS
    try:
        published = json.loads(read_bytes(file))
    except (OSError, ValueError):
        published = None
    published = published if isinstance(published, dict) else {}
    write_json(file, published)
    environments, light = {}, []
    shown = [spec_id(measure) for measure in experiment.drawn()]
    for stored in runs:
        wanted = weights is None or (stored.draw == 0 and stored.run.seed < weights)
        whole = stored.spec.get("weights", True) and wanted
        reads = stored.folder.read_measure_arrays
        kept = target.run(stored.folder.id).has_files()
        if whole or kept or (stored.draw == 0 and any(map(reads, shown))):
            stored.folder.copy_to(target, weights=whole)
            environments[stored.folder.id] = stored.environments
        else:
            light.append(stored.folder)
    if light:
        target.pack(light)
    published |= {id: many if len(many) > 1 else many[0] for id, many in environments.items()}
    write_json(file, dict(sorted(published.items())))


def refuse_second_release(here: RunFolder, there: RunFolder) -> None:
    """Refuses to replace a published private training by another one, whose ledger lacks the first.

    Each of the two is a release, so that the epsilon of either ledger would not cover both.
    """
    published = releases(there)
    # Without weights a copy was interrupted or damaged, and is completed.
    completes = there.weights_digest() in (None, here.weights_digest())
    if published and not (completes and published == releases(here)):
        raise BadInput(
            "Expected no other private training of a run where it is published: both are releases, "
            "and the ledger of one does not count the other. Publish it elsewhere, and count both. "
            f"Received: {there.path}, which holds another one."
        )


def releases(folder: RunFolder) -> list[JSON]:
    """What the gradients of a run and its parts announced as released; empty if nothing."""
    spec = folder.spec() or {}
    parts = (spec, *spec.get("parts", {}).values())
    return [part["gradients"] for part in parts if part.get("gradients")]


def _check(target: Path) -> None:
    """Raises `BadInput` unless the folder is new, empty, or one of published runs."""
    if target.is_dir() and not (target / ENVIRONMENTS).is_file():
        with failing("read", target):
            names = [one.name for one in target.iterdir() if not one.match(TEMPORARIES)]
        if names:
            raise BadInput(
                "Expected --to to be a new or empty folder, or one that publish has made. "
                f"Received: {target}, which holds {listed(sorted(names))}."
            )
