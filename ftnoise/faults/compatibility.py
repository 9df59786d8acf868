"""Whether examples and labels fit a network, before anything is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ftnoise.core.checks import expect, is_number
from ftnoise.core.errors import BadInput
from ftnoise.faults.graph import unfold

LAYERS = keras.layers
# Threshold between two classes, by activation.
MIDDLES = {"sigmoid": 0.5, "hard_sigmoid": 0.5, "tanh": 0.0, "softsign": 0.0}
# Layers that keep a single output on its side of a threshold.
PASSING = (
    LAYERS.Flatten,
    LAYERS.Reshape,
    LAYERS.Dropout,
    LAYERS.GlobalAveragePooling1D,
    LAYERS.GlobalAveragePooling2D,
    LAYERS.GlobalMaxPooling1D,
    LAYERS.GlobalMaxPooling2D,
)
PASSING_FUNCTIONS = ("cast", "identity", "reshape", "squeeze", "expand_dims")
OTHERS = ("float16", "bfloat16", "float64")


def threshold_of(network: keras.Model, given: float | None = None) -> float:
    """The output above which a network with one output predicts class 1.

    Args:
        network: with outputs `[batch, classes]`; where there is no single class, it is never used.
        given: the user's own; None is 0.5 for a sigmoid and 0 for a tanh or a logit, by the last
            activation before the output.

    Raises:
        BadInput: it is no number, or the meaning of the output is unknown.
    """
    expect(given is None or is_number(given), "threshold a number, or None", threshold=given)
    if given is not None or network.output_shape[-1] != 1:
        return float(given or 0)
    graph = unfold(network)
    key, last = graph.output, None
    makers = {made: step for step in graph.steps for made in step.outputs}
    while (step := makers.get(key)) is not None:
        last = last or step.layer.name
        name = step.function
        if name in MIDDLES:
            return MIDDLES[name]
        alone = len(step.inputs) == len(step.outputs) == 1
        linear = name == "linear"
        passing = isinstance(step.layer, PASSING) or name in PASSING_FUNCTIONS
        if not (alone and (passing or (linear and isinstance(step.layer, LAYERS.Activation)))):
            if linear:
                return 0.0
            break
        (key,) = step.inputs
    raise BadInput(
        f"Expected the one output of {network.name} to be a logit or that of a sigmoid or tanh, or "
        f"a threshold, above which it predicts class 1. Received: {last}, of unknown meaning."
    )


def check_precision(network: keras.Model) -> None:
    """Raises `BadInput` unless a network computes in float32."""
    for layer in network._flatten_layers(include_self=False, recursive=True):
        kinds = [variable.dtype.name for variable in layer.weights]
        if not isinstance(layer, LAYERS.InputLayer):
            kinds.append(str(layer.compute_dtype))
        other = next((kind for kind in kinds if kind in OTHERS), None)
        expect(
            other is None, f"{network.name} to compute in float32", layer=layer.name, dtype=other
        )


def _shape(one: tuple[int | None, ...]) -> str:
    return f"[{', '.join(['n', *('any' if size is None else str(size) for size in one)])}]"


def check_examples(network: keras.Model, x: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """The examples as a list of arrays, one for each input, and the labels as int64.

    Raises:
        BadInput: they do not fit the network or each other.
    """
    check_precision(network)
    several = isinstance(x, list | tuple)
    arrays = [np.asarray(one) for one in (x if several else [x])]
    wanted = [tuple(tensor.shape[1:]) for tensor in network.inputs]
    fits = len(arrays) == len(wanted) and all(
        array.ndim == len(shape) + 1
        and all(size in (None, own) for size, own in zip(shape, array.shape[1:], strict=True))
        for array, shape in zip(arrays, wanted, strict=True)
    )
    expect(
        fits,
        f"examples of shape {' and '.join(map(_shape, wanted))} for {network.name}",
        x=[array.shape for array in arrays],
    )
    for array in arrays:
        expect(
            array.dtype.kind in "fiub" and bool(np.isfinite(array).all()),
            "examples that are finite numbers",
            dtype=str(array.dtype),
        )
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    count = len(arrays[0])
    expect(count > 0, "at least one example", examples=count)
    whole = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f"
        and bool((np.isfinite(labels) & (labels == np.floor(labels))).all())
    )
    expect(
        labels.shape == (count,) and whole,
        f"{count} integer labels, one for each example",
        y=labels.shape,
        dtype=str(labels.dtype),
    )
    shape = tuple(network.output_shape)
    expect(
        len(shape) == 2 and shape[1] is not None,
        f"outputs of {network.name} of shape [n, classes]",
        shape=shape,
    )
    classes = max(2, shape[1])
    low, high = int(labels.min()), int(labels.max())
    expect(
        low >= 0 and high < classes,
        f"labels from 0 to {classes - 1} for {network.name}",
        lowest=low,
        highest=high,
    )
    inputs = zip(arrays, network.inputs, strict=True)
    return [array.astype(tensor.dtype.as_numpy_dtype) for array, tensor in inputs], labels.astype(
        np.int64
    )
