"""Checks before a training that DP-SGD clips the examples of a network correctly.

The layers have to be known, and trials on a few random examples have to succeed:

- the clipped sum over the examples equals the sum of their clipped gradients, each computed alone;
- in a pass in training mode, the loss of an example has no gradient in the input of another, nor in
  anything that is recorded of another, whatever random layers draw;
- no variable that a pass touches, tracked by Keras or not, depends on the examples afterwards.

So they find layers that mix the examples of a batch or keep statistics of them, whatever their
class.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.training.gradients.clipping import clipped_sum
from ftnoise.training.gradients.recording import RecordingTape, refuse, refuse_calls

# Numbers of examples; few other dimensions have these sizes. What one of them hides, such as a
# cyclic shift by that number, another shows, unless it is a shift by a multiple of 385.
TRIED, MORE, MOST = 5, 7, 11
# Largest difference, relative to the sum, that counts as rounding.
TOLERANCE = 1e-3


def check(network: keras.Model) -> bool:
    """Refuses a network whose examples cannot be clipped correctly; its variables stay the same.

    Returns whether the network is random in training, so that a repeated step has another result.
    `BadInput` names the layer or the network, and what to use instead.
    """
    refuse(network)
    try:
        x, other, more = (examples(network, *how) for how in ((TRIED, 0), (TRIED, 1), (MORE, 2)))
        kept = [(variable, variable.numpy()) for variable in touched(network, x)]
        try:
            refuse_statistics(network, kept, (x, other, more))
            random = draws(network) or randomness(network, x)
            compare(network, x, training=not random)
            for batch in (x, more, examples(network, MOST, 3)):
                refuse_mixing(network, batch)
        finally:
            restore(kept)
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


def examples(network: keras.Model, count: int, seed: int) -> Any:
    """Random examples `[count, *input]` of the input shape of the network."""
    (inputs,) = network.inputs
    shape = [count, *inputs.shape[1:]]
    if None in shape:
        raise BadInput(
            f"Expected {network.name} with an input of fixed size. Received: {tuple(inputs.shape)}."
        )
    if not inputs.dtype.is_floating:
        raise BadInput(
            f"Expected {network.name} with floating-point inputs. Received: {inputs.dtype.name}."
        )
    layers = network._flatten_layers(include_self=True, recursive=True)
    sizes = [layer.input_dim for layer in layers if isinstance(layer, keras.layers.Embedding)]
    if sizes:
        # Indices. Not 0, which may stand for padding: a short sequence could be nothing else.
        most = max(min(sizes), 2)
        drawn = tf.random.stateless_uniform(shape, [0, seed], 1, most, dtype=tf.int32)
        return tf.cast(drawn, inputs.dtype)
    return tf.random.stateless_normal(shape, [0, seed], dtype=inputs.dtype)


def draws(network: keras.Model) -> bool:
    """Whether a layer has a random generator; one with a small rate may not show it in a trial."""
    names = ("_random_generator", "random_generator", "seed_generator")
    return any(
        hasattr(layer, name)
        for layer in network._flatten_layers(include_self=True, recursive=True)
        for name in names
    )


def randomness(network: keras.Model, x: Any) -> bool:
    """Whether two passes in training differ."""
    first, second = network(x, training=True), network(x, training=True)
    return bool(tf.reduce_any(first != second))


def touched(network: keras.Model, x: Any) -> list[tf.Variable]:
    """The variables of a network and any other that a pass in training reads or changes."""
    traced = tf.function(lambda x: network(x, training=True)).get_concrete_function(x)
    found = {id(variable): variable for variable in (*network.weights, *traced.graph.variables)}
    return list(found.values())


def restore(kept: list[tuple[tf.Variable, Any]]) -> None:
    """Gives variables their kept values."""
    for variable, value in kept:
        variable.assign(value)


def refuse_statistics(
    network: keras.Model, kept: list[tuple[tf.Variable, Any]], batches: tuple[Any, Any, Any]
) -> None:
    """Refuses variables that differ after other examples, or after more of them."""
    after = []
    for x in batches:
        restore(kept)
        network(x, training=True)
        after.append([variable.numpy().tobytes() for variable, _ in kept])
    restore(kept)
    for (variable, _), first, other, more in zip(kept, *after, strict=True):
        # A tf.random.Generator counts what it draws: more for more examples.
        generator = variable.dtype == tf.int64 and variable.shape == [3]
        if first != other or (first != more and not generator):
            raise BadInput(
                "Expected layers that keep no statistics of the examples, which DP-SGD does not "
                f"cover. Received: {variable.name}, which changes with them in training."
            )


def refuse_mixing(network: keras.Model, x: Any) -> None:
    """Refuses a network in which the loss of an example depends on another, whatever is drawn."""
    with RecordingTape(network, persistent=True) as tape:
        tape.watch(x)
        losses = losses_of(network, x, training=True)
    places = {"the input": x} | {record.layer.name: record.outputs for record in tape.records}
    for own in range(len(x)):
        chosen = tf.one_hot(own, len(x), dtype=losses.dtype)
        gradients = tape.gradient(
            losses, places, output_gradients=chosen, unconnected_gradients="zero"
        )
        for place, gradient in gradients.items():
            others = tf.boolean_mask(gradient, chosen == 0)
            if not bool(tf.reduce_all(others == 0)):
                raise BadInput(
                    f"Expected {network.name} to treat each example by itself in training: leave "
                    "out layers that look at the whole batch. Received: a loss of one example that "
                    f"depends on {place} of another."
                )


def losses_of(network: keras.Model, x: Any, training: bool) -> Any:
    """A loss of each example, `[batch]`, with a slope of its own for each output."""
    outputs = tf.reshape(network(x, training=training), [tf.shape(x)[0], -1])
    slopes = tf.cast(tf.linspace(1.0, 2.0, outputs.shape[1]), outputs.dtype)
    return tf.reduce_sum(slopes * outputs, axis=1)


def compare(network: keras.Model, x: Any, *, training: bool) -> None:
    """Raises `BadInput` where the clipped sum differs from a loop over the examples."""
    variables = network.trainable_variables
    if not variables:
        raise BadInput(f"Expected {network.name} to have trainable weights. Received: none.")

    with RecordingTape(network) as tape:
        losses = losses_of(network, x, training)
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
            loss = losses_of(network, x[n : n + 1], training)
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
