"""A network that draws, without its randomness."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.layers.drawing import Fixed, forward, mean
from tests.attacks.small import data, noisy, trained


def test_in_the_block_of_the_mean_there_is_no_noise_and_after_it_there_is():
    network, x = noisy(), data(5)[0]
    with mean():
        np.testing.assert_array_equal(forward(network, x, [1, 2]), network(x))
        np.testing.assert_allclose(network(x), trained()(x), atol=1e-6)
    assert not np.allclose(forward(network, x, [1, 2]), trained()(x), atol=0.1)
    with pytest.raises(ValueError, match="stop"), mean():
        raise ValueError("stop")
    assert not np.array_equal(network(x), network(x))


def test_it_is_the_mean_or_one_draw_whatever_the_draw_of_the_context():
    network, x = noisy(), data(5)[0]
    for draw in (None, [1, 2], [1, 3]):
        fixed = Fixed(network, draw)
        first = fixed(x)
        assert np.array_equal(first, forward(fixed, x, [7, 7]))
        assert np.array_equal(first, forward(fixed, x, [8, 8]))
        known = trained()(x) if draw is None else forward(network, x, draw)
        np.testing.assert_allclose(first, known, atol=1e-6)
    one, other = (Fixed(network, [1, n])(x) for n in (2, 3))
    assert not np.allclose(one, other, atol=0.1)


def test_it_shares_the_weights_and_leaves_a_deterministic_network_as_it_is():
    network, x = trained(), data(5)[0]
    fixed = Fixed(network)
    np.testing.assert_array_equal(fixed(x), network(x))
    network.set_weights([2 * part for part in network.get_weights()])
    np.testing.assert_array_equal(fixed(x), network(x))
