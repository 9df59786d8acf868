"""Checks of a user's model and examples before attacks, bounds and certificates."""

from __future__ import annotations

from typing import Any

from ftnoise.core.checks import expect, is_number
from ftnoise.core.data import Data
from ftnoise.core.lazy import keras, np, tf

FIRST = 20  # examples that show whether outputs repeat


def check_range(low: object, high: object) -> None:
    """Raises `BadInput` unless these are the ends of a range of inputs."""
    ends = is_number(low) and is_number(high)
    expect(ends and low < high, "low < high", low=low, high=high)  # type: ignore[operator]


def attackable(
    model: keras.Model, x: Any, y: Any, low: float, high: float
) -> tuple[keras.Model, np.ndarray, np.ndarray | None]:
    """The model from [0, 1] to logits, the examples `[n, ...]` in [0, 1], and the labels `[n]`.

    The examples are given in [low, high], the range that the model takes. Raises `BadInput` as
    `checked_classifier`, and if the model has no gradient in its input.
    """
    from ftnoise.layers.logits import Logits

    examples, labels = checked_classifier(model, x, y)
    lowest, highest = float(examples.min()), float(examples.max())
    inside = lowest >= low and highest <= high
    limits = f"[{low:g}, {high:g}]"
    expect(inside, f"examples in {limits}, or other low and high", lowest=lowest, highest=highest)
    if (low, high) != (0, 1):
        scaling = keras.layers.Rescaling(high - low, low)
        shape = model.inputs[0].shape[1:]
        model = keras.Sequential([keras.Input(shape), scaling, model], name=model.name)
        examples = ((examples - low) / (high - low)).clip(0, 1).astype(np.float32)
    network = Logits(model)
    with tf.GradientTape() as tape:
        inputs = tf.constant(examples[:1])
        tape.watch(inputs)
        outputs = network(inputs)
    known = tape.gradient(outputs, inputs) is not None
    expect(known, f"{model.name} to have a gradient in its input, to attack it", gradient=known)
    return network, examples, labels


def checked_classifier(
    model: keras.Model, x: Any, y: Any = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The examples `[n, ...]`, float32, and the labels `[n]` if there are any.

    Raises `BadInput` unless the model has one floating-point input, repeats its outputs in
    inference, and gives an example the same whatever else is in its batch.
    """
    from ftnoise.faults.compatibility import check_examples, check_inputs
    from ftnoise.layers.graph import unfold
    from ftnoise.layers.logits import are_probabilities, ending

    graph = unfold(model)
    expect(len(model.inputs) == 1, "a model with one input", inputs=len(model.inputs))
    labels = None
    if y is None:
        (examples,) = check_inputs(model, x)
    else:
        (examples,), labels = check_examples(model, x, y)
    floating = examples.dtype.kind == "f"
    expect(floating, "a model with floating-point inputs", dtype=str(examples.dtype))
    weights = model.get_weights()
    first = [model(examples[:FIRST], training=False).numpy() for _ in range(2)]
    finite = bool(np.isfinite(first[0]).all())
    expect(finite, f"finite outputs of {model.name}", outputs="NaN or infinity")
    same = bool((first[0] == first[1]).all())
    same &= all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
    expect(same, f"{model.name} to repeat its outputs in inference", repeats=same)
    single = np.concatenate(
        [model(examples[n : n + 1], training=False) for n in range(len(first[0]))]
    )
    alone = bool(np.allclose(single, first[0], rtol=1e-3, atol=1e-3 * np.abs(first[0]).max()))
    expect(alone, f"{model.name} to treat each example of a batch by itself", by_itself=alone)
    if len(model.output_shape) == 2 and ending(model, graph).kind == "logits":
        expect(
            not are_probabilities(first[0]),
            f"{model.name} to end in logits, or in a softmax or sigmoid layer that can be taken "
            "off: its outputs are probabilities of another layer",
            sums=float(first[0].sum(axis=1).mean()),
        )
    return examples, labels


def arrays_only(x: np.ndarray, y: np.ndarray, x_train: Any = None, y_train: Any = None) -> Data:
    """Test examples, and training examples if there are any, for a measure of a model alone."""
    return Data(
        x_train=x[:0] if x_train is None else x_train,
        y_train=y[:0] if y_train is None else y_train,
        x_test=x,
        y_test=y,
        classes=int(y.max()) + 1,
        digest="",
    )
