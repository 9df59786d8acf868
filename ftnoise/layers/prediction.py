"""Logits of many examples, computed batch by batch.

Each batch of a network that draws has a key of its own, so a result repeats exactly, and draws of
different numbers are independent. A deterministic network ignores the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.layers.drawing import forward

BATCH = 1000


def batches(network: keras.Model, x: np.ndarray, draw: int = 0) -> Iterator[tuple[slice, Any]]:
    """Logits in inference mode, one batch of at most `BATCH` examples after the other.

    Yields which examples are in the batch, and their logits `[batch, classes]`, a tensor. `draw` is
    the number of the draw of a network that draws, >= 0.
    """
    # Compiling takes longer than a single batch.
    yield from _batches(_function(network, len(x) > BATCH), x, draw)


def drawn(network: keras.Model, x: np.ndarray, draws: int) -> Iterator[np.ndarray]:
    """Logits `[n, classes]` in inference mode, one draw after the other; arguments as above."""
    function = _function(network, draws * len(x) > BATCH)
    for draw in range(draws):
        yield np.concatenate([found.numpy() for _, found in _batches(function, x, draw)])


def _function(network: keras.Model, many: bool) -> Any:
    def function(x: Any, seed: Any) -> Any:
        return forward(network, x, seed)

    return tf.function(function, reduce_retracing=True, autograph=False) if many else function


def _batches(function: Any, x: np.ndarray, draw: int) -> Iterator[tuple[slice, Any]]:
    key = seeds.key(draw, "prediction")
    for number, start in enumerate(range(0, len(x), BATCH)):
        part = slice(start, start + BATCH)
        seed = seeds.at_step(key, tf.constant(number, tf.int64))
        yield part, function(tf.constant(x[part]), seed)


def logits(network: keras.Model, x: np.ndarray, draw: int = 0) -> np.ndarray:
    """Logits `[n, classes]` in inference mode; arguments as in `batches`."""
    return np.concatenate([found.numpy() for _, found in batches(network, x, draw)])
