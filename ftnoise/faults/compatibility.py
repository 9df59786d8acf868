"""Whether examples and labels fit a network, before anything is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ftnoise.core.checks import expect, is_number
from ftnoise.core.data import finite
from ftnoise.core.errors import BadInput
from ftnoise.layers.graph import Step, unfold
from ftnoise.layers.logits import kind_of

# Threshold between two classes, by the activation of the output.
MIDDLES = {"sigmoid": 0.5, "hard_sigmoid": 0.5, "tanh": 0.0, "softsign": 0.0, "linear": 0.0}
OTHERS = ("float16", "bfloat16", "float64")
# In inference they give the values that they get, in another order or shape at most.
PASSING = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
)


def threshold_of(network: keras.Model, given: float | None = None) -> float:
    """The output above which a network with one output predicts class 1; 0 if there are several.

    None is 0.5 for a sigmoid and 0 for a tanh or a logit, by the activation of the last layer that
    changes values. Raises `BadInput` if a threshold is given for several outputs, or the meaning of
    the one output is unknown.
    """
    expect(given is None or is_number(given), "threshold a number, or None", threshold=given)
    outputs = network.output_shape[-1]
    expect(
        given is None or outputs == 1,
        f"no threshold for {network.name}, which has {outputs} outputs: the largest is its class",
        threshold=given,
    )
    if given is not None or outputs != 1:
        return float(given or 0)
    last = _last(network)
    name = last.layer.name if last else "an input"
    if last and last.function in MIDDLES:
        return MIDDLES[last.function]
    raise BadInput(
        f"Expected the one output of {network.name} to be a logit or that of a sigmoid or tanh, or "
        f"a threshold, above which it predicts class 1. Received: {name}, of unknown meaning."
    )


def gives_probabilities(network: keras.Model) -> bool:
    """Whether the last layer that changes values is a softmax or sigmoid; else they are logits."""
    last = _last(network)
    return last is not None and (kind_of(last.layer) != "logits" or last.function == "hard_sigmoid")


def _last(network: keras.Model) -> Step | None:
    """The last step that changes values; None if there is none."""
    graph = unfold(network)
    makers = {key: step for step in graph.steps for key in step.outputs}
    last = makers.get(graph.output)
    while last and _passes(last) and len(last.inputs) == 1:
        last = makers.get(last.inputs[0])
    return last


def _passes(step: Step) -> bool:
    """Whether a layer gives in inference the values that it gets."""
    inert = isinstance(step.layer, PASSING) or step.function == "linear"
    return inert and not step.layer.weights


def check_precision(network: keras.Model) -> None:
    """Raises `BadInput` unless a network computes in float32."""
    for layer in network._flatten_layers(include_self=False, recursive=True):
        own = [] if isinstance(layer, keras.layers.InputLayer) else [str(layer.compute_dtype)]
        for kind in (*own, *(variable.dtype.name for variable in layer.weights)):
            fits = kind not in OTHERS
            expect(fits, f"{network.name} to compute in float32", layer=layer.name, dtype=kind)


def check_examples(network: keras.Model, x: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """The examples as arrays, one for each input, and the labels as int64; or `BadInput`."""
    shape = tuple(network.output_shape)
    expect(
        len(shape) == 2 and shape[1] is not None,
        f"outputs of {network.name} of shape [n, classes]",
        shape=shape,
    )
    examples = check_inputs(network, x)
    labels = labels_of(y, len(examples[0]))
    classes = max(2, shape[1])
    low, high = int(labels.min()), int(labels.max())
    expect(
        low >= 0 and high < classes,
        f"labels from 0 to {classes - 1} for {network.name}",
        lowest=low,
        highest=high,
    )
    return examples, labels


def check_inputs(network: keras.Model, x: Any) -> list[np.ndarray]:
    """The examples as arrays in the types of the network's inputs.

    Raises `BadInput` if they do not fit the network, or it does not compute in float32.
    """
    check_precision(network)
    arrays = [_array(one, "x") for one in (x if isinstance(x, list | tuple) else [x])]
    shapes = [["n", *tensor.shape[1:]] for tensor in network.inputs]
    wanted = ["[" + ", ".join(str(size or "any") for size in shape) + "]" for shape in shapes]
    expected = f"examples of shape {' and '.join(wanted)} for {network.name}"
    if len(arrays) != len(shapes) and isinstance(x, list | tuple):
        raise BadInput(
            f"Expected {expected}. Received: a {type(x).__name__} of {len(x)}, which are taken as "
            f"{len(x)} inputs: pass an array for each input, such as numpy.array(x)."
        )
    expect(
        len(arrays) == len(shapes)
        and all(
            tensor.shape.is_compatible_with([None, *array.shape[1:]])
            for array, tensor in zip(arrays, network.inputs, strict=True)
        ),
        expected,
        x=[array.shape for array in arrays],
    )
    count = len(arrays[0])
    expect(count > 0, "at least one example", examples=count)
    names = ["x"] if len(arrays) == 1 else [f"x[{n}]" for n in range(len(arrays))]
    inputs = zip(arrays, network.inputs, names, strict=True)
    return [finite(array, tensor.dtype.as_numpy_dtype, name) for array, tensor, name in inputs]


def labels_of(y: Any, count: int) -> np.ndarray:
    """The labels of `count` examples as int64 `[n]`."""
    labels = _array(y, "y")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    expected = f"Expected {count} integer labels, one for each example. Received"
    if labels.ndim == 2 and (labels >= 0).all() and np.allclose(labels.sum(axis=1), 1):
        raise BadInput(
            f"{expected}: one-hot labels or probabilities of shape {labels.shape}: pass "
            "y.argmax(axis=1)."
        )
    if labels.shape != (count,):
        raise BadInput(f"{expected}: y of shape {labels.shape}.")
    finite(labels, labels.dtype, f"y, {count} integer labels")
    if not (labels == np.floor(labels)).all():
        broken = labels[labels != np.floor(labels)][0]
        raise BadInput(
            f"{expected}: y with {broken:g}, as the targets of a regression, which have no "
            "accuracy: use ftnoise.injected(model, fault) and your own error."
        )
    return labels.astype(np.int64)


def _array(given: Any, name: str) -> np.ndarray:
    """`given` as an array of numbers."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError):  # rows of different lengths
        array = np.asarray(None)
    expect(
        array.dtype.kind in "fiub",
        f"{name} to be an array of numbers",
        type=type(given).__name__,
        dtype=str(array.dtype),
    )
    return array
