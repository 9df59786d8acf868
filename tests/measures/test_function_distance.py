"""Distances of two answers that are known, and which run is the other."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.measures.function_distance import FunctionDistance
from ftnoise.training import Training
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.penalties import L2
from tests.members import RUN

X = np.eye(4, dtype=np.float32)


def answering(probabilities):
    """A network that gives these probabilities for the four examples."""
    made = keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(2)])
    made.set_weights([np.log(np.array(probabilities, np.float32)), np.zeros(2, np.float32)])
    return made


def asked(measure, run, one, other):
    data = SimpleNamespace(x_test=X)
    return measure.evaluate(
        MeasureInput(network=one, data=data, run=run, checkpointing=Checkpointing(), others=other)
    ).scalars


def test_the_distance_is_total_variation_and_the_disagreement_of_classes():
    one = answering([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]])
    two = answering([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]])
    measure = FunctionDistance()
    (other,) = measure.others(RUN)
    found = asked(measure, RUN, one, {other: two})
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
    network = answering(np.full((4, 2), 0.5))
    assert set(asked(measure, RUN, network, {}).values()) == {0.0}


@pytest.mark.parametrize("wrong", [{"name": "No"}, {"inputs": 3}, {"own": 1}, {"seeds_away": -1}])
def test_what_is_no_other_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        FunctionDistance(**wrong)


def test_probabilities_are_in_double_precision():
    network = answering(np.full((4, 2), 0.5))
    from ftnoise.measures.function_distance import probabilities

    found = probabilities(network, np.concatenate([X] * 600))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, tf.nn.softmax(network(np.concatenate([X] * 600))), rtol=1e-6)
