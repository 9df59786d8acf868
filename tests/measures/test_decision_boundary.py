"""The grid is asked point by point, and the examples stand beside it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ftnoise.architectures import CirclesNet
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.datasets.circles import Circles
from ftnoise.measures.decision_boundary import DecisionBoundary


def trained(network):
    data = Circles().load(Sources(offline=True))
    return MeasureInput(network=network, data=data, run=None, checkpointing=Checkpointing())


def test_the_probability_of_each_point():
    keras.utils.set_random_seed(0)
    network = CirclesNet(units=5).build()
    found = DecisionBoundary(points=7, reach=2).evaluate(trained(network))
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


def test_other_networks_are_refused():
    network = keras.Sequential([keras.layers.InputLayer((3,)), keras.layers.Dense(2)])
    with pytest.raises(BadInput, match="a network of 2 inputs and 2 classes"):
        DecisionBoundary().evaluate(trained(network))
    for wrong in ({"reach": 0}, {"points": 1}):
        with pytest.raises(BadInput, match="Expected"):
            DecisionBoundary(**wrong)
