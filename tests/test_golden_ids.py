"""What is stored is found again: the ids of all runs and measures are those written down.

An id that changes without intent orphans finished runs. Where it is intended (a value of a row, a
`revision`, a preset), write the ids anew and read the difference:

    python -m tests.test_golden_ids
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from ftnoise.cli import main as cli
from ftnoise.core import preset as presets
from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import canonical, spec_id

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
    """The ids of every experiment under every preset, on data with the digest `DIGEST`."""
    return {
        name: {preset: under(preset, cli.experiment(name)) for preset in PRESETS}
        for name in cli.names()
    }


def under(name: str, experiment: Experiment) -> dict:
    """The ids of an experiment as the command trains and measures it under a preset."""
    preset = presets.named(name, experiment)
    shown = preset.of(experiment)
    return {
        "measures": {
            **{c.name: spec_id(c.measure) for c in shown.columns},
            **{p.name: spec_id(m) for p in shown.figures for m in p.measures},
        },
        "runs": {row.name: run_id(preset.run(experiment, row), DIGEST) for row in experiment.rows},
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
        experiment = cli.experiment(name)
        trained = [by_preset[p]["runs"] for p in by_preset if not adopts(p, experiment)]
        ids = [run for runs in trained for run in runs.values()]
        assert len(set(ids)) == len(ids)
        for preset, found in by_preset.items():
            if adopts(preset, experiment):
                assert found["runs"] == by_preset["paper"]["runs"]


def adopts(preset: str, experiment: Experiment) -> bool:
    """Whether the runs under this preset are those of the whole protocol."""
    return experiment.adopts and not presets.named(preset, experiment).adopted


def test_ids_are_under_the_presets_of_the_experiment_itself():
    ids = current()
    # A quick preset of its own, adopted models, attacked examples and masks under a preset.
    table4 = cli.experiment("table4")
    (own,) = table4.presets
    for row in table4.rows:
        run = run_id(own.apply(row.run), DIGEST)
        assert ids["table4"]["quick"]["runs"][row.name] == run
        assert run != run_id(PRESETS["quick"].apply(row.run), DIGEST)
    assert ids["figure3"]["quick"]["runs"] == ids["figure3"]["paper"]["runs"]
    assert ids["figure3"]["smoke"]["runs"] != ids["figure3"]["paper"]["runs"]
    for name, column in (("figure3", "accuracy_at_50"), ("table5", "robust_accuracy")):
        measures = {preset: found["measures"][column] for preset, found in ids[name].items()}
        assert len(set(measures.values())) == len(measures)


if __name__ == "__main__":
    content = {"ids": current(), "fields": fields()}
    GOLDEN.write_text(json.dumps(content, indent=2) + "\n")
