"""Spreads against numbers by hand, a histogram against counting one by one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftnoise.core.errors import BadInput
from ftnoise.measures.parameters import ParameterHistogram, ParameterSpread, spreads
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


KERNEL = np.array([[-0.35, -0.3, -0.25], [0.0, 0.1, 0.2]], np.float32)
BIAS = np.array([0.299, 0.31, 0.05], np.float32)


@pytest.fixture
def network():
    layers = [keras.layers.Dense(3, input_shape=(2,)), keras.layers.BatchNormalization()]
    network = keras.Sequential(layers)
    gamma, beta = np.full(3, 0.15, np.float32), np.full(3, -0.05, np.float32)
    network.set_weights([KERNEL, BIAS, gamma, beta, np.full(3, 9.0), np.full(3, 9.0)])
    return network


def theta():
    return [*KERNEL.ravel().tolist(), *BIAS.tolist(), *[0.15] * 3, *[-0.05] * 3]


def test_the_bins_count_parameters_and_no_statistics(network):
    found = evaluate(ParameterHistogram(bins=4, reach=0.3), network)
    np.testing.assert_allclose(found.arrays["middles"], [-0.225, -0.075, 0.075, 0.225])
    counts = [
        sum(low <= value < low + 0.15 for value in theta()) for low in (-0.3, -0.15, 0.0, 0.15)
    ]
    # -0.3 and 0.15 are a little off in float32, to the inside and to the outside.
    assert counts[:3] == [1, 3, 3]
    np.testing.assert_allclose(found.arrays["density"] * 0.15 * 15, [1, 3, 3, 5], rtol=1e-12)
    assert found.scalars == {"parameters_beyond": pytest.approx(100 * 3 / 15)}


@pytest.mark.parametrize(("bins", "reach"), [(1, 1.0), (121, 0.3), (7, 0.05)])
def test_it_integrates_to_the_share_within_the_bins(network, bins, reach):
    found = evaluate(ParameterHistogram(bins=bins, reach=reach), network)
    beyond = 100 * np.mean(np.abs(np.float32(theta()).astype(float)) > reach)
    assert found.scalars["parameters_beyond"] == pytest.approx(beyond)
    whole = found.arrays["density"].sum() * 2 * reach / bins
    assert whole == pytest.approx(1 - beyond / 100, rel=1e-12)
    assert found.arrays["density"].shape == found.arrays["middles"].shape == (bins,)
    np.testing.assert_allclose(found.arrays["middles"], -found.arrays["middles"][::-1], atol=1e-15)


@pytest.mark.parametrize("wrong", [{"bins": 0}, {"bins": 1.5}, {"reach": 0}, {"reach": "1"}])
def test_bad_fields_are_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        ParameterHistogram(**wrong)
