"""A layer that keeps activations in a range: values outside are faults, where examples had none.

Sources: Chen et al. (2021), "A Low-cost Fault Corrector for Deep Neural Networks through Range
Restriction" (Ranger); Hoang et al. (2020), "FT-ClipAct: Resilience Analysis of Deep Neural Networks
and Improving their Fault Tolerance using Clipped Activation".
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.layers.convolution import serializable


@serializable
class Clamp(keras.layers.Layer):
    """Restricts values to [low, high], numbers or nested lists that broadcast against the values.

    `low` may be None, for values that cannot fall below the range. `to` is `bound`, which moves a
    value outside to the nearest end and keeps NaN, or `zero`, which puts 0 in its place and in that
    of NaN.
    """

    def __init__(self, *, low: Any, high: Any, to: str = "bound", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.low = None if low is None else np.array(low, np.float32)
        self.high, self.to = np.array(high, np.float32), to

    def call(self, inputs: Any) -> Any:
        """The values, `[batch, ...]`, of the shape of the inputs."""
        if self.to == "bound":
            found = tf.minimum(inputs, self.high)
            return found if self.low is None else tf.maximum(found, self.low)
        inside = inputs <= self.high
        if self.low is not None:
            inside &= inputs >= self.low
        return tf.where(inside, inputs, tf.zeros([], inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        """Keras' config with the three arguments."""
        low = None if self.low is None else self.low.tolist()
        return {**super().get_config(), "low": low, "high": self.high.tolist(), "to": self.to}
