"""A layer that adds noise of a fixed scale to its input, or to its output before the activation.

This is the noise layer of PixelDP: the layers before it are deterministic and have a known
sensitivity, and the layers after it are post-processing.

Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), section 3.2.

In training the first half of a batch has independent noise, and the second half its negative, as
drawing noise for all examples would take a third of the time of a step. In inference all examples
of a batch share the noise of a draw, which halves the time. The noise of an example is still
independent from draw to draw, which is all that a certificate of a single example needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.layers.convolution import ImageConv2D, serializable
from ftnoise.layers.drawing import StochasticLayer, standard_normals
from ftnoise.layers.replacing import holding, layers, replaced

KINDS = ("gaussian", "laplace")


class Noisy(StochasticLayer):
    """Base, in front of a Keras layer.

    `kind` is "gaussian" or "laplace", `scale` the noise's standard deviation, or the scale of
    Laplace's distribution. The noise is `on_input` of the layer, or on its output before the
    activation.
    """

    def __init__(self, *, scale: float, kind: str, on_input: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.kind, self.on_input = scale, kind, on_input

    def build(self, input_shape: Any) -> None:
        """Adds the variable `ramp`, the factor of the noise in training; PixelDP raises it."""
        super().build(input_shape)
        self.ramp = self.add_weight("ramp", (), initializer="ones", trainable=False)
        self.directions: list[Any] = []

    def keep_directions(self, shapes: Sequence[Any]) -> None:
        """Adds a variable `[1, ...]`, an input of each layer up to here, for power iteration."""
        start = keras.initializers.RandomNormal(seed=0)
        self.directions = [
            self.add_weight(f"direction_{n}", (1, *shape[1:]), initializer=start, trainable=False)
            for n, shape in enumerate(shapes)
        ]

    @property
    def noise_weights(self) -> list[Any]:
        """The share of the noise in training, and the directions."""
        return [self.ramp, *self.directions]

    def before(self, inputs: Any) -> Any:
        """What the noise is added to."""
        if self.on_input:
            return inputs
        with holding(self, "activation", keras.activations.linear):
            return super().call(inputs)

    def after(self, noisy: Any) -> Any:
        """The layer's outputs, from the quantity with its noise."""
        return super().call(noisy) if self.on_input else self.activation(noisy)

    def noise(self, like: Any, training: bool = False) -> Any:
        """A draw of the shape of `like`; in inference `[1, ...]`, which the batch shares."""
        number = tf.shape(like)[0]
        half = (number + 1) // 2 if training else 1
        shape = tf.concat([[half], tf.shape(like)[1:]], 0)
        if self.kind == "gaussian":
            drawn = tf.reshape(standard_normals(tf.reduce_prod(shape), self.seed()), shape)
        else:
            # The difference of two exponential draws has Laplace's distribution.
            uniform = tf.random.stateless_uniform(tf.concat([[2], shape], 0), self.seed())
            drawn = tf.math.log1p(-uniform[0]) - tf.math.log1p(-uniform[1])
        drawn = self.scale * tf.cast(drawn, like.dtype)
        return self.ramp * tf.concat([drawn, -drawn], 0)[:number] if training else drawn

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The Keras layer's outputs with noise, or without it in `mean()`."""
        quantity = self.before(inputs)
        if not self.is_mean:
            quantity += self.noise(quantity, bool(training))
        return self.after(quantity)

    def get_config(self) -> dict[str, Any]:
        """Keras' config with the three arguments."""
        own = {"scale": self.scale, "kind": self.kind, "on_input": self.on_input}
        return {**super().get_config(), **own}


NOISY = {
    plain: serializable(type(f"Noisy{plain.__name__}", (Noisy, plain), {}))
    for plain in (keras.layers.Dense, keras.layers.Conv2D, ImageConv2D, keras.layers.Activation)
}


def with_noise(
    network: keras.Model, *, scale: float, kind: str = "gaussian", after: str | None = None
) -> keras.Model:
    """A copy of a network with noise in one place, "gaussian" or "laplace"; see `replaced`.

    `after` is the name of a Dense or Conv2D layer, None for the first layer with weights, or
    "input" for the input of that layer. The first layer with weights has to be Dense or Conv2D
    where it is taken. Raises `BadInput` if there is no such layer.
    """
    found = {layer.name: layer for layer in layers(network) if layer.weights}
    on_input = after == "input"
    names = list(found)
    name = names[0] if names and (after is None or on_input) else after
    expect(
        name in found and type(found[name]) in NOISY,
        f"{network.name} to have that Dense or Conv2D layer to put noise in (for None and "
        '"input", its first layer with weights has to be Dense or Conv2D)',
        after=after,
        layers=names,
    )
    chosen = found[str(name)]
    own = {"scale": scale, "kind": kind, "on_input": on_input, "stream": "noise layer"}
    config = {**chosen.get_config(), **own}
    return replaced(network, {id(chosen): (NOISY[type(chosen)], config)})


def has_noise(network: keras.Model) -> bool:
    """Whether a network has a noise layer."""
    return any(isinstance(layer, Noisy) for layer in layers(network))


def noisy_layer(network: keras.Model) -> Noisy:
    """The one noise layer of a network; `BadInput` if it has none, or another layer draws."""
    drawing = [layer for layer in layers(network) if isinstance(layer, StochasticLayer)]
    good = len(drawing) == 1 and isinstance(drawing[0], Noisy)
    expect(
        good,
        f"{network.name} with one noise layer and no other layer that draws",
        drawing=[one.name for one in drawing],
    )
    return drawing[0]
