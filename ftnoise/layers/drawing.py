"""Stochastic layers, whose noise follows from a key that the caller of the network sets.

`with drawing(seed): network(x)` gives every stochastic layer of `network` noise that follows from
`seed`, an int64 pair that may be a tensor: a `tf.function` of `(x, seed)` is traced once and
repeats exactly. Several passes in one context see the same noise. Outside any context, as in plain
`predict`, each pass draws anew. A deterministic network ignores the context, so code that runs
networks calls `forward` for both kinds.

`with mean(): network(x)` is the mean network: every stochastic layer uses the mean of its draws,
and nothing is random. Both contexts count when the pass is traced.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import expect

_SEED: ContextVar[Any] = ContextVar("seed", default=None)
_MEAN: ContextVar[bool] = ContextVar("mean", default=False)


@contextlib.contextmanager
def drawing(seed: Any) -> Iterator[None]:
    """The draw of every network that is called in the block; `seed` is an int64 pair."""
    token = _SEED.set(tf.convert_to_tensor(seed, tf.int64))
    try:
        yield
    finally:
        _SEED.reset(token)


@contextlib.contextmanager
def mean() -> Iterator[None]:
    """Every network that is called in the block is its mean network, also inside of `drawing`.

    The mean is that of each layer's draws: of the weights for noise in the weights, of the outputs
    for noise on the outputs. It is not the mean of the network's outputs.
    """
    token = _MEAN.set(True)
    try:
        yield
    finally:
        _MEAN.reset(token)


def forward(network: keras.Model, x: Any, seed: Any, training: bool = False) -> Any:
    """The outputs `[batch, classes]` of a network in one draw.

    The seed is an int64 pair, without effect on a deterministic network.
    """
    with drawing(seed):
        return network(x, training=training)


class Fixed(keras.Model):
    """A network held at its mean or in one draw; a deterministic network stays as it is.

    `draw` is an int64 pair; None is the mean. The weights are shared.
    """

    def __init__(self, network: keras.Model, draw: Any = None) -> None:
        super().__init__(name=network.name)
        self.network, self.draw = network, draw

    def call(self, x: Any, training: bool = False) -> Any:
        if self.draw is not None:
            return forward(self.network, x, self.draw, training)
        with mean():
            return self.network(x, training=training)


def is_stochastic(network: keras.Model) -> bool:
    """Whether a layer of the network draws."""
    layers = network._flatten_layers(include_self=True, recursive=True)
    return any(isinstance(layer, StochasticLayer) for layer in layers)


def noise_weights(network: keras.Model) -> list[Any]:
    """The variables of a network that only scale the noise of its layers."""
    layers = network._flatten_layers(include_self=True, recursive=True)
    noisy = [layer for layer in layers if isinstance(layer, StochasticLayer)]
    return [variable for layer in noisy for variable in layer.noise_weights]


class StochasticLayer(keras.layers.Layer):
    """Base of the layers that draw, in training and in inference.

    `call` computes with the mean of the draws where `is_mean`, and with a draw from `seed()`
    elsewhere.

    Args:
        stream: separates its noise from that of other layers; default its name. To repeat draws in
            another process, name the layers or their streams.
    """

    def __init__(self, stream: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream = stream or self.name

    @property
    def is_mean(self) -> bool:
        """Whether the layer has to use its mean: inside `mean()`."""
        return _MEAN.get()

    @property
    def noise_weights(self) -> list[Any]:
        """Variables that only scale the noise: no sites of faults, and not counted in a spread."""
        return []

    def seed(self) -> Any:
        """The int64 pair for stateless generators: that of the draw, or a new one.

        Raises:
            BadInput: inside `mean()`, for a layer that has no mean.
        """
        expect(not self.is_mean, "layers with a mean inside of mean()", layer=self.name)
        seed = _SEED.get()
        if seed is None:
            return tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        own = tf.constant(seeds.key(0, "layer", self.stream), tf.int64)
        return tf.stack([tf.bitwise.bitwise_xor(seed[0], own), seed[1]])

    def get_config(self) -> dict[str, Any]:
        """Keras' config with the stream."""
        return {**super().get_config(), "stream": self.stream}


def standard_normals(count: Any, seed: Any) -> Any:
    """`count` independent standard normals, float32, a function of the int64 pair `seed`.

    Box and Muller (1958) on TensorFlow's keyed uniforms, which takes two thirds of the time of
    `tf.random.stateless_normal`. Their 23 bits end it below 5.7 standard deviations, as
    TensorFlow's own.
    """
    radius, angle = tf.unstack(tf.random.stateless_uniform([2, (count + 1) // 2], seed))
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - radius))
    angle = 2.0 * math.pi * angle
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)[:count]
