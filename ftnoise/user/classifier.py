"""Checks of a user's model and examples before attacks, bounds and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect

if TYPE_CHECKING:
    import keras
    from numpy import ndarray

FIRST = 20  # examples that show whether outputs repeat


def checked_classifier(model: keras.Model, x: Any, y: Any = None) -> tuple[ndarray, ndarray | None]:
    """The examples `[n, ...]`, float32, and the labels `[n]` if there are any.

    Args:
        model: has one floating-point input, and repeats its outputs in inference.
        x: its examples.
        y: integer labels, or None.

    Raises:
        BadInput: they do not fit each other, or the model is not of this kind.
    """
    import numpy as np

    from ftnoise.faults.compatibility import check_examples, check_inputs
    from ftnoise.layers.graph import unfold

    unfold(model)
    expect(len(model.inputs) == 1, "a model with one input", inputs=len(model.inputs))
    labels = None
    if y is None:
        (examples,) = check_inputs(model, x)
    else:
        (examples,), labels = check_examples(model, x, y)
    floating = examples.dtype.kind == "f"
    expect(floating, "a model with floating-point inputs", dtype=str(examples.dtype))
    first = [model(examples[:FIRST], training=False).numpy() for _ in range(2)]
    finite = bool(np.isfinite(first[0]).all())
    expect(finite, f"finite outputs of {model.name}", outputs="NaN or infinity")
    same = bool((first[0] == first[1]).all())
    expect(same, f"{model.name} to repeat its outputs in inference", repeats=same)
    return examples, labels
