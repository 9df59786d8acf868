"""Every seed is derived here; nothing else seeds.

A key is a 63-bit integer derived from (seed, purpose); a draw at a step uses the pair
`[key, step]` with TensorFlow's stateless generators, so that the same step draws the same noise
whether or not the run was interrupted before it.

Deviations
1. Keys come from the run's `seed`, not from its id. Two rows of a table with the same seed share
   initial weights and the order of the batches, which pairs them (common random numbers) and so
   makes their difference less noisy. Purposes whose noise must never be shared between runs have
   to name the run in `purpose`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ftnoise.core.lazy import keras, np, tf


def key(seed: int, *purpose: object) -> int:
    """A 63-bit integer for `purpose` (strings and integers) under `seed`."""
    text = "/".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def at_step(key: int, step: Any) -> Any:
    """The seed pair `[key, step]` (int64, shape [2]) of a stateless draw; works in a graph."""
    return tf.stack([tf.constant(key, tf.int64), tf.cast(step, tf.int64)])


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """NumPy's generator for `purpose` under `seed`, which draws the same on every machine."""
    return np.random.Generator(np.random.SFC64(key(seed, *purpose)))


def subset(size: int, count: int, purpose: str) -> np.ndarray:
    """`count` of `range(size)` without replacement, in order, the same for every run."""
    generator = np.random.Generator(np.random.Philox(key(0, "subset", purpose, count)))
    return np.sort(generator.choice(size, count, replace=False))


def fix_initialization(seed: int) -> None:
    """Seeds the next draws of Keras initializers; called right before a network is built.

    Keras draws initial weights from a generator of the process, so this is the one place that
    has to set it.
    """
    keras.utils.set_random_seed(key(seed, "initialization") % 2**32)
