"""Distances of two known outputs, and the run of the other network."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Procedure
from ftnoise.measures.function_distance import FunctionDistance
from ftnoise.training import Training
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.penalties import L2
from tests.measures.given import RUN, evaluate

X = np.eye(4, dtype=np.float32)


def network_of(probabilities):
    """A network that gives these probabilities for the four examples."""
    made = keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(2)])
    made.set_weights([np.log(np.array(probabilities, np.float32)), np.zeros(2, np.float32)])
    return made


def measured(measure, run, one, others):
    return evaluate(measure, one, run=run, others=others, x_test=X).scalars


def test_the_distance_is_total_variation_and_the_disagreement_of_classes():
    one = network_of([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]])
    two = network_of([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]])
    measure = FunctionDistance()
    (other,) = measure.others(RUN)
    found = measured(measure, RUN, one, {other: two})
    assert found == pytest.approx(
        {"distance_to_other_seed": 100 * 0.4 / 4, "disagreement_to_other_seed": 25}, abs=1e-4
    )


def test_the_other_run():
    noise, penalty = GaussianNoise(sigma=0.1), L2(weight=0.5)
    run = dataclasses.replace(RUN, training=Training(penalty=penalty), seed=3)
    (other,) = FunctionDistance(name="noise", inputs=noise, seeds_away=0).others(run)
    assert other == dataclasses.replace(run, training=Training(inputs=noise))
    (seed,) = FunctionDistance(own=True).others(run)
    assert seed == dataclasses.replace(run, seed=4)


def test_a_run_is_no_distance_from_itself():
    measure = FunctionDistance(name="itself", own=True, seeds_away=0)
    network = network_of(np.full((4, 2), 0.5))
    assert set(measured(measure, RUN, network, {}).values()) == {0.0}


def test_a_procedure_without_the_slots_is_refused():
    class Other(Procedure):
        def build(self, run):
            raise NotImplementedError

        def train(self, run, data, checkpointing=None, network=None):
            raise NotImplementedError

    run = dataclasses.replace(RUN, training=Other())
    with pytest.raises(BadInput, match=r"`penalty` slot\. Received: training='other'"):
        FunctionDistance().others(run)
    assert FunctionDistance(own=True).others(run)[0].seed == run.seed + 1


@pytest.mark.parametrize(
    "wrong",
    [{"name": "No"}, {"inputs": 3}, {"penalty": RUN}, {"own": 1}, {"seeds_away": -1}],
)
def test_bad_fields_are_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        FunctionDistance(**wrong)
