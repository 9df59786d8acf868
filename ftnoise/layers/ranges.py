"""The ranges of values in a network, measured on examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.layers.drawing import drawing
from ftnoise.layers.graph import Key, unfold
from ftnoise.layers.replacing import holding

AT_ONCE = 50  # examples


Ends = tuple[np.ndarray, np.ndarray]


def ranges(
    network: keras.Model,
    x: Sequence[np.ndarray],
    wanted: Mapping[Key, tuple[int, ...]],
    activated: Sequence[keras.layers.Layer] = (),
) -> tuple[dict[Key, Ends], dict[int, Ends]]:
    """The least and the largest values of tensors of a network's graph, float32.

    Gives the ranges of the tensors, by key, and of the values before the activation of the layers
    `activated`, by the layer's id. `wanted` has for each tensor the shape of its ranges, which
    broadcasts against its last axes; `()` is one range for the whole tensor. `x` has an array
    `[n, ...]` for each input; a network that draws is in one draw.
    """
    graph = unfold(network)
    before: dict[int, list[Any]] = {}

    def recording(layer: keras.layers.Layer) -> Callable[[Any], Any]:
        activation = layer.activation

        def recorded(values: Any) -> Any:
            before.setdefault(id(layer), []).append(values)
            return activation(values)

        return recorded

    def ends(parts: Any) -> list[Any]:
        values = dict(zip(graph.inputs, parts, strict=True))
        before.clear()
        with contextlib.ExitStack() as stack:
            for layer in activated:
                stack.enter_context(holding(layer, "activation", recording(layer)))
            for step in graph.steps:
                step.run(values)
        found = [_ends(values[key], shape) for key, shape in wanted.items()]
        for tensors in before.values():
            pairs = tf.stack([_ends(tensor, ()) for tensor in tensors])
            found.append(tf.stack([tf.reduce_min(pairs[:, 0]), tf.reduce_max(pairs[:, 1])]))
        return found

    specs = [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in x]
    with drawing(seeds.at_step(seeds.key(0, "ranges"), 0)):
        compiled = tf.function(ends, autograph=False).get_concrete_function(specs)
    names: list[Any] = [*wanted, *before]
    low: dict[Any, np.ndarray] = {}
    high: dict[Any, np.ndarray] = {}
    for start in range(0, len(x[0]), AT_ONCE):
        parts = [tf.constant(one[start : start + AT_ONCE]) for one in x]
        for key, (least, most) in zip(names, compiled(*parts), strict=True):
            low[key] = np.minimum(low.get(key, least), least)
            high[key] = np.maximum(high.get(key, most), most)
    found = {key: (low[key], high[key]) for key in names}
    return {key: found[key] for key in wanted}, {layer: found[layer] for layer in before}


def _ends(tensor: Any, shape: tuple[int, ...]) -> Any:
    """The least and the largest values `[2, *shape]`."""
    tensor = tf.cast(tensor, tf.float32)
    first = len(tensor.shape) - len(shape)
    axes = [*range(first), *(first + n for n, size in enumerate(shape) if size == 1)]
    pair = tf.reduce_min(tensor, axes), tf.reduce_max(tensor, axes)
    return tf.reshape(tf.stack(pair), (2, *shape))
