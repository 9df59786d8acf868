"""Whether examples and labels fit a network, before anything is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ftnoise.spec import expect


def threshold_of(network: keras.Model) -> float:
    """Above which a network with one output says class 1: 0.5 for a sigmoid, 0 for a logit."""
    activation = getattr(network.layers[-1], "activation", None)
    return 0.5 if getattr(activation, "__name__", "") == "sigmoid" else 0.0


def _shape(one: tuple[int | None, ...]) -> str:
    return f"[{', '.join(['n', *('any' if size is None else str(size) for size in one)])}]"


def check_examples(network: keras.Model, x: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """The examples as a list of arrays, one for each input, and the labels as int64.

    Raises:
        BadInput: they do not fit the network or each other.
    """
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
        labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
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
