"""Dense and convolutional layers whose weights are drawn anew in each forward pass.

All examples of a batch see the same draw. The weights of the Keras layer are the mean; they are
read where the layer keeps them, so that a fault that takes their place is in force too, and hits
the mean.

Sources: Wan et al. (2013), "Regularization of Neural Networks using DropConnect"; Hanson (1990), "A
stochastic version of the delta rule"; Khan et al., "Non-Determinism in Neural Networks for
Adversarial Robustness", section 4.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.layers.convolution import ImageConv2D, serializable
from ftnoise.layers.drawing import StochasticLayer, standard_normals
from ftnoise.layers.replacing import holding, layers, replaced


class RandomWeights(StochasticLayer):
    """Base, in front of a Keras layer: `drawn` gives the weights of a forward pass."""

    def drawn(self) -> dict[str, Any]:
        """The drawn tensors, by the attribute in whose place they are used."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """The Keras layer's outputs with drawn weights, or with their mean in `mean()`."""
        if self.is_mean:
            return super().call(inputs)
        with contextlib.ExitStack() as stack:
            for name, value in self.drawn().items():
                stack.enter_context(holding(self, name, value))
            return super().call(inputs)


class DropConnectWeights(RandomWeights):
    """Drops each element of the kernel by itself; the others are divided by the share kept.

    `rate` is the probability of being dropped, in [0, 1), to the nearest of 65,536 parts.
    """

    def __init__(self, *, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def drawn(self) -> dict[str, Any]:
        shape = self.kernel.shape
        dropped = min(round(self.rate * 2**16), 2**16 - 1)
        # Two elements for each 32 random bits, which take most of the time.
        bits = tf.random.stateless_uniform(
            [(shape.num_elements() + 1) // 2], self.seed(), minval=None, maxval=None, dtype=tf.int32
        )
        bits = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[: shape.num_elements()]
        kept = tf.cast(bits >= dropped - 2**15, self.compute_dtype) * (2**16 / (2**16 - dropped))
        return {"kernel": self.kernel * tf.reshape(kept, shape)}

    def get_config(self) -> dict[str, Any]:
        """Keras' config with the rate."""
        return {**super().get_config(), "rate": self.rate}


class GaussianWeights(RandomWeights):
    """Draws each element of kernel and bias from a normal distribution of its own.

    The standard deviations are variables of the layer, `kernel_std` and `bias_std`. They start
    uniform in [0, start * sqrt(2 / elements)], with the number of elements of the kernel or bias.
    They are trained like the mean if they are `learnable`. The layer keeps the numbers in `state`,
    for a schedule, in the variable `state`.
    """

    def __init__(
        self, *, start: float, learnable: bool, state: Sequence[float] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.start, self.learnable, self.first_state = start, learnable, tuple(state)

    def build(self, input_shape: Any) -> None:
        """Adds the standard deviations, and the state if there is one."""
        super().build(input_shape)
        self.drawn_names = ("kernel", "bias") if self.use_bias else ("kernel",)
        for name in self.drawn_names:
            shape = self.__dict__[name].shape
            most = self.start * math.sqrt(2 / shape.num_elements())
            first = keras.initializers.RandomUniform(0, most) if most else "zeros"
            std = self.add_weight(f"{name}_std", shape, initializer=first, trainable=self.learnable)
            setattr(self, f"{name}_std", std)
        if self.first_state:
            first = keras.initializers.Constant(self.first_state)
            self.state = self.add_weight(
                "state", (len(self.first_state),), initializer=first, trainable=False
            )

    @property
    def means(self) -> list[Any]:
        """The kernel and, if there is one, the bias."""
        return [self.__dict__[name] for name in self.drawn_names]

    @property
    def stds(self) -> list[Any]:
        """The standard deviations of the means, in their order."""
        return [self.__dict__[f"{name}_std"] for name in self.drawn_names]

    @property
    def noise_weights(self) -> list[Any]:
        """The standard deviations."""
        return self.stds

    @property
    def mean_std(self) -> float:
        """The mean standard deviation of the layer's parameters."""
        stds = [std.numpy().ravel() for std in self.stds]
        return float(np.concatenate(stds).mean())

    def drawn(self) -> dict[str, Any]:
        sizes = [mean.shape.num_elements() for mean in self.means]
        noise = tf.split(standard_normals(sum(sizes), self.seed()), sizes)
        return {
            name: mean + std * tf.cast(tf.reshape(xi, mean.shape), self.compute_dtype)
            for name, mean, std, xi in zip(
                self.drawn_names, self.means, self.stds, noise, strict=True
            )
        }

    def get_config(self) -> dict[str, Any]:
        """Keras' config with the three arguments."""
        own = {"start": self.start, "learnable": self.learnable, "state": self.first_state}
        return {**super().get_config(), **own}


Kinds = Mapping[type, type[RandomWeights]]


def _kinds(base: type[RandomWeights], prefix: str) -> Kinds:
    """Keras' layers with such weights, `DropConnectDense` and so on, by the class they replace."""
    return {
        plain: serializable(type(f"{prefix}{plain.__name__}", (base, plain), {}))
        for plain in (keras.layers.Dense, keras.layers.Conv2D, ImageConv2D)
    }


DROP_CONNECT, GAUSSIAN = (
    _kinds(DropConnectWeights, "DropConnect"),
    _kinds(GaussianWeights, "Gaussian"),
)


def with_random_weights(
    network: keras.Model,
    kinds: Kinds,
    *,
    output_layer: bool = True,
    state: Sequence[float] = (),
    **options: Any,
) -> keras.Model:
    """A copy of a network whose Dense and Conv2D layers draw their weights; see `replaced`.

    Layers of classes below Dense and Conv2D stay as they are, but for `ImageConv2D`, and so does,
    without `output_layer`, the last layer with weights. For the kind `GAUSSIAN`, the first of the
    layers keeps `state`. `options` are arguments of the layers. Raises `BadInput` if there is no
    such layer.
    """
    weighted = [layer for layer in layers(network) if layer.weights]
    drawing = [
        layer
        for layer in weighted
        if type(layer) in kinds and (output_layer or layer is not weighted[-1])
    ]
    expect(
        len(drawing) > 0,
        f"{network.name} with {'a' if output_layer else 'a hidden'} Dense or Conv2D layer",
        layers=[layer.name for layer in weighted],
    )
    others = {}
    for number, layer in enumerate(drawing):
        own = {"state": state} if state and number == 0 else {}
        # By position: a name may have another number in another process.
        config = {**layer.get_config(), **options, **own, "stream": str(number)}
        others[id(layer)] = kinds[type(layer)], config
    return replaced(network, others)


def gaussian_layers(network: keras.Model) -> list[GaussianWeights]:
    """The layers of a network with normal weights, in order."""
    return [layer for layer in layers(network) if isinstance(layer, GaussianWeights)]
