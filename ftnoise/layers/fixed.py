"""A network that draws, held at its mean or in one draw: deterministic, with the same weights."""

from __future__ import annotations

from typing import Any

import keras

from ftnoise.layers.drawing import forward, mean


class Fixed(keras.Model):
    """The network without its randomness; a deterministic network stays as it is.

    Args:
        network: `[batch, ...] -> [batch, classes]`; the weights are shared.
        draw: int64 pair, the draw in which every pass sees the network; None is its mean.
    """

    def __init__(self, network: keras.Model, draw: Any = None) -> None:
        super().__init__(name=network.name)
        self.network, self.draw = network, draw

    def call(self, x: Any, training: bool = False) -> Any:
        if self.draw is not None:
            return forward(self.network, x, self.draw, training)
        with mean():
            return self.network(x, training=training)
