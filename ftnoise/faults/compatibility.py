"""Whether examples and labels fit a network, before anything is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ftnoise.core.checks import expect, is_number
from ftnoise.core.errors import BadInput
from ftnoise.faults.graph import unfold

# Threshold between two classes, by the activation of the output.
MIDDLES = {"sigmoid": 0.5, "hard_sigmoid": 0.5, "tanh": 0.0, "softsign": 0.0, "linear": 0.0}
OTHERS = ("float16", "bfloat16", "float64")


def threshold_of(network: keras.Model, given: float | None = None) -> float:
    """The output above which a network with one output predicts class 1.

    Args:
        network: with outputs `[batch, classes]`; where there is no single class, it is never used.
        given: the user's own; None is 0.5 for a sigmoid and 0 for a tanh or a logit, by the
            activation of the last layer.

    Raises:
        BadInput: it is no number, or the meaning of the output is unknown.
    """
    expect(given is None or is_number(given), "threshold a number, or None", threshold=given)
    if given is not None or network.output_shape[-1] != 1:
        return float(given or 0)
    graph = unfold(network)
    last = next((step for step in graph.steps if graph.output in step.outputs), None)
    name = last.layer.name if last else "an input"
    # A linear layer without weights, such as an Activation, passes on what it is given.
    if last and last.function in MIDDLES and (last.function != "linear" or last.layer.weights):
        return MIDDLES[last.function]
    raise BadInput(
        f"Expected the one output of {network.name} to be a logit or that of a sigmoid or tanh, or "
        f"a threshold, above which it predicts class 1. Received: {name}, of unknown meaning."
    )


def check_precision(network: keras.Model) -> None:
    """Raises `BadInput` unless a network computes in float32."""
    for layer in network._flatten_layers(include_self=False, recursive=True):
        own = [] if isinstance(layer, keras.layers.InputLayer) else [str(layer.compute_dtype)]
        for kind in (*own, *(variable.dtype.name for variable in layer.weights)):
            fits = kind not in OTHERS
            expect(fits, f"{network.name} to compute in float32", layer=layer.name, dtype=kind)


def check_examples(network: keras.Model, x: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """The examples as a list of arrays, one for each input, and the labels as int64.

    Raises:
        BadInput: they do not fit the network or each other.
    """
    check_precision(network)
    arrays = [np.asarray(one) for one in (x if isinstance(x, list | tuple) else [x])]
    shapes = [["n", *tensor.shape[1:]] for tensor in network.inputs]
    wanted = ["[" + ", ".join(str(size or "any") for size in shape) + "]" for shape in shapes]
    expect(
        len(arrays) == len(shapes)
        and all(
            tensor.shape.is_compatible_with([None, *array.shape[1:]])
            for array, tensor in zip(arrays, network.inputs, strict=True)
        ),
        f"examples of shape {' and '.join(wanted)} for {network.name}",
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
    expect(
        labels.shape == (count,)
        and labels.dtype.kind in "iubf"
        and bool((np.isfinite(labels) & (labels == np.floor(labels))).all()),
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
    examples = [array.astype(tensor.dtype.as_numpy_dtype) for array, tensor in inputs]
    return examples, labels.astype(np.int64)
