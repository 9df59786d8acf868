"""MIM: cleverhans' momentum, against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import input_gradient
from ftnoise.attacks.compiled import cross_entropy
from ftnoise.attacks.mim import MIM
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, Around, edged, predicted, two_layers


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_it_is_the_formula_of_the_source(decay):
    network, x = two_layers(), edged()
    y = predicted(network, x)
    known, total = x, tf.zeros_like(x)
    for _ in range(5):
        gradient = input_gradient(cross_entropy(network, y), known)
        total = decay * total + gradient / tf.reduce_mean(
            tf.abs(gradient), axis=[1, 2, 3], keepdims=True
        )
        moved = x + tf.clip_by_value(known + 0.03 * tf.sign(total) - x, -0.1, 0.1)
        known = tf.clip_by_value(moved, 0, 1)
    attack = MIM(attack_epsilon=0.1, steps=5, step_size=0.03, decay=decay)
    found = attack.perturb(network, x, y, SEED)
    np.testing.assert_allclose(found, known, atol=1e-6)


def test_what_it_cannot_do_is_refused_in_one_line():
    network = two_layers()
    rounded = Around(lambda x: network(tf.round(8 * x) / 8))
    with pytest.raises(BadInput, match="outputs have a gradient in the input"):
        MIM(attack_epsilon=0.1).perturb(rounded, edged(2), tf.constant([0, 1]), SEED)
    with pytest.raises(BadInput, match="decay >= 0"):
        MIM(attack_epsilon=0.1, decay=-1)
