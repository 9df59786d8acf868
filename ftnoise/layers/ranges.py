"""The ranges of values in a network, measured on examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.layers.drawing import drawing
from ftnoise.layers.graph import Key, unfold

AT_ONCE = 50  # examples


def ranges(
    network: keras.Model, x: Sequence[np.ndarray], wanted: Mapping[Key, tuple[int, ...]]
) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    """The least and the largest values of tensors of a network's graph, float32.

    Args:
        network: Sequential or functional.
        x: examples `[n, ...]`, an array for each input; one draw of a network that draws.
        wanted: for each tensor the shape of its ranges, which broadcasts against its last axes;
            `()` is one range for the whole tensor.
    """
    graph = unfold(network)

    def ends(parts: Any) -> list[Any]:
        values = dict(zip(graph.inputs, parts, strict=True))
        for step in graph.steps:
            step.run(values)
        found = []
        for key, shape in wanted.items():
            tensor = tf.cast(values[key], tf.float32)
            first = len(tensor.shape) - len(shape)
            axes = [*range(first), *(first + n for n, size in enumerate(shape) if size == 1)]
            pair = tf.reduce_min(tensor, axes), tf.reduce_max(tensor, axes)
            found.append(tf.reshape(tf.stack(pair), (2, *shape)))
        return found

    specs = [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in x]
    with drawing(seeds.key(0, "ranges")):
        compiled = tf.function(ends, autograph=False).get_concrete_function(specs)
    low: dict[Key, np.ndarray] = {}
    high: dict[Key, np.ndarray] = {}
    for start in range(0, len(x[0]), AT_ONCE):
        parts = [tf.constant(one[start : start + AT_ONCE]) for one in x]
        for key, (least, most) in zip(wanted, compiled(*parts), strict=True):
            low[key] = np.minimum(low.get(key, least), least)
            high[key] = np.maximum(high.get(key, most), most)
    return {key: (low[key], high[key]) for key in wanted}
