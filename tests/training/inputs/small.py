"""Examples for the small networks of `conftest.py`, and their logits by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball, LinfBall

SEED = (11, 12)
SHAPE = (4, 4, 1)
BALLS = pytest.mark.parametrize("ball", [LinfBall(), L2Ball()], ids=["linf", "l2"])


def logits_of(weights, x):
    """Logits of `network` with `weights`."""
    kernel, bias, last, last_bias = weights
    return np.maximum(x.reshape(len(x), -1) @ kernel + bias, 0) @ last + last_bias


def in_double(network):
    """The network's weights in double precision."""
    return [w.astype(np.float64) for w in network.get_weights()]


def images(count=8, low=0.0, high=1.0, seed=0):
    """Images of uniform noise."""
    generator = np.random.default_rng(seed)
    return tf.constant(generator.uniform(low, high, (count, *SHAPE)).astype(np.float32))


def edged_images(count=8):
    """Images of which a third of the pixels is 0 and a third is 1."""
    return tf.clip_by_value(images(count, low=-1, high=2), 0, 1)
