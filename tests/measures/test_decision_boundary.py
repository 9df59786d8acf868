"""The grid is evaluated point by point, and the examples are stored with it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from ftnoise.architectures import CirclesNet
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets.circles import Circles
from ftnoise.measures.decision_boundary import DecisionBoundary
from tests.attacks.small import Noise
from tests.measures.given import evaluate


def measured(network, **fields):
    data = Circles().load(Sources(offline=True))
    arrays = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
    return evaluate(DecisionBoundary(**fields), network, **arrays)


def test_the_probability_of_each_point():
    keras.utils.set_random_seed(0)
    network = CirclesNet(units=5).build()
    found = measured(network, points=7, reach=2)
    axis = found.arrays["x"]
    assert axis.tolist() == found.arrays["y"].tolist()
    assert axis == pytest.approx(np.linspace(-2, 2, 7))
    for i, y in enumerate(axis):
        for j, x in enumerate(axis):
            (logits,) = network(np.array([[x, y]], np.float32)).numpy()
            known = 1 / (1 + np.exp(-logits[1]))
            assert found.arrays["probability"][i, j] == pytest.approx(known, rel=1e-4)
    assert found.arrays["examples"].shape == (100, 2)
    assert found.arrays["tested"].tolist() == [0] * 30 + [1] * 70
    assert 0 <= found.scalars["share_of_class_1"] <= 100


def test_a_network_that_draws_is_measured_the_same_again():
    layers = [keras.layers.InputLayer((2,)), keras.layers.Dense(2), Noise(name="noise")]
    network = keras.Sequential(layers)
    first, again = (measured(network).arrays["probability"] for _ in range(2))
    assert np.array_equal(first, again)


def test_other_networks_are_refused():
    network = keras.Sequential([keras.layers.InputLayer((3,)), keras.layers.Dense(2)])
    with pytest.raises(BadInput, match="a network of 2 inputs and 2 classes"):
        measured(network)
    for wrong in ({"reach": 0}, {"points": 1}):
        with pytest.raises(BadInput, match="Expected"):
            DecisionBoundary(**wrong)
