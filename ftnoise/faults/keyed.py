"""Sites drawn by TensorFlow operations, for a compiled training step."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# The boundary lies within this many standard deviations of its mean.
SIGMAS = 8.0


def smallest(sites: int, count: int, seed: Any) -> Any:
    """`count` of `sites` sites, drawn without replacement: those with the smallest of random keys.

    Gives bool `[sites]`. The seed is an int64 pair, which may be a tensor. As in `rates.smallest`,
    only the keys near the boundary are sorted.
    """
    if count in (0, sites):
        return tf.fill([sites], count > 0)
    keys = tf.random.stateless_uniform([sites], seed, minval=None, maxval=None, dtype=tf.int32)
    share = count / sites
    band = SIGMAS * math.sqrt(share * (1 - share) / sites) + 1 / sites
    low, high = (round(min(max(share + s * band, 0.0) * 2**32, 2**32 - 1)) - 2**31 for s in (-1, 1))
    sure = keys < low
    unsure = tf.where((keys >= low) & (keys <= high))
    order = tf.argsort(tf.gather_nd(keys, unsure), stable=True)
    wanted = count - tf.math.count_nonzero(sure, dtype=tf.int32)
    more = tf.gather(unsure, order[:wanted])
    return tf.tensor_scatter_nd_update(sure, more, tf.ones_like(more[:, 0], tf.bool))
