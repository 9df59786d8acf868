"""Elementwise activations between two lines on an interval, which is all that bounds need of them.

Source: Zhang et al. (2018), "Efficient Neural Network Robustness Certification with General
Activation Functions" (CROWN), for the lines; Xu et al. (2021), "Fast and Complete: Enabling
Complete Verification with Rapid and Massively Parallel Incomplete Verifiers", for their free
parameter.

Each activation is nondecreasing, so its values on an interval are those between its ends. One of
the two lines may be free: the slope through 0 below a ReLU, the point at which a tangent touches.
A parameter `t` in [0, 1] chooses it, and every choice is sound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import tensorflow as tf

# Slope and intercept of the line below, and of the line above.
Lines = tuple[Any, Any, Any, Any]
BISECTIONS = 24


class Activation(ABC):
    """An elementwise nondecreasing function of tensors.

    If it is `piecewise`, it is linear on both sides of 0, so that a unit's sign makes it linear.
    """

    piecewise: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, z: Any) -> Any:
        """Its values."""

    @abstractmethod
    def relaxation(self, low: Any, high: Any) -> tuple[Any, Callable[[Any], Lines]]:
        """The lines on intervals [low, high].

        Gives the usual parameter `t` of each interval, and the function from `t` to the lines.
        """


@dataclass(frozen=True)
class Rectifier(Activation):
    """`max(z, slope * z)`: ReLU (slope 0) and LeakyReLU."""

    slope: float = 0.0
    piecewise: ClassVar[bool] = True

    def __call__(self, z: Any) -> Any:
        return tf.maximum(z, self.slope * z)

    def relaxation(self, low: Any, high: Any) -> tuple[Any, Callable[[Any], Lines]]:
        below, above = _chord(self, low, high, tf.ones_like(low))
        linear = tf.where(low >= 0, tf.ones_like(low), self.slope)
        split = (low < 0) & (high > 0)

        def lines(t: Any) -> Lines:
            free = self.slope + (1 - self.slope) * t
            zero = tf.zeros_like(low)
            return (
                tf.where(split, free, linear),
                zero,
                tf.where(split, below, linear),
                tf.where(split, above, zero),
            )

        return tf.cast(high > -low, low.dtype), lines


class Softplus(Activation):
    """`log(1 + exp(z))`, convex: a tangent below, the chord above."""

    def __call__(self, z: Any) -> Any:
        return tf.math.softplus(z)

    def relaxation(self, low: Any, high: Any) -> tuple[Any, Callable[[Any], Lines]]:
        slope, intercept = _chord(self, low, high, tf.sigmoid(low))

        def lines(t: Any) -> Lines:
            point = low + t * (high - low)
            steep = tf.sigmoid(point)
            return steep, self(point) - steep * point, slope, intercept

        return tf.fill(tf.shape(low), tf.constant(0.5, low.dtype)), lines


class Tanh(Activation):
    """Convex below 0, concave above: tangents on one side, or a chord where none is sound."""

    def __call__(self, z: Any) -> Any:
        return tf.tanh(z)

    def relaxation(self, low: Any, high: Any) -> tuple[Any, Callable[[Any], Lines]]:
        under, over = self._under(low, high), self._under(-high, -low)
        mixed = (low < 0) & (high > 0)

        def lines(t: Any) -> Lines:
            slope, intercept = over(t)
            return *under(t), slope, -intercept

        return tf.where(mixed, tf.ones_like(low), 0.5), lines

    def _under(self, low: Any, high: Any) -> Callable[[Any], tuple[Any, Any]]:
        """The line below; as tanh is odd, that above is the line below the mirrored interval."""

        def at_the_end(point: Any) -> Any:
            # By how much the tangent at a point is above tanh at the interval's upper end.
            return tf.tanh(point) + _steepness(point) * (high - point) - tf.tanh(high)

        slope, intercept = _chord(self, low, high, _steepness(low))
        # Tangents from `low` to `last` are sound; bisection keeps the sound end.
        chord = (low >= 0) | (at_the_end(low) > 0)
        last, beyond = low, tf.maximum(tf.minimum(high, 0.0), low)
        all_sound = at_the_end(beyond) <= 0
        for _ in range(BISECTIONS):
            middle = (last + beyond) / 2
            sound = at_the_end(middle) <= 0
            last, beyond = tf.where(sound, middle, last), tf.where(sound, beyond, middle)
        last = tf.where(all_sound, tf.maximum(tf.minimum(high, 0.0), low), last)

        def line(t: Any) -> tuple[Any, Any]:
            point = low + t * (last - low)
            steep = _steepness(point)
            touching = tf.tanh(point) - steep * point
            return tf.where(chord, slope, steep), tf.where(chord, intercept, touching)

        return line


class Sigmoid(Activation):
    """`1 / 2 + tanh(z / 2) / 2`, with its lines."""

    def __call__(self, z: Any) -> Any:
        return tf.sigmoid(z)

    def relaxation(self, low: Any, high: Any) -> tuple[Any, Callable[[Any], Lines]]:
        usual, halves = Tanh().relaxation(low / 2, high / 2)

        def lines(t: Any) -> Lines:
            below, under, above, over = halves(t)
            return below / 4, (1 + under) / 2, above / 4, (1 + over) / 2

        return usual, lines


# Functions, not names: a user's own function may have any name.
KNOWN: dict[Any, Activation | None] = {
    keras.activations.linear: None,
    keras.activations.relu: Rectifier(),
    tf.nn.relu: Rectifier(),
    keras.activations.tanh: Tanh(),
    tf.nn.tanh: Tanh(),
    keras.activations.sigmoid: Sigmoid(),
    tf.nn.sigmoid: Sigmoid(),
    keras.activations.softplus: Softplus(),
    tf.nn.softplus: Softplus(),
}


def _chord(function: Activation, low: Any, high: Any, tangent: Any) -> tuple[Any, Any]:
    """Slope and intercept of the line through both ends; that of the tangent in a point."""
    width = high - low
    slope = tf.where(width > 0, (function(high) - function(low)) / width, tangent)
    return slope, function(low) - slope * low


def _steepness(z: Any) -> Any:
    return 1 - tf.square(tf.tanh(z))
