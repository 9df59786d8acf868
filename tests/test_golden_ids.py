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
from ftnoise.spec import run_id, spec_id

GOLDEN = Path(__file__).with_name("golden_ids.json")
DIGEST = "0" * 64


def current() -> dict:
    """The ids of every experiment, on data with the digest `DIGEST`."""
    ids = {}
    for name in cli.names():
        experiment = importlib.import_module(f"ftnoise.experiments.{name}").EXPERIMENT
        ids[name] = {
            "measures": {c.name: spec_id(c.measure) for c in experiment.columns},
            "runs": {
                preset.name: {
                    row.name: run_id(preset.apply(row.run), DIGEST) for row in experiment.rows
                }
                for preset in PRESETS.values()
            },
        }
    return ids


def test_ids_are_the_golden_ones():
    assert current() == json.loads(GOLDEN.read_text()), (
        "Ids have changed, so that what is stored is not found any more. If that is intended: "
        "python -m tests.test_golden_ids"
    )


def test_rows_that_differ_have_ids_that_differ():
    for experiment in current().values():
        ids = [run for runs in experiment["runs"].values() for run in runs.values()]
        assert len(set(ids)) == len(ids)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(current(), indent=2) + "\n")
