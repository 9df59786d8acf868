"""Small networks of every usual kind, with examples that fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES = 4


def _dense() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.InputLayer((3, 2)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(7, activation="tanh"),
            layers.Dense(CLASSES),
        ]
    )


def _convolutions() -> Any:
    from keras import Sequential, layers

    from ftnoise.layers.convolution import ImageConv2D

    return Sequential(
        [
            layers.InputLayer((8, 8, 1)),
            ImageConv2D(5, 3, activation="relu"),
            layers.MaxPooling2D(2, 2),
            layers.Conv2D(6, 2, padding="same"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.AveragePooling2D(2, 1),
            layers.Flatten(),
            layers.Dense(9, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def _residual() -> Any:
    from keras import Input, Model, layers

    x = inputs = Input((6, 6, 3))
    x = layers.Conv2D(5, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    y = layers.BatchNormalization()(y)
    x = layers.Add()([x, y])
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(CLASSES, activation="softmax")(x), name="residual")


def _recurrent() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.InputLayer((5,), dtype="int32"),
            layers.Embedding(10, 6, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(5),
            layers.Dense(CLASSES),
        ]
    )


def _attention() -> Any:
    from keras import Input, Model, layers

    x = inputs = Input((5, 6))
    y = layers.MultiHeadAttention(3, 4)(x, x)
    x = layers.LayerNormalization()(x + y)
    y = layers.TimeDistributed(layers.Dense(8, activation="gelu"))(x)
    y = layers.Dense(6)(y)
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling1D()(x)
    return Model(inputs, layers.Dense(CLASSES)(x), name="attention")


def _nested() -> Any:
    from keras import Input, Model, Sequential, layers

    inner = Sequential([layers.InputLayer((4,)), layers.Dense(6, activation="relu")], name="inner")
    shared = layers.Dense(4, activation="elu")
    left, right = Input((4,)), Input((4,))
    x = layers.Concatenate()([inner(shared(left)), inner(shared(right))])
    return Model([left, right], layers.Dense(CLASSES)(x), name="nested")


def _binary() -> Any:
    from keras import Sequential, layers

    hidden = layers.Dense(6, activation="relu")
    return Sequential([layers.InputLayer((2,)), hidden, layers.Dense(1, activation="sigmoid")])


def _transposed() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.InputLayer((4, 4, 2)),
            layers.Conv2D(5, 3, padding="same", activation="relu"),
            # As many channels come in as go out, so that one may be taken for the other.
            layers.Conv2DTranspose(5, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": _dense,
    "convolutions": _convolutions,
    "residual": _residual,
    "recurrent": _recurrent,
    "attention": _attention,
    "nested": _nested,
    "binary": _binary,
    "transposed": _transposed,
}


def made(name: str, examples: int = 40) -> tuple[Any, Any, np.ndarray]:
    """A network with weights, biases and statistics of its own, examples and labels."""
    import keras

    from ftnoise.core import seeds

    keras.backend.clear_session()
    seeds.fix_initialization(3)
    network = NETWORKS[name]()
    draw = np.random.default_rng(5)
    for weight in network.weights:
        if "kernel" not in weight.name and "embedding" not in weight.name:
            noise = draw.uniform(0.1, 0.6, weight.shape).astype(np.float32)
            weight.assign(weight.numpy() * 0.5 + noise)
    x = [
        draw.integers(0, 10, (examples, *tensor.shape[1:])).astype(np.int32)
        if tensor.dtype.is_integer
        else draw.normal(size=(examples, *tensor.shape[1:])).astype(np.float32)
        for tensor in network.inputs
    ]
    y = draw.integers(0, max(2, network.output_shape[-1]), examples)
    return network, x if len(x) > 1 else x[0], y


def right(network: Any, x: Any, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outputs as Keras predicts them, and whether they are right; NaN is not."""
    outputs = network.predict(x, verbose=0)
    return outputs, is_right(outputs, y)


def right_now(network: Any, x: Any, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `right`, computed layer by layer, with nothing compiled, which takes seconds."""
    outputs = network(x, training=False).numpy()
    return outputs, is_right(outputs, y)


def is_right(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which outputs are right, bool `[n]`."""
    if outputs.shape[1] == 1:
        found = (outputs[:, 0] > 0.5).astype(int)
    else:
        found = outputs.argmax(axis=1)
    return (found == y) & ~np.isnan(outputs).any(axis=1)


def bits(network: Any) -> list[bytes]:
    return [weight.numpy().tobytes() for weight in network.weights]


def run(campaign: Any, trials: Any) -> Any:
    """The results of trials at the rate of the campaign's fault."""
    return campaign.run(trials, campaign.fault.rate)
