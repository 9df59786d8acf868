"""Neurons stuck at 0 are removed from the kernel that they feed, instead of being set to 0.

That is the same sum of the same products, as a product with 0 is 0; and the layers between, such as
pooling, need not be computed again. It holds for finite outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ftnoise.faults.graph import Graph, Step
from ftnoise.faults.sites import OutputTarget
from ftnoise.layers.convolution import ImageConv2D

LAYERS = keras.layers
# Unit by unit, they give 0 where all they are given is 0. These classes, and none below them: a
# subclass may do anything with its inputs.
KEEP_ZERO = (
    LAYERS.MaxPooling1D,
    LAYERS.MaxPooling2D,
    LAYERS.AveragePooling1D,
    LAYERS.AveragePooling2D,
    LAYERS.GlobalMaxPooling1D,
    LAYERS.GlobalMaxPooling2D,
    LAYERS.GlobalAveragePooling1D,
    LAYERS.GlobalAveragePooling2D,
    LAYERS.ZeroPadding2D,
    LAYERS.Dropout,
)
# Their kernels are [..., in, out]; those of transposed convolutions, below them, are not.
CONSUMERS = (LAYERS.Dense, LAYERS.Conv1D, LAYERS.Conv2D, LAYERS.Conv3D, ImageConv2D)


@dataclass(frozen=True, eq=False)
class Removal:
    """The step from whose kernel a target's units are removed, and the kernel's rows for a unit."""

    step: Step
    repeats: int

    def kernel(self, hit: Any) -> Any:
        """The kernel with zeros for the units that are hit, bool `[units]`."""
        rows = tf.tile(hit, [self.repeats])[:, None]
        zero = tf.zeros([], self.step.layer.compute_dtype)
        return tf.where(rows, zero, tf.convert_to_tensor(self.step.layer.kernel))


def removal(graph: Graph, target: OutputTarget) -> Removal | None:
    """Where a target's units can be removed, if anywhere."""
    if target.before or len(target.grid) != 1 or graph.calls(target.tapped) != 1:
        return None
    (step,) = (step for step in graph.steps if step.layer is target.tapped)
    flattened = 1
    while True:
        following = graph.consumers(step.outputs[0])
        if len(step.outputs) != 1 or step.outputs[0] == graph.output or len(following) != 1:
            return None
        given = step.shapes[0]
        (step,) = following
        layer, kind = step.layer, type(step.layer)
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        if kind is LAYERS.Flatten and None not in given[1:] and flattened == 1:
            flattened = math.prod(given[1:-1])  # type: ignore[arg-type]
        elif kind not in KEEP_ZERO:
            break
    rows = target.size * flattened
    if kind not in CONSUMERS or graph.calls(layer) != 1 or getattr(layer, "groups", 1) != 1:
        return None
    return Removal(step, flattened) if layer.kernel.shape[-2] == rows else None
