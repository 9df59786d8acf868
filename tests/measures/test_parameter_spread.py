from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftnoise.measures.parameter_spread import ParameterSpread, spreads
from tests.measures.given import evaluate


def test_the_example_computed_by_hand():
    # Mean 2; deviations -2, -1, 0, 3: squares sum to 14, magnitudes to 6.
    assert spreads(np.array([0.0, 1.0, 2.0, 5.0])) == pytest.approx(
        {
            "parameter_std": (14 / 4) ** 0.5,
            "parameter_spread_eq10": (6 / 4) ** 0.5,
            "parameter_count": 4,
        },
        rel=1e-12,
    )


@settings(max_examples=50)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0.1, 10))
def test_shift_and_scale(values, scale):
    theta = np.array(values)
    found, shifted, scaled = spreads(theta), spreads(theta + 3), spreads(theta * scale)
    assert found["parameter_std"] == pytest.approx(np.std(theta), rel=1e-9, abs=1e-12)
    for name in ("parameter_std", "parameter_spread_eq10"):
        assert shifted[name] == pytest.approx(found[name], rel=1e-6, abs=1e-6)
    # Without a square, equation (10) grows with the root of the scale.
    assert scaled["parameter_std"] == pytest.approx(
        scale * found["parameter_std"], rel=1e-6, abs=1e-6
    )
    assert scaled["parameter_spread_eq10"] == pytest.approx(
        scale**0.5 * found["parameter_spread_eq10"], rel=1e-6, abs=1e-6
    )


def test_all_trainable_parameters_of_a_network_count():
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.layers.Dense(6, input_shape=(5,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, bias_initializer="random_normal"),
        ]
    )
    scalars = evaluate(ParameterSpread(), network).scalars
    kernel, bias, gamma, beta, _, _, last, last_bias = network.get_weights()
    theta = np.concatenate([part.ravel() for part in (kernel, bias, gamma, beta, last, last_bias)])
    theta = theta.astype(np.float64)
    assert scalars == pytest.approx(
        {
            "parameter_std": np.std(theta),
            "parameter_spread_eq10": np.mean(np.abs(theta - theta.mean())) ** 0.5,
            "parameter_count": 5 * 6 + 6 + 6 + 6 + 6 * 3 + 3,
        },
        rel=1e-12,
    )
