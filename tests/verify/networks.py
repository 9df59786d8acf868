"""Small networks of every layer that bounds are known for, and what a search finds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import Input, Model, Sequential
from keras import layers as kl

from ftnoise.layers.convolution import ImageConv2D, TwoLogits
from ftnoise.verify.verifier import Verifier

CLASSES = 3


def dense() -> Any:
    rectified = kl.Dense(7, activation="relu")
    return Sequential(
        [
            *(kl.InputLayer((3, 2)), kl.Rescaling(2.0, offset=-1.0), kl.Flatten(), rectified),
            *(kl.Dropout(0.5), kl.Dense(6), kl.LeakyReLU(0.1), kl.Dense(CLASSES)),
        ]
    )


def smooth(activation: str) -> Any:
    hidden = [kl.Dense(6, activation=activation), kl.Dense(5), kl.Activation(activation)]
    return Sequential([kl.InputLayer((4,)), *hidden, kl.Dense(CLASSES)])


def images() -> Any:
    return Sequential(
        [
            kl.InputLayer((8, 8, 1)),
            ImageConv2D(3, 3, activation="relu"),
            kl.MaxPooling2D(2, 2),
            kl.Conv2D(4, 2, strides=2, padding="same"),
            *(kl.BatchNormalization(), kl.ReLU(), kl.AveragePooling2D(2, 1), kl.Flatten()),
            *(kl.Dense(5, activation="relu"), kl.Dense(CLASSES)),
        ]
    )


def dilated() -> Any:
    return Sequential(
        [
            kl.InputLayer((7, 7, 2)),
            kl.Conv2D(3, 2, dilation_rate=2, activation="relu"),
            kl.MaxPooling2D((3, 2), (2, 1), padding="same"),
            kl.DepthwiseConv2D(2, activation="tanh"),
            *(kl.ZeroPadding2D(1), kl.SeparableConv2D(3, 2)),
            *(kl.GlobalAveragePooling2D(), kl.Dense(CLASSES, activation="softmax")),
        ]
    )


def series() -> Any:
    return Sequential(
        [
            kl.InputLayer((9, 2)),
            kl.Conv1D(3, 3, strides=2, padding="same", activation="relu"),
            *(
                kl.Permute((2, 1)),
                kl.Reshape((5, 3)),
                kl.MaxPooling1D(2, 1),
                kl.AveragePooling1D(2),
            ),
            kl.Conv1D(3, 2, dilation_rate=1, padding="causal", activation="sigmoid"),
            *(kl.GlobalAveragePooling1D(), kl.Dense(CLASSES), kl.Softmax()),
        ]
    )


def residual() -> Any:
    x = inputs = Input((5,))
    x = kl.Dense(6, activation="relu")(x)
    y = kl.Dense(6)(x)
    x = kl.Activation("relu")(kl.Add()([x, y]))
    y = kl.Subtract()([x, kl.Dense(6, activation="tanh")(x)])
    x = kl.Concatenate()([tf.nn.relu(x + y), kl.Average()([x, y]), inputs])
    return Model(inputs, kl.Dense(CLASSES)(x))


def nested() -> Any:
    shared = Sequential([kl.InputLayer((4,)), kl.Dense(4, activation="relu")], name="shared")
    inputs = Input((4,))
    return Model(inputs, kl.Dense(CLASSES)(shared(shared(inputs))))


def binary() -> Any:
    hidden = kl.Dense(6, activation="relu")
    return Sequential([kl.InputLayer((2,)), hidden, kl.Dense(1, activation="sigmoid")])


def two_logits() -> Any:
    hidden = kl.Dense(6, activation="softplus")
    return Sequential([kl.InputLayer((2,)), hidden, kl.Dense(1), TwoLogits()])


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": dense,
    "tanh": lambda: smooth("tanh"),
    "sigmoid": lambda: smooth("sigmoid"),
    "softplus": lambda: smooth("softplus"),
    "images": images,
    "dilated": dilated,
    "series": series,
    "residual": residual,
    "nested": nested,
    "binary": binary,
    "two_logits": two_logits,
}


def made(name: str, seed: int = 0, scale: float = 1.0) -> Any:
    """A network with random weights, biases and statistics."""
    return randomized(NETWORKS[name](), seed, scale)


def randomized(network: Any, seed: int = 0, scale: float = 1.0) -> Any:
    """The network with random weights, about `scale` times those of Glorot's initializer."""
    generator = np.random.default_rng(seed)
    for weight in network.weights:
        fan = max(1, int(np.prod(weight.shape[:-1]))) if weight.shape.rank > 1 else 4
        value = generator.normal(0, scale * np.sqrt(2 / fan), weight.shape)
        weight.assign(np.abs(value) + 0.3 if "variance" in weight.name else value)
    return network


def mlp(*widths: int, inputs: int = 3, seed: int = 0, scale: float = 1.0) -> Any:
    """ReLU layers of these widths between inputs and logits."""
    hidden = [kl.Dense(width, activation="relu") for width in widths]
    layers = [kl.InputLayer((inputs,)), *hidden, kl.Dense(CLASSES)]
    return randomized(Sequential(layers), seed, scale)


def points(network: Any, count: int = 4, seed: int = 0) -> np.ndarray:
    """Examples in [0, 1]."""
    generator = np.random.default_rng(seed)
    return generator.random((count, *network.input_shape[1:])).astype(np.float32)


def smallest(
    function: Callable[[Any], Any], low: Any, high: Any, steps: int = 20, restarts: int = 20
) -> np.ndarray:
    """The smallest values of a function `[n, ...] -> [n, m]` found in boxes, `[batch, m]`.

    Random points, corners, and descents along the sign of the gradient, in float64.
    """
    generator, found = np.random.default_rng(0), []
    for box_low, box_high in zip(low, high, strict=True):
        width = box_high - box_low
        draws = generator.random((400, *width.shape))
        draws[:200] = draws[:200].round()
        values = function(tf.constant(box_low + width * draws)).numpy()
        lowest = values.min(0)
        # The best points of each output, all of them in one batch.
        x = box_low + width * draws[np.argsort(values, 0)[:restarts].T.ravel()]
        output = np.repeat(np.arange(len(lowest)), restarts)
        for step in range(steps):
            with tf.GradientTape() as tape:
                moved = tf.constant(x)
                tape.watch(moved)
                value = tf.gather(function(moved), output, batch_dims=1)
            np.minimum.at(lowest, output, value.numpy())
            gradient = tape.gradient(value, moved).numpy()
            x = np.clip(x - 0.3 * 0.8**step * width * np.sign(gradient), box_low, box_high)
        found.append(lowest)
    return np.array(found)


def in_double(network: Any) -> Callable[[Any], Any]:
    """The network's logits in float64, by Keras alone."""
    keras.backend.set_floatx("float64")
    try:
        config = network.get_config()
        for layer in _configs(config):
            layer["config"] = dict(layer["config"], dtype="float64")
        double = type(network).from_config(config)
    finally:
        keras.backend.set_floatx("float32")
    double.set_weights(network.get_weights())
    return lambda x: double(x, training=False)


def _configs(config: Any) -> list[Any]:
    found = []
    for layer in config["layers"]:
        inner = layer["config"].get("layers")
        found += _configs(layer["config"]) if inner else [layer]
    return found


def logit_bounds(verifier: Verifier, x: Any, radius: float, crown: bool = True) -> tuple[Any, Any]:
    """Bounds on the logits over the ball, `[batch, classes]` each, by CROWN or intervals alone."""
    if crown:
        identity = np.eye(verifier.program.classes)
        bounds = verifier._combined(x, radius, np.concatenate([identity, -identity]))
        low, high = np.split(bounds, 2, axis=1)
        return low, -high
    _, *ends = verifier.crown.intervals(verifier._boxes(x, radius), refine=False)
    return ends[0].numpy(), ends[1].numpy()
