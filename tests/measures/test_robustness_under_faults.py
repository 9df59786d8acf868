"""Global robustness under faults: what is attacked is the faulty network, trial by trial."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.injection import injected
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Neurons, Parameters
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.measures.robustness_under_faults import RobustnessUnderFaults, columns
from tests.attacks.small import data
from tests.attacks.small import trained as network
from tests.core.test_resumable import Memory
from tests.measures.given import evaluate

LOCAL = GlobalRobustness(
    radii=(0.02, 0.1), attacks=(PGD(attack_epsilon=0.1, steps=5),), tolerance=None
)
FAULT = Fault(where=Parameters(), what=StuckAt(), rate=Share(rate=0.2))
MEASURE = RobustnessUnderFaults(local=LOCAL, fault=FAULT, trials=3)


def measured(measure=MEASURE, **given):
    x, y = data(150)
    return evaluate(measure, network(), x_test=x, y_test=y, **given)


def test_each_trial_is_the_measure_of_the_faulty_network():
    found, (x, y) = measured(), data(150)
    robust, right, model = [], [], network()
    for trial in range(3):
        with injected(model, FAULT, seed=0, trial=trial):
            alone = LOCAL.attacked(Evaluation(Checkpointing()), model, x)
        robust.append(100 * (1 - alone["changed"].mean(1)))
        right.append(100 * (alone["predicted"] == y).mean())
    np.testing.assert_allclose(found.arrays["faulty_robust_by_trial"], np.transpose(robust))
    assert len(np.unique(robust)) > 2
    for n in (0, 1):
        mean = np.mean([one[n] for one in robust])
        assert found.scalars[f"faulty_robust_{n + 1}"] == pytest.approx(mean)
        golden = 100 * (
            1 - LOCAL.attacked(Evaluation(Checkpointing()), model, x)["changed"][n].mean()
        )
        assert found.scalars[f"robust_drop_{n + 1}"] == pytest.approx(golden - mean)
    assert found.scalars["faulty_accuracy"] == pytest.approx(np.mean(right))


def test_no_faults_lose_nothing():
    none = replace(MEASURE, fault=FAULT.at(Share(rate=0.0)))
    found = measured(none)
    assert found.scalars["robust_drop_1"] == found.scalars["robust_drop_2"] == 0


def test_it_resumes(monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", -1.0)
    whole, memory = measured(), Memory(5)
    with pytest.raises(KeyboardInterrupt):
        measured(checkpointing=memory)
    assert memory.stored is not None
    memory.left = None
    assert measured(checkpointing=memory).scalars == whole.scalars


def test_columns_have_its_scalars():
    assert {column.name for column in columns(MEASURE)} <= measured().scalars.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fault": replace(FAULT, where=Neurons())}, "permanent fault of parameters"),
        ({"fault": replace(FAULT, transient=True)}, "permanent fault of parameters"),
        ({"trials": 1}, "trials"),
        ({"local": None}, "GlobalRobustness"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(BadInput, match=message):
        replace(MEASURE, **changes)
