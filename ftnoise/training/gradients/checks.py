"""Checks before a training that DP-SGD clips the examples of a network correctly.

The layers have to be known, and a trial has to succeed: the clipped sum over a few random examples
must equal the sum of their clipped gradients, each computed alone. The trial finds layers that mix
the examples of a batch, whatever their class.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.training.gradients.clipping import clipped_sum
from ftnoise.training.gradients.recording import RecordingTape, refuse, refuse_calls

# Examples of the trial; few other dimensions have this size.
TRIED = 3
# Largest difference, relative to the sum, that counts as rounding.
TOLERANCE = 1e-3


def check(network: keras.Model) -> bool:
    """Refuses a network whose examples cannot be clipped correctly; its weights stay the same.

    Returns:
        Whether the network is random in training, so that a repeated step has another result.

    Raises:
        BadInput: names the layer or the network, and what to use instead.
    """
    refuse(network)
    try:
        x = examples(network)
        random = randomness(network, x) or draws(network)
        compare(network, x, training=not random)
    except BadInput:
        raise
    except (ValueError, TypeError, NotImplementedError, tf.errors.OpError) as error:
        # Keras names the layer in the first line, and the error in the next.
        text = " ".join(filter(None, str(error).splitlines()[:3])) or type(error).__name__
        raise BadInput(
            f"Expected {network.name} to be a network whose examples can be clipped. "
            f"Received: {text}"
        ) from error
    return random


def examples(network: keras.Model) -> Any:
    """`TRIED` random examples `[TRIED, *input]` of the input shape of the network."""
    (inputs,) = network.inputs
    shape = [TRIED, *inputs.shape[1:]]
    if None in shape:
        raise BadInput(
            f"Expected {network.name} with an input of fixed size. Received: {tuple(inputs.shape)}."
        )
    if not inputs.dtype.is_floating:
        raise BadInput(
            f"Expected {network.name} with floating-point inputs. Received: {inputs.dtype.name}."
        )
    return tf.random.stateless_normal(shape, [0, 0], dtype=inputs.dtype)


def draws(network: keras.Model) -> bool:
    """Whether a layer has a random generator; one with a small rate may not show it in a trial."""
    names = ("_random_generator", "random_generator", "seed_generator")
    return any(
        hasattr(layer, name)
        for layer in network._flatten_layers(include_self=True, recursive=True)
        for name in names
    )


def randomness(network: keras.Model, x: Any) -> bool:
    """Whether two passes in training differ; refuses layers that keep statistics of examples."""
    kept = [
        (weight, weight.numpy())
        for weight in network.non_trainable_weights
        if weight.dtype.is_floating
    ]
    first, second = network(x, training=True), network(x, training=True)
    changed = [weight.name for weight, before in kept if (weight.numpy() != before).any()]
    for weight, before in kept:
        weight.assign(before)
    if changed:
        raise BadInput(
            "Expected layers that keep no statistics of the examples, which DP-SGD does not cover. "
            f"Received: {changed[0]}, which changes in training."
        )
    return bool(tf.reduce_any(first != second))


def compare(network: keras.Model, x: Any, *, training: bool) -> None:
    """Raises `BadInput` where the clipped sum differs from a loop over the examples."""
    variables = network.trainable_variables
    if not variables:
        raise BadInput(f"Expected {network.name} to have trainable weights. Received: none.")

    def losses_of(x: Any) -> Any:
        outputs = tf.reshape(network(x, training=training), [tf.shape(x)[0], -1])
        # Each output has a slope of its own.
        slopes = tf.cast(tf.linspace(1.0, 2.0, outputs.shape[1]), outputs.dtype)
        return tf.reduce_sum(slopes * outputs, axis=1)

    with RecordingTape(network) as tape:
        losses = losses_of(x)
    refuse_calls(tape)
    for record in tape.records:
        sizes = {tf.nest.flatten(part)[0].shape[0] for part in (record.inputs, record.outputs)}
        if sizes != {TRIED}:
            raise BadInput(
                "Expected layers that see a batch as a batch. Received: "
                f"{record.layer.name}, which gets its positions as examples (TimeDistributed?)."
            )
    alone = []
    for n in range(TRIED):
        with tf.GradientTape(watch_accessed_variables=False) as single:
            single.watch(variables)
            loss = losses_of(x[n : n + 1])
        alone.append(single.gradient(loss, variables, unconnected_gradients="zero"))
    norms = [float(tf.linalg.global_norm(gradients)) for gradients in alone]
    # The median norm, so that one example is clipped and another is not.
    clip = max(sorted(norms)[TRIED // 2], 1e-6)
    together, _ = clipped_sum(tape.parts(losses), variables, clip)
    factors = [min(1.0, clip / max(norm, clip)) for norm in norms]
    differences = [
        total - tf.add_n([factor * part[n] for factor, part in zip(factors, alone, strict=True)])
        for n, total in enumerate(together)
    ]
    gap = float(tf.linalg.global_norm(differences)) / (TRIED * clip)
    if not gap <= TOLERANCE:
        raise BadInput(
            f"Expected {network.name} to treat each example by itself, as the clipped sum of "
            f"{TRIED} random ones together must be that of each alone: leave out layers that look "
            f"at the whole batch. Received: sums that differ by {gap:.2g} of the largest."
        )
