"""Logits in batches are those of the network; draws repeat and differ."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.layers import prediction
from ftnoise.layers.prediction import batches, logits
from tests.attacks.small import data, noisy, trained


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(prediction, "BATCH", 7)


@pytest.mark.parametrize("count", [1, 7, 8, 20])
def test_they_are_the_networks_for_any_number_of_examples(count):
    network, x = trained(), data(count)[0]
    np.testing.assert_allclose(logits(network, x), network(x), atol=1e-5)
    parts = [part for part, _ in batches(network, x)]
    assert np.array_equal(np.concatenate([x[part] for part in parts]), x)


@pytest.mark.parametrize("count", [7, 20])
def test_a_draw_repeats_and_another_is_independent(count):
    network, x = noisy(), np.repeat(data(1)[0], count, axis=0)
    first, clean = logits(network, x), logits(trained(), x)
    assert np.array_equal(first, logits(network, x))
    other = logits(network, x, draw=1)
    noise = np.concatenate([first - clean, other - clean]).ravel()
    # No two examples, batches or draws share noise, which has the layer's standard deviation.
    assert len(np.unique(noise)) == len(noise)
    assert 0.3 < noise.std() < 0.7


def test_a_network_is_traced_for_two_shapes_at_most():
    traced = []

    def network(x, training):
        traced.append(x.shape)
        return x

    x = np.zeros((30, 2), np.float32)
    assert np.array_equal(logits(network, x), x)
    assert len(traced) == 2
