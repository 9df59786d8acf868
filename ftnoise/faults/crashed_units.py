"""Neurons stuck at 0 are removed from the kernel that they feed, instead of being set to 0.

That is the same sum of the same products, as a product with 0 is 0; and the layers between, such as
pooling, need not be computed again. It holds for finite outputs.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ftnoise.faults.graph import Graph, Step
from ftnoise.faults.injection import put
from ftnoise.faults.sites import OutputTarget
from ftnoise.layers.convolution import ImageConv2D

LAYERS = keras.layers
# Unit by unit, they give 0 where all they are given is 0. These classes, and none below them: a
# subclass may do anything with its inputs.
KEEP_ZERO = (
    LAYERS.MaxPooling1D,
    LAYERS.MaxPooling2D,
    LAYERS.MaxPooling3D,
    LAYERS.AveragePooling1D,
    LAYERS.AveragePooling2D,
    LAYERS.AveragePooling3D,
    LAYERS.GlobalMaxPooling1D,
    LAYERS.GlobalMaxPooling2D,
    LAYERS.GlobalAveragePooling1D,
    LAYERS.GlobalAveragePooling2D,
    LAYERS.ZeroPadding1D,
    LAYERS.ZeroPadding2D,
    LAYERS.UpSampling2D,
    LAYERS.Cropping2D,
    LAYERS.Dropout,
    LAYERS.SpatialDropout1D,
    LAYERS.SpatialDropout2D,
    LAYERS.SpatialDropout3D,
)
# Their kernels are [..., in, out]; those of transposed convolutions, below them, are not.
CONSUMERS = (LAYERS.Dense, LAYERS.Conv1D, LAYERS.Conv2D, LAYERS.Conv3D, ImageConv2D)


@dataclass(frozen=True, eq=False)
class Removal:
    """The step from whose kernel a target's units are removed, and the kernel's rows for a unit."""

    step: Step
    repeats: int

    @contextlib.contextmanager
    def without(self, hit: Any) -> Iterator[None]:
        """The layer's kernel has zeros for the units that are hit (`[units]`) inside the block."""
        layer = self.step.layer
        before = vars(layer)["kernel"]
        rows = tf.tile(hit, [self.repeats])
        try:
            vars(layer)["kernel"] = tf.where(
                rows[:, None], tf.zeros([], layer.compute_dtype), tf.convert_to_tensor(before)
            )
            yield
        finally:
            put(layer, "kernel", before)


def removals(graph: Graph, targets: Sequence[OutputTarget]) -> dict[OutputTarget, Removal]:
    """Where the units of each target are removed, for those for which it is possible."""
    found = {target: _removal(graph, target) for target in targets}
    return {target: removal for target, removal in found.items() if removal}


def _removal(graph: Graph, target: OutputTarget) -> Removal | None:
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
        layer = step.layer
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        kind = type(layer)
        if kind is LAYERS.Flatten:
            if None in given[1:] or flattened > 1:
                return None
            flattened = math.prod(given[1:-1])  # type: ignore[arg-type]
        elif kind in CONSUMERS:
            return _fed(graph, step, target, flattened)
        elif kind not in KEEP_ZERO:
            return None


def _fed(graph: Graph, step: Step, target: OutputTarget, flattened: int) -> Removal | None:
    layer = step.layer
    kernel = vars(layer).get("kernel")
    if graph.calls(layer) != 1 or not isinstance(kernel, tf.Variable):
        return None
    if getattr(layer, "groups", 1) != 1 or kernel.shape[-2] != target.size * flattened:
        return None
    return Removal(step, flattened)
