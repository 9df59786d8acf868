"""What is stored is found again: the ids of all runs and measures are those written down.

An id that changes without intent orphans finished runs. Where it is intended (a value of a row, a
`revision`, a preset), write the ids anew and read the difference:

    python -m tests.test_golden_ids
"""

from __future__ import annotations

import json
from pathlib import Path

from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import canonical, spec_id
from ftnoise.user.catalog import experiment, names

GOLDEN = Path(__file__).with_name("golden_ids.json")
DIGEST = "0" * 64


def fields() -> dict:
    """All fields of every row, defaults included: an id says nothing of a default that changed."""
    return {
        f"{name}/{row.name}": canonical(row.run, everything=True)
        for name in names()
        for row in experiment(name).rows
    }


def current() -> dict:
    """The ids of every experiment under every preset, on data with the digest `DIGEST`."""
    tables = map(experiment, names())
    return {
        table.name: {
            preset: under(preset, table)
            for preset in dict.fromkeys([*PRESETS, *(own.name for own in table.presets)])
        }
        for table in tables
    }


def under(name: str, table: Experiment) -> dict:
    """The ids of an experiment as the command trains and measures it under a preset."""
    shown = table.scaled(table.preset(name))
    return {
        "measures": {
            **{c.name: spec_id(c.measure) for c in shown.columns},
            **{p.name: spec_id(m) for p in shown.figures for m in p.measures},
        },
        "runs": {row.name: run_id(row.run, DIGEST) for row in shown.rows},
    }


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
    for name, by_preset in current().items():
        for found in by_preset.values():
            assert len(set(found["runs"].values())) == len(found["runs"])
        # Presets are other runs, but for models that an experiment only looks at.
        table = experiment(name)
        trained = [by_preset[p]["runs"] for p in PRESETS if not adopts(p, table)]
        ids = [run for runs in trained for run in runs.values()]
        assert len(set(ids)) == len(ids)
        for preset, found in by_preset.items():
            if adopts(preset, table):
                assert found["runs"] == by_preset["paper"]["runs"]


def adopts(preset: str, table: Experiment) -> bool:
    """Whether the runs under this preset are those of the whole protocol."""
    return table.adopts and not table.preset(preset).adopted


def test_ids_are_under_the_presets_of_the_experiment_itself():
    ids = current()
    # A quick preset of its own, adopted models, attacked examples and trials under a preset.
    table4 = experiment("table4")
    own = table4.preset("quick")
    for row in table4.rows:
        run = run_id(row.run.scaled(own), DIGEST)
        assert ids["table4"]["quick"]["runs"][row.name] == run
        assert run != run_id(row.run.scaled(PRESETS["quick"]), DIGEST)
    assert ids["figure3"]["quick"]["runs"] == ids["figure3"]["paper"]["runs"]
    assert ids["figure3"]["smoke"]["runs"] != ids["figure3"]["paper"]["runs"]
    for name, column in (("figure3", "accuracy_at_50"), ("table5", "robust_accuracy")):
        measures = {preset: found["measures"][column] for preset, found in ids[name].items()}
        assert len(set(measures.values())) == len(measures)


if __name__ == "__main__":
    content = {"ids": current(), "fields": fields()}
    GOLDEN.write_text(json.dumps(content, indent=2) + "\n")
