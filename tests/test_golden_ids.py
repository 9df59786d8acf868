"""What is stored is found again: the ids of all runs and measures are those written down.

An id that changes without intent orphans finished runs. Where it is intended (a value of a row, a
`revision`, a preset), write the ids anew and read the difference:

    python -m tests.test_golden_ids
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from ftnoise import cli
from ftnoise.presets import PRESETS
from ftnoise.spec import canonical, run_id, spec_id

GOLDEN = Path(__file__).with_name("golden_ids.json")
DIGEST = "0" * 64


def fields() -> dict:
    """All fields of every row, defaults included: an id says nothing of a default that changed."""
    return {
        f"{name}/{row.name}": canonical(row.run, everything=True)
        for name in cli.names()
        for row in importlib.import_module(f"ftnoise.experiments.{name}").EXPERIMENT.rows
    }


def current() -> dict:
    """The ids of every experiment, on data with the digest `DIGEST`."""
    ids = {}
    for name in cli.names():
        experiment = importlib.import_module(f"ftnoise.experiments.{name}").EXPERIMENT
        ids[name] = {
            "measures": {
                **{c.name: spec_id(c.measure) for c in experiment.columns},
                **{p.name: spec_id(m) for p in experiment.pictures for m in p.measures},
            },
            "runs": {
                preset.name: {
                    row.name: run_id(preset.apply(row.run), DIGEST) for row in experiment.rows
                }
                for preset in PRESETS.values()
            },
        }
    return ids


def holds(golden: object, now: object) -> bool:
    """Whether `now` has all that `golden` has; what is new in it does no harm."""
    if isinstance(golden, dict) and isinstance(now, dict):
        return all(name in now and holds(value, now[name]) for name, value in golden.items())
    return golden == now


def test_the_same_id_means_the_same_fields():
    assert holds(json.loads(GOLDEN.read_text())["fields"], fields()), (
        "A default has changed, so that stored runs would be taken for what they are not: raise "
        "the `revision` of its class. Then: python -m tests.test_golden_ids"
    )
    changed = fields()
    next(iter(changed.values()))["schedule"]["momentum"] = 0.5
    assert not holds(json.loads(GOLDEN.read_text())["fields"], changed)


def test_ids_are_the_golden_ones():
    assert current() == json.loads(GOLDEN.read_text())["ids"], (
        "Ids have changed, so that what is stored is not found any more. If that is intended: "
        "python -m tests.test_golden_ids"
    )


def test_rows_that_differ_have_ids_that_differ():
    for experiment in current().values():
        ids = [run for runs in experiment["runs"].values() for run in runs.values()]
        assert len(set(ids)) == len(ids)


if __name__ == "__main__":
    content = {"ids": current(), "fields": fields()}
    GOLDEN.write_text(json.dumps(content, indent=2) + "\n")
