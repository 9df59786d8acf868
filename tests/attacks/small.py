"""Networks and images to attack: 5x5 pixels, 3 classes, trained in a second or made by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.attacks.target import Target, compiled
from ftnoise.layers.drawing import StochasticLayer

SHAPE = (5, 5, 1)
SEED = tf.constant([11, 12], tf.int64)


def images(count: int = 30, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """Images of uniform noise."""
    generator = np.random.default_rng(0)
    return tf.constant(generator.uniform(low, high, (count, *SHAPE)).astype(np.float32))


def edged(count: int = 30) -> tf.Tensor:
    """Images of which a third of the pixels is 0 and a third is 1."""
    return tf.clip_by_value(images(count, low=-1, high=2), 0, 1)


def network_of(*layers: Any, classes: int = 3, shape: tuple[int, ...] = SHAPE) -> keras.Model:
    """These layers between images and logits, with weights of their own seed."""
    keras.utils.set_random_seed(0)
    first = [keras.layers.InputLayer(shape), keras.layers.Flatten()]
    return keras.Sequential([*first, *layers, keras.layers.Dense(classes)], name="small")


def two_layers() -> keras.Model:
    """A rectified hidden layer."""
    return network_of(keras.layers.Dense(8, activation="relu"))


def predicted(network: keras.Model, x: Any) -> tf.Tensor:
    """The predictions of the network: labels that it gets right."""
    return tf.argmax(network(x, training=False), axis=-1, output_type=tf.int32)


def data(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of three classes, a bright row each."""
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, count)
    x = generator.uniform(0, 0.75, (count, *SHAPE)).astype(np.float32)
    x[np.arange(count), 2 * y] += 0.2
    return x, y


@cache
def weights(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Those of a network that was trained on such images."""
    x, y = data(1000)
    network, generator = two_layers(), np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    network.set_weights([0.3 * generator.normal(size=w.shape) for w in network.get_weights()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.01), loss)
    network.fit(x, y, epochs=10, verbose=0)
    return tuple(network.get_weights())


def trained(seed: int = 0) -> keras.Model:
    """A network that gets most of `data` right."""
    network = two_layers()
    network.set_weights(weights(seed))
    return network


class Around(keras.Model):
    """A function of a network and its input, as a network of its own."""

    def __init__(self, function: Any) -> None:
        super().__init__(name="around")
        self.function = function

    def call(self, x: Any, training: bool = False) -> Any:
        del training
        return self.function(x)


class Noise(StochasticLayer):
    """Adds normal noise of a standard deviation."""

    def __init__(self, sigma: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sigma = sigma

    def call(self, x: Any) -> Any:
        if self.is_mean:
            return x
        return x + self.sigma * tf.random.stateless_normal(tf.shape(x), self.seed())


def noisy(sigma: float = 0.5) -> keras.Model:
    """The trained network with noise on its logits."""
    keras.backend.clear_session()
    return keras.Sequential([keras.layers.InputLayer(SHAPE), trained(), Noise(sigma, name="noise")])


class Hiding(StochasticLayer):
    """Changes its input by a thousandth, and the gradient of the loss by noise of ten times it."""

    def call(self, x: Any) -> Any:
        if self.is_mean:
            return x
        noise = tf.random.stateless_normal(tf.shape(x), self.seed())
        return x + 1e-3 * tf.sin(1e4 * x) * noise


def hiding() -> keras.Model:
    """The trained network, which only seems robust, as its noise hides the gradient."""
    keras.backend.clear_session()
    layers = [keras.layers.InputLayer(SHAPE), Hiding(name="hiding"), trained()]
    return keras.Sequential(layers)


def loss_gradient(network: keras.Model, x: Any, y: Any) -> tf.Tensor:
    """The input gradient of the cross-entropy."""
    return Target(network).gradient(x, y, SEED)


def graph(attack: Any, network: keras.Model) -> Any:
    """The attack as one compiled function of (x, y)."""
    images, labels = tf.TensorSpec([None, *SHAPE]), tf.TensorSpec([None], tf.int32)
    return compiled(lambda x, y: attack.perturb(network, x, y, SEED), images, labels)
