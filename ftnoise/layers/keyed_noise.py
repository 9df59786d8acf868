"""Keras' noise layers, switched on at test time and keyed: a deterministic model made to draw.

Each example of a batch has noise of its own. Without noise (`drawing.mean`) the layers pass their
inputs on, as Keras' do in inference.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.checks import listed
from ftnoise.core.errors import BadInput
from ftnoise.layers.convolution import serializable
from ftnoise.layers.drawing import StochasticLayer
from ftnoise.layers.replacing import layers, replaced

# The sizes of the noise in the configurations of Keras' layers.
SIZES = ("rate", "stddev", "dropout", "recurrent_dropout")


class _Noise(StochasticLayer):
    """Base, in front of a Keras layer: `noisy` in place of its `call`."""

    def noisy(self, inputs: Any, seed: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """The inputs with noise."""
        if self.is_mean:
            return tf.identity(inputs)
        # Keras' layers have an attribute `seed`.
        return self.noisy(inputs, StochasticLayer.seed(self))


@serializable
class KeyedDropout(_Noise, keras.layers.Dropout):
    """`keras.layers.Dropout` that always drops."""

    def noisy(self, inputs: Any, seed: Any) -> Any:
        shape = self._get_noise_shape(inputs)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed, noise_shape=shape)


@serializable
class KeyedSpatialDropout2D(KeyedDropout, keras.layers.SpatialDropout2D):
    """`keras.layers.SpatialDropout2D` that always drops."""


@serializable
class KeyedGaussianNoise(_Noise, keras.layers.GaussianNoise):
    """`keras.layers.GaussianNoise` that is always added."""

    def noisy(self, inputs: Any, seed: Any) -> Any:
        return inputs + self.stddev * _normal(inputs, seed)


@serializable
class KeyedGaussianDropout(_Noise, keras.layers.GaussianDropout):
    """`keras.layers.GaussianDropout` that always multiplies."""

    def noisy(self, inputs: Any, seed: Any) -> Any:
        std = math.sqrt(self.rate / (1 - self.rate))
        return inputs * (1 + std * _normal(inputs, seed))


KEYED = {
    keras.layers.Dropout: KeyedDropout,
    keras.layers.SpatialDropout2D: KeyedSpatialDropout2D,
    keras.layers.GaussianNoise: KeyedGaussianNoise,
    keras.layers.GaussianDropout: KeyedGaussianDropout,
}


def with_test_time_noise(network: keras.Model) -> keras.Model:
    """A copy of a Keras model whose dropout and Gaussian noise act in inference too, keyed.

    The model is Sequential and built, or functional. Its `Dropout`, `SpatialDropout2D`,
    `GaussianNoise` and `GaussianDropout` are replaced. Raises `BadInput` if it has none of these
    layers, or noise that cannot be keyed: in another layer, or inside of one.
    """
    found = layers(network)
    noise = [layer for layer in found if type(layer) in KEYED]
    other = [layer.name for layer in found if layer not in noise and _has_noise(layer)]
    if other or not noise:
        raise BadInput(
            f"Expected {network.name} with noise in layers of its own: "
            f"{', '.join(kind.__name__ for kind in KEYED)}. Received: {listed(other)}."
        )
    others = {}
    for number, layer in enumerate(noise):
        config = layer.get_config() | {"stream": f"test-time noise {number}"}
        others[id(layer)] = KEYED[type(layer)], config
    return replaced(network, others)


def _has_noise(layer: keras.layers.Layer) -> bool:
    """Whether a layer, or one inside it, has noise of Keras in training."""
    inner = layer._flatten_layers(include_self=True, recursive=True)
    random = [one for one in inner if isinstance(one, keras.__internal__.layers.BaseRandomLayer)]
    return any(one.get_config().get(size) for one in random for size in SIZES)


def _normal(inputs: Any, seed: Any) -> Any:
    return tf.random.stateless_normal(tf.shape(inputs), seed, dtype=inputs.dtype)
