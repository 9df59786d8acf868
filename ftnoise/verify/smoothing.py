"""Draws of a network with a noise layer, counted: votes, and sums of its softmax.

The layers in front of the noise run once for each example, the layers after it once for each draw.
The examples of a batch share the noise of a draw, and each draw has new noise.

Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), section 3.3; Cohen, Rosenfeld and Kolter (2019), "Certified Adversarial
Robustness via Randomized Smoothing".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect
from ftnoise.layers.drawing import drawing
from ftnoise.layers.graph import unfold
from ftnoise.layers.logits import ending
from ftnoise.layers.noisy import NOISY, noisy_layer
from ftnoise.layers.sensitivity import linear_steps
from ftnoise.stats.certificates import sequential_bounds

BLOCK = 50  # draws between two looks of a sequential certificate


@dataclass(frozen=True)
class Draws:
    """Votes and softmax sums of several draws, for each example.

    Attributes:
        number: of draws.
        votes: for each class, int64 `[batch, classes]`; a draw with outputs that are no numbers
            has none.
        sums: of the softmax, float64 `[batch, classes]`, over the draws that have votes.
        squares: sums of its squares.
    """

    number: int
    votes: np.ndarray
    sums: np.ndarray
    squares: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Of the softmax, `[batch, classes]`."""
        return self.sums / self.number

    @property
    def variances(self) -> np.ndarray:
        """Sample variances of the softmax, `[batch, classes]`."""
        spread = self.squares - self.number * self.means**2
        return np.maximum(spread, 0.0) / max(1, self.number - 1)


class NoisyNetwork:
    """A network that is split at its noise layer, compiled for all draws.

    It is Sequential or functional, in inference mode, with one noise layer, and ends in at least
    two logits, their softmax or one sigmoid. Raises `BadInput` if it has another ending or not one
    noise layer, or the layers in front of the noise do not form a chain.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network, self.layer = network, noisy_layer(network)
        linear_steps(network)  # raises where a path bypasses the noise
        graph = unfold(network)
        calls = graph.calls(self.layer)
        expect(calls == 1, f"one call of the noise layer {self.layer.name}", calls=calls)
        found = ending(network, graph)
        place = next(n for n, step in enumerate(found.steps) if step.layer.name == self.layer.name)
        at = found.steps[place]
        for step in found.steps[: place + 1]:
            expect(
                not step.is_tapped, "no neuron faults up to the noise layer", layer=step.layer.name
            )
        for step in found.steps:
            expect(not step.in_training, "layers in inference mode", layer=step.layer.name)
        noisy, start = at.layer, graph.inputs[0]

        def front(x: Any) -> Any:
            values = {start: x}
            for step in found.steps[:place]:
                step.run(values)
            return noisy.before(values[at.inputs[0]])

        def logits(quantity: Any) -> Any:
            """Logits of one draw, that of the context."""
            values = {at.outputs[0]: noisy.after(quantity + noisy.noise(quantity))}
            for step in found.steps[place + 1 :]:
                step.run(values)
            outputs = values[found.output]
            if found.kind == "sigmoid":
                outputs = tf.concat([tf.zeros_like(outputs), outputs], axis=-1)
            return outputs

        def counted(quantity: Any, key: Any, first: Any, number: Any) -> Any:
            classes = max(2, network.output_shape[-1])
            nothing = tf.zeros([tf.shape(quantity)[0], classes], tf.float64)

            def draw(n: Any, votes: Any, sums: Any, squares: Any) -> Any:
                with drawing(tf.stack([key, first + n])):
                    outputs = logits(quantity)
                # A draw that gives no number votes for no class.
                finite = tf.reduce_all(tf.math.is_finite(outputs), axis=-1, keepdims=True)
                won = tf.one_hot(tf.argmax(outputs, -1), classes, dtype=tf.float64)
                won = tf.where(finite, won, tf.zeros_like(won))
                shares = tf.cast(tf.nn.softmax(outputs), tf.float64)
                shares = tf.where(finite, shares, tf.zeros_like(shares))
                return n + 1, votes + won, sums + shares, squares + shares**2

            start = (tf.constant(0, tf.int64), nothing, nothing, nothing)
            return tf.while_loop(lambda n, *_: n < number, draw, start, parallel_iterations=1)[1:]

        shape = [None, *network.inputs[0].shape[1:]]
        self._front = tf.function(front, input_signature=[tf.TensorSpec(shape, tf.float32)])
        number = tf.TensorSpec([], tf.int64)
        quantity = tf.TensorSpec([None, *noisy_shape(noisy, at)], tf.float32)
        self._counted = tf.function(counted, input_signature=[quantity, *[number] * 3])

    def front(self, x: Any) -> Any:
        """What the noise is added to, for examples `[batch, ...]`."""
        return self._front(tf.constant(x, tf.float32))

    def draws(self, quantity: Any, number: int, *, key: int, first: int = 0) -> Draws:
        """The results of draws `first`, `first + 1`, ... of a stream; `number` of them, at least 1.

        `quantity` is of the examples, as `front` gives it. The key is from `seeds.key`; draws of
        different keys are independent.
        """
        count(number=number)
        wanted = (tf.constant(n, tf.int64) for n in (key, first, number))
        votes, sums, squares = (part.numpy() for part in self._counted(quantity, *wanted))
        return Draws(number, votes.astype(np.int64), sums, squares)

    def sequentially(
        self,
        x: Any,
        threshold: float,
        *,
        alpha: float,
        most: int,
        selection: int,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tests whether the probability of each example's class is above a threshold, in [0, 1].

        A confidence sequence is evaluated after each block of draws. Draws for an example stop as
        soon as it is decided, or after `most`. `selection` other draws select the class. A
        statement is wrong with at most the probability `alpha`, in (0, 1).

        Gives the class `[batch]`; 1 where it is above, -1 where it is below, 0 where undecided; and
        the number of draws `[batch]`, selection included.
        """
        quantity = self.front(x)
        keys = [seeds.key(0, "sequential", part) for part in ("selection", "estimation")]
        classes = self.draws(quantity, selection, key=keys[0]).votes.argmax(1)
        size = len(classes)
        result, votes = np.zeros(size, int), np.zeros(size)
        taken, left = np.zeros(size, int), np.arange(size)
        for first in range(0, most, BLOCK):
            number = min(BLOCK, most - first)
            found = self.draws(tf.gather(quantity, left), number, key=keys[1], first=first)
            votes[left] += found.votes[np.arange(len(left)), classes[left]]
            taken[left] += number
            low, high = sequential_bounds(votes[left], taken[left], alpha)
            result[left] = np.where(low > threshold, 1, np.where(high < threshold, -1, 0))
            left = left[result[left] == 0]
            if not len(left):
                break
        return classes, result, taken + selection


def noisy_shape(layer: Any, step: Any) -> tuple[int | None, ...]:
    """The shape of what the layer adds noise to, without the batch."""
    shape = step.node.keras_inputs[0].shape if layer.on_input else step.node.outputs.shape
    return tuple(shape[1:])


def with_input_noise(network: keras.Model, std: float) -> keras.Model:
    """A model that adds normal noise to its inputs, in front of a user's model.

    The latter stays as it is; it is Sequential or functional, with one input. `std` is > 0, in
    units of the input.
    """
    noise = NOISY[keras.layers.Activation](
        activation="linear",
        scale=std,
        kind="gaussian",
        on_input=True,
        stream="noise layer",
        name="noise_in_front",
    )
    shape = network.inputs[0].shape[1:]
    return keras.Sequential([keras.layers.InputLayer(shape), noise, network], name=network.name)
