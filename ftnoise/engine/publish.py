"""Publishing: a table's finished runs are copied into a store that anybody can redraw it from."""

from __future__ import annotations

import json

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment
from ftnoise.core.files import write_json
from ftnoise.store.folders import Store
from ftnoise.store.lookup import others_of, runs_of


def publish(experiment: Experiment, seeds: int | None, store: Store, target: Store) -> None:
    """Copies a table's finished runs, and those that their measures need, into `target`.

    `environment.json` there lists the environment of each run, or the list of them where there
    were several; what was published there before stays.

    Raises:
        BadInput: there are no finished runs.
    """
    runs = runs_of(experiment, seeds, store)
    if not runs:
        raise BadInput(
            f"Expected finished runs of {experiment.name} in {store.root}. Received: none."
        )
    target.prepare()
    runs += others_of(experiment, runs, store)
    for stored in runs:
        stored.folder.copy_to(target)
    file = target.root / "environment.json"
    try:
        published = json.loads(file.read_bytes())
    except (OSError, ValueError):
        published = None
    published = published if isinstance(published, dict) else {}
    environments = {stored.folder.id: stored.environments for stored in runs}
    published |= {id: many if len(many) > 1 else many[0] for id, many in environments.items()}
    write_json(file, dict(sorted(published.items())))
