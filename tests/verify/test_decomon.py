"""CROWN against decomon's (Airbus, version 0.1.1), where it is installed.

It pins other versions of what it needs, so it is installed apart and without them, and found by

    pip install --no-deps --target FOLDER decomon==0.1.1
    PYTHONPATH=FOLDER python -m pytest -m slow tests/verify/test_decomon.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import Sequential
from keras import layers as kl

from tests.verify.networks import mlp, points, randomized
from tests.verify.test_bounds import bounded

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def convolution() -> Any:
    hidden = [kl.Conv2D(3, 3, activation="relu"), kl.Conv2D(2, 2, strides=2, activation="relu")]
    layers = [kl.InputLayer((7, 7, 1)), *hidden, kl.Flatten(), kl.Dense(3)]
    return randomized(Sequential(layers))


@pytest.mark.parametrize("radius", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("network", ["narrow", "deep", "convolution"])
def test_bounds_are_never_looser(network, radius):
    decomon = pytest.importorskip("decomon")
    clone = pytest.importorskip("decomon.models").clone
    made = {
        "narrow": lambda: mlp(20, inputs=6),
        "deep": lambda: mlp(16, 16, 16, inputs=6, seed=1),
        "convolution": convolution,
    }[network]()
    x = points(made, 5)
    # The differences of logits, folded into the last layer.
    classes = made.output_shape[-1]
    identity = np.eye(classes)
    differences = (identity[:, None] - identity[None]).reshape(-1, classes)
    folded = Sequential([kl.InputLayer(made.input_shape[1:])])
    for layer in made.layers[:-1]:
        folded.add(type(layer).from_config(layer.get_config()))
    folded.add(kl.Dense(len(differences)))
    kernel, bias = made.layers[-1].get_weights()
    folded.set_weights([*made.get_weights()[:-2], kernel @ differences.T, bias @ differences.T])
    theirs = clone(folded, method="crown")
    theirs.run_eagerly = True
    upper = decomon.get_upper_box(theirs, x - radius, x + radius)
    found = bounded(made, x, radius)
    ours = found["CROWN"].reshape(len(x), classes, classes)
    # The lower bound of one difference is minus the upper bound of the other one.
    lower = -np.asarray(upper).reshape(len(x), classes, classes).transpose(0, 2, 1)
    # A tighter interval may change the slope that CROWN takes below a unit, rarely for the worse.
    assert np.mean(ours >= lower - 1e-4) >= (1 if radius < 0.4 else 0.9)
    assert np.all(found["optimized"].reshape(ours.shape) >= lower - 1e-4)
    assert np.mean(ours) >= np.mean(lower) - 1e-5
