"""Hardening of a network: activations that are clamped, and parameters that are protected.

Sources: those of `layers.clamp`; Hari et al. (2022), "Making Convolutions Resilient via Algorithm-
Based Error Detection Techniques", and Schorn et al. (2018), "Accurate Neuron Resilience Prediction
for a Flexible Reliability Management in Neural Network Accelerators", for protecting what matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect, fraction
from ftnoise.faults.compatibility import check_examples, check_inputs
from ftnoise.faults.sites import output_targets
from ftnoise.layers.clamp import Clamp
from ftnoise.layers.graph import unfold
from ftnoise.layers.ranges import ranges
from ftnoise.layers.replacing import replaced

PER, TO = ("layer", "channel"), ("bound", "zero")
AT_ONCE = 100  # examples of a gradient
SLACK = 1e-4  # of a range, on either side


def clamped(model: keras.Model, x: Any, *, per: str = "layer", to: str = "bound") -> keras.Model:
    """A copy of a model whose hidden activations stay in the ranges that they have on examples.

    Args:
        model: Sequential or functional, with one output; it stays as it is.
        x: training examples as the model takes them, `[n, ...]`, or a list of arrays for several
            inputs.
        per: one range for each `layer`, or for each `channel` (each unit of a dense layer).
        to: a value outside is moved to the nearest `bound`, or becomes `zero`, as does NaN.

    Returns:
        A functional model with the same layers, which keep their names, and a `Clamp` after the
        activation of each hidden layer with units.

    Raises:
        BadInput: an argument does not fit, or the model has no hidden layer with units.
    """
    expect(per in PER, f"per {' or '.join(PER)}", per=per)
    expect(to in TO, f"to {' or '.join(TO)}", to=to)
    examples = check_inputs(model, x)
    copy = replaced(model)
    graph = unfold(copy)
    targets = [target for target in output_targets(copy, False) if not target.before]
    tapped = {id(target.tapped): target for target in targets}
    wanted = {
        step.outputs[0]: tapped[id(step.layer)].grid if per == "channel" else ()
        for step in graph.steps
        if id(step.layer) in tapped
    }
    expect(len(wanted) > 0, f"hidden layers with units in {model.name}", layers=len(wanted))
    found, _ = ranges(copy, examples, wanted)
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in copy.inputs]
    values: dict[Any, Any] = dict(zip(graph.inputs, inputs, strict=True))
    for step in graph.steps:
        step.run(values, inference=False)
        if (key := step.outputs[0]) in found:
            low, high = found[key]
            # Rounding differs with the size of a batch.
            low, high = low - SLACK * (high - low), high + SLACK * (high - low)
            # A ReLU gives nothing below 0 to begin with.
            least = None if step.function == "relu" else low.tolist()
            place = sum(step.layer is one.layer for one in graph.steps[: graph.steps.index(step)])
            name = f"{step.layer.name}_clamp{f'_{place}' if place else ''}"
            values[key] = Clamp(low=least, high=high.tolist(), to=to, name=name)(values[key])
    return keras.Model(inputs, values[graph.output], name=model.name)


def most_sensitive(
    campaign: Any, share: float, examples: tuple[Any, Any] | None = None
) -> list[np.ndarray]:
    """The parameters that faults would hurt most, by their gradients: a mask for each target.

    The sensitivity of a parameter is the largest change of it by a flip of one bit of its code,
    times the mean over batches of the absolute gradient of the cross-entropy. Protection is better
    on the examples of the gradients than on others.

    The masks are bool, of the shapes of the parameters, which are stored (`where.stored`). `share`,
    in [0, 1], is of those of all targets. The first 1,000 `examples`, x and y, give the gradients;
    None is those of the campaign.
    """
    fraction(share=share)
    stored = campaign.fault.where.stored
    expect(stored is not None, "parameters stored in a format, to be protected", stored=stored)
    sensitivity = []
    for target, gradient in zip(campaign.targets, gradients(campaign, examples), strict=True):
        largest = np.zeros(target.variable.shape)
        for bit in range(target.code.bits):
            change = target.code.changes(target.variable, bit)
            change = tf.where(tf.math.is_finite(change), tf.abs(change), tf.float32.max)
            largest = np.maximum(largest, change.numpy().astype(np.float64))
        sensitivity.append(gradient * largest)
    flat = np.concatenate([values.ravel() for values in sensitivity])
    chosen = np.zeros(len(flat), bool)
    chosen[np.argsort(-flat, kind="stable")[: round(share * len(flat))]] = True
    ends = np.cumsum([values.size for values in sensitivity])[:-1]
    parts = zip(np.split(chosen, ends), sensitivity, strict=True)
    return [part.reshape(values.shape) for part, values in parts]


def gradients(campaign: Any, examples: tuple[Any, Any] | None = None) -> list[np.ndarray]:
    """The mean over batches of the absolute gradient of the cross-entropy, for each target."""
    every, labels = campaign.x, campaign.y
    if examples is not None:
        every, labels = check_examples(campaign.network, *examples)
    variables = [target.variable for target in campaign.targets]

    @tf.function(autograph=False, reduce_retracing=True)
    def gradient(x: Sequence[Any], y: Any) -> Any:
        loss = campaign.decisions.cross_entropy
        return [tf.abs(one) for one in campaign.gradients(x, y, variables, loss)]

    total = [np.zeros(variable.shape) for variable in variables]
    starts = range(0, min(1000, len(labels)), AT_ONCE)
    for start in starts:
        part = slice(start, start + AT_ONCE)
        x = [tf.constant(one[part]) for one in every]
        for kept, more in zip(total, gradient(x, tf.constant(labels[part])), strict=True):
            kept += more.numpy() / len(starts)
    return total
