"""The mean prediction of a network over samples of its weights, as one layer.

A pass goes through the samples one after the other, forward and backward, so its memory does not
grow with their number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.layers.replacing import holding, layers


class WeightsOf:
    """The trainable weights of a network, for which tensors can stand in.

    They are attributes of its layers, as in Keras' own; else it raises `BadInput`.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        self.variables = list(network.trainable_variables)
        places: dict[int, tuple[keras.layers.Layer, str]] = {}
        for layer in layers(network):
            for name, value in vars(layer).items():
                places.setdefault(id(value), (layer, name))
        missing = [one.name for one in self.variables if id(one) not in places]
        expect(
            not missing,
            f"{network.name} with its weights in layers, not in cells or in layers of layers",
            weights=missing,
        )
        self.places = [places[id(variable)] for variable in self.variables]

    def logits(self, values: Sequence[Any], x: Any) -> Any:
        """Logits `[batch, classes]` of `x` with these values, in the order of the variables."""
        with contextlib.ExitStack() as stack:
            for place, value in zip(self.places, values, strict=True):
                stack.enter_context(holding(*place, value))
            return self.network(x, training=False)


class PosteriorMean(keras.layers.Layer):
    """The logarithm of the mean softmax over samples of a network's weights, `[batch, classes]`.

    Its softmax is the mean prediction itself. The samples are weights `[samples, ...]`, one for
    each trainable weight of the network, and all are hit by faults. The network stays as it is.
    """

    def __init__(self, network: keras.Model, samples: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = samples
        # Past Keras, which would take the network's own weights for those of the layer.
        self.__dict__["weights_of"] = WeightsOf(network)
        for number, variable in enumerate(self.weights_of.variables):
            name = variable.name.split(":")[0].replace("/", "_")
            shape = (samples, *variable.shape)
            weight = self.add_weight(name=name, shape=shape, initializer="zeros")
            setattr(self, f"samples_{number}", weight)

    def samples(self) -> list[Any]:
        """The samples `[samples, ...]` of each trainable weight of the network, as tensors."""
        places = range(len(self.weights_of.variables))
        return [tf.convert_to_tensor(getattr(self, f"samples_{place}")) for place in places]

    def probabilities(self, samples: Sequence[Any], number: Any, x: Any) -> Any:
        """The softmax `[batch, classes]` in one of the samples."""
        return tf.nn.softmax(self.weights_of.logits([part[number] for part in samples], x))

    def call(self, x: Any) -> Any:
        samples = self.samples()

        @tf.custom_gradient
        def mean(x: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                def back(number: Any, total: Any) -> Any:
                    with tf.GradientTape() as tape:
                        tape.watch(x)
                        found = self.probabilities(samples, number, x)
                    return number + 1, total + tape.gradient(found, x, upstream / self.count)

                return self._through(back, tf.zeros_like(x))

            def add(number: Any, total: Any) -> Any:
                return number + 1, total + self.probabilities(samples, number, x)

            zero = tf.zeros([tf.shape(x)[0], self.weights_of.network.output_shape[-1]], x.dtype)
            return self._through(add, zero) / self.count, gradient

        # The smallest normal number: a class that no sample gives any probability.
        return tf.math.log(tf.maximum(mean(x), 1.2e-38))

    def _through(self, step: Any, start: Any) -> Any:
        """What a step makes of the start, sample after sample."""
        loop = (tf.constant(0), start)
        return tf.while_loop(lambda number, _: number < self.count, step, loop)[1]

    def get_config(self) -> dict[str, Any]:
        """Keras' config; the network itself is not part of it."""
        return {**super().get_config(), "samples": self.count}


def posterior_network(network: keras.Model, samples: int) -> keras.Model:
    """`[batch, ...] -> log mean probabilities`: a functional model of one `PosteriorMean`."""
    inputs = keras.Input(network.input_shape[1:])
    outputs = PosteriorMean(network, samples, name="posterior")(inputs)
    return keras.Model(inputs, outputs, name=network.name)
