"""FGSM with growing radius: the smallest one that errs, each in a draw of its own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks import fgsm_search
from ftnoise.attacks.fgsm_search import FGSMSearch
from ftnoise.layers.drawing import StochasticLayer
from tests.attacks.small import (
    SEED,
    SHAPE,
    Around,
    data,
    loss_gradient,
    network_of,
    predicted,
    trained,
)


def radii_of(moved, x, network, y):
    """The radius `[batch]` of each moved example, which is along the sign of the gradient."""
    sign = np.sign(loss_gradient(network, x, y))
    free = (sign != 0) & (moved.numpy() > 0) & (moved.numpy() < 1)
    return [float(np.max(np.abs(moved - x)[n][free[n]])) for n in range(len(x))]


def naive(network, x, y, radii=1000, finer=20):
    """Radius by radius, image by image, as Foolbox 1.8 does."""
    sign = np.sign(loss_gradient(network, x, y))
    results = []
    for image, label, along in zip(x.numpy(), y.numpy(), sign, strict=True):

        def first(epsilons, image=image, label=label, along=along):
            moved = image + epsilons[:, None, None, None] * along
            wrong = predicted(network, np.clip(moved, 0, 1).astype(np.float32)) != label
            for number, epsilon in enumerate(epsilons):
                if wrong[number]:
                    return number, epsilon
            return None, epsilons[-1]

        number, most = first(np.linspace(0, 1, radii + 1)[1:])
        if number is None or number < finer:
            _, most = first(np.linspace(0, most, finer + 1)[1:])
        results.append(most)
    return results


@pytest.mark.parametrize("radii", [1000, 50])
def test_it_is_foolbox_radius_by_radius(radii):
    network, (x, y) = trained(), data(25)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    right = predicted(network, x) == y
    x, y = x[right], y[right]
    moved, found = FGSMSearch(radii=radii).search(network, x, y, SEED)
    assert found.numpy().all()
    known = naive(network, x, y, radii)
    # Some are among the first 20, and searched again more finely.
    assert any(abs(radii * radius - round(radii * radius)) > 0.01 for radius in known)
    np.testing.assert_allclose(radii_of(moved, x, network, y), known, rtol=1e-4)


def test_a_linear_network_has_a_closed_form():
    network = network_of(classes=2)
    x = tf.fill([1, *SHAPE], 0.5)
    y = predicted(network, x)
    kernel, logits = network.layers[-1].kernel.numpy(), network(x).numpy()[0]
    side = int(y[0])
    lead = logits[side] - logits[1 - side]
    radius = lead / np.abs(kernel[:, 0] - kernel[:, 1]).sum()
    moved, found = FGSMSearch().search(network, x, y, SEED)
    assert found.numpy().all()
    reached = np.abs(moved - x).max()
    assert radius < reached <= radius + max(0.001, radius / 20)


class Coin(StochasticLayer):
    """Logits of two classes; a pass gets an example of class 0 wrong with probability 1/4."""

    def call(self, x):
        coins = tf.random.stateless_uniform([tf.shape(x)[0], 1], self.seed()) < 0.25
        lead = 1.0 - 2.0 * tf.cast(coins, tf.float32)
        return tf.concat([lead + 1e-4 * tf.reduce_sum(x, [1, 2, 3])[:, None], 0 * lead], axis=1)


def coins():
    """Number of the radius that errs, for each example that the first pass gets right."""
    x, y = tf.fill([600, *SHAPE], 0.5), tf.zeros(600, tf.int32)
    moved, found = FGSMSearch(radii=400, finer=1).search(Around(Coin(name="coin")), x, y, SEED)
    assert found.numpy().all()
    numbers = np.round(400 * np.abs(moved - x).max(axis=(1, 2, 3)))
    first_pass = numbers == 0
    assert pytest.approx(first_pass.mean(), abs=5 * np.sqrt(0.25 * 0.75 / 600)) == 0.25
    return numbers[~first_pass]


def test_each_radius_has_a_draw_of_its_own():
    numbers = coins()
    # A geometric distribution: mean 4, variance 12.
    assert numbers.mean() == pytest.approx(4, abs=5 * np.sqrt(12 / len(numbers)))
    assert (numbers == 2).mean() == pytest.approx(0.1875, abs=5 * np.sqrt(0.153 / len(numbers)))


def test_one_draw_for_a_block_of_radii_would_be_seen(monkeypatch):
    real = fgsm_search.draw

    def shared(seed, number):
        # Inside a block the number of the radius no longer counts.
        return seed if tf.inside_function() else real(seed, number)

    monkeypatch.setattr(fgsm_search, "draw", shared)
    numbers = coins()
    assert numbers.mean() > 20
    assert not (numbers == 2).any()
