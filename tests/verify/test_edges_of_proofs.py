"""What no bound in real arithmetic knows: NaN, infinity, rounding to ties, faults in a layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ftnoise import injected
from ftnoise.core.errors import BadInput
from ftnoise.verify.budget import Budget
from ftnoise.verify.verifier import VERIFIED, Verifier, rivaled
from tests.verify.networks import logit_bounds

ROOT = Budget(nodes=0)


def network(inputs, *layers, weights):
    model = keras.Sequential([keras.Input([inputs]), *layers])
    model.set_weights([np.asarray(one) for one in weights])
    return model


def statuses(model, x, radius, budget=ROOT):
    return Verifier(model).verify(np.atleast_2d(x), radius, budget=budget).status.tolist()


def test_outputs_that_are_no_number_in_the_ball_are_not_verified():
    dense = keras.layers.Dense
    model = network(
        2,
        *(dense(1), dense(2), dense(2)),
        weights=[
            *([[3e38], [3e38]], [0]),
            *([[1e3, 1e3]], [0, 0]),
            *([[1, 0], [-1, 0]], [2, 0]),
        ],
    )
    assert np.isnan(model(np.full((1, 2), 0.1, np.float32))).all()
    assert statuses(model, [0.0, 0.0], 0.1) != [VERIFIED]


def test_a_nan_is_a_rival():
    scores = np.array([[1.0, np.nan], [np.nan, np.nan], [1.0, 1.0], [1.0, 0.5]])
    assert rivaled(scores, np.zeros(4, int)).tolist() == [True, True, True, False]


@pytest.mark.parametrize("units", [1, 2])
def test_a_tie_that_the_networks_own_probabilities_round_to_is_not_verified(units):
    activation = "sigmoid" if units == 1 else "softmax"
    weights = [[[1.0, 0.0][:units]], [0.0] * units]
    model = network(1, keras.layers.Dense(units, activation=activation), weights=weights)
    low = np.float32(1.2e-8)
    tie = model(np.array([[low]])).numpy().ravel()
    assert tie.tolist() == [0.5] * units
    assert statuses(model, np.float32([1.0]), 1 - 1e-8) != [VERIFIED]
    assert statuses(model, np.float32([1.0]), 0.9) == [VERIFIED]


def test_infinite_intervals_prove_nothing():
    keras.backend.set_floatx("float64")
    try:
        relu = [keras.layers.Dense(1, activation="relu") for _ in range(3)]
        model = network(
            1,
            *(*relu, keras.layers.Dense(2)),
            weights=[
                *([[1e200]], [-0.5e200]),
                *([[1e200]], [0.0]),
                *([[1e-250]], [0.0]),
                *([[0.0, 1.0]], [1.0, 0.0]),
            ],
        )
        assert statuses(model, [0.4], 0.2) != [VERIFIED]
    finally:
        keras.backend.set_floatx("float32")


def test_faults_in_neurons_are_refused():
    model = network(
        6, keras.layers.Dense(2), keras.layers.Dense(2),
        weights=[np.ones((6, 2)), [0, 0], np.eye(2), [1, 0]],
    )  # fmt: skip
    x = np.zeros((1, 6), np.float32)
    with (
        injected(model, "neurons:stuck_at=0:0.25", seed=0, trial=0),
        pytest.raises(BadInput, match="without another call"),
    ):
        Verifier(model).verify(x, 0.1, budget=ROOT)


def test_a_normalization_with_a_negative_variance_has_its_whole_radius():
    layer = keras.layers.BatchNormalization(epsilon=1e-3)
    model = network(
        1,
        *(layer, keras.layers.Dense(2)),
        weights=[[1.0], [0.0], [0.0], [-5e-4], [[-1.0, 0.0]], [0.0, 0.5]],
    )
    x, radius = np.float32([[-0.01]]), 0.11
    low, high = logit_bounds(Verifier(model), x, radius)
    for moved in np.linspace(x - radius, x + radius, 20):
        found = model(moved.astype(np.float32)).numpy()
        assert (found >= low - 1e-4).all()
        assert (found <= high + 1e-4).all()
