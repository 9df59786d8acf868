"""A measure under faults: each trial is the measure of the faulty network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Neurons, Parameters
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.measures.under_faults import UnderFaults, columns
from tests.attacks.small import data
from tests.attacks.small import trained as network
from tests.core.test_resumable import Memory
from tests.measures.given import evaluate

LOCAL = RobustAccuracy(attack=PGD(attack_epsilon=0.1, steps=5))
FAULT = Fault(where=Parameters(), what=StuckAt(), rate=Share(rate=0.2))
MEASURE = UnderFaults(
    measure=LOCAL, scalars=("robust_accuracy", "none_such"), fault=FAULT, trials=3
)
INT8 = replace(MEASURE, fault=parse_fault("parameters,stored=int8:bit_flip:n=30"))
NEURONS = replace(MEASURE, fault=Fault(where=Neurons(), what=StuckAt(), rate=Share(rate=0.3)))


def measured(measure=MEASURE, **given):
    x, y = data(150)
    return evaluate(measure, network(), x_test=x, y_test=y, **given)


@pytest.mark.parametrize("measure", [MEASURE, NEURONS, INT8])
def test_each_trial_is_the_measure_of_the_faulty_network(measure):
    found, (x, y) = measured(measure), data(150)
    values, model = [], network()
    for trial in range(3):
        with injected(model, measure.fault, seed=0, trial=trial, examples=x):
            scalars = evaluate(LOCAL, model, x_test=x, y_test=y).scalars
            values.append(scalars["robust_accuracy"])
    np.testing.assert_allclose(found.arrays["by_trial_robust_accuracy"], values)
    assert len(set(values)) > 1
    # That of parameters in int8 is the network in int8.
    none = measure.fault.at(Share(rate=0.0))
    with injected(model, none, seed=0, trial=0, examples=x):
        golden = evaluate(LOCAL, model, x_test=x, y_test=y).scalars["robust_accuracy"]
    assert found.scalars["faulty_robust_accuracy"] == pytest.approx(np.mean(values))
    assert found.scalars["drop_of_robust_accuracy"] == pytest.approx(golden - np.mean(values))
    assert not any("none_such" in name for name in found.scalars)


def test_no_faults_lose_nothing():
    found = measured(replace(MEASURE, fault=FAULT.at(Share(rate=0.0))))
    assert found.scalars["drop_of_robust_accuracy"] == 0


def test_it_resumes(monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", -1.0)
    whole, memory = measured(), Memory(2)
    with pytest.raises(KeyboardInterrupt):
        measured(checkpointing=memory)
    assert memory.stored is not None
    memory.left = None
    assert measured(checkpointing=memory).scalars == whole.scalars
    assert len(memory.reports) == 4


def test_columns_have_its_scalars():
    known = set(measured().scalars)
    assert {one.name for one in columns(MEASURE, ("accuracy", "nothing"))} - known == {
        *(f"faulty_none_such{end}" for end in ("", "_low", "_high")),
        "drop_of_none_such",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fault": replace(NEURONS.fault, transient=True)}, "not transient"),
        ({"trials": 1}, "trials"),
        ({"measure": None}, "a measure"),
        ({"scalars": ()}, "names of scalars"),
        ({"scalars": "robust"}, "names of scalars"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(BadInput, match=message):
        replace(MEASURE, **changes)
