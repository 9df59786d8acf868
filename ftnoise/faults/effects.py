"""The effect of a fault on the number that it hits.

Every effect is one function of the fault-free value, applied by TensorFlow to parameters and to the
outputs of neurons alike. The random value of an effect belongs to the site, not to the number
of faults, so the faults at a low rate are among those at a higher one.

Sources: Torres-Huitzil and Girau (2017), "Fault and Error Tolerance in Neural Networks", for
stuck-at faults; Li et al. (2017), "Understanding Error Propagation in Deep Learning Neural Network
Accelerators", for bit flips; Joshi et al. (2020), "Accurate deep neural network inference using
computational phase-change memory", for drift.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.checks import boolean, expect, is_count, is_number, non_negative
from ftnoise.core.lazy import np, tf
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Effect(Spec, ABC):
    """Base: the effect of a fault on a value that is hit."""

    # Whether faulty values are finite wherever the fault-free ones are.
    keeps_finite: ClassVar[bool] = True
    # Whether it flips bits: those of the code, where a parameter is stored in a format.
    on_bits: ClassVar[bool] = False

    @property
    def only_bit(self) -> int | None:
        """The one bit that it flips; None if it may be any, or flips none."""
        return None

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        """The random part of the effect, one draw for each site; None if there is none."""
        return None

    def keyed_draw(self, seed: Any, shape: tuple[int, ...]) -> Any:
        """The same distribution from an int64 pair, by TensorFlow in a compiled step; or None."""
        return None

    @abstractmethod
    def faulty(self, values: Any, draw: Any) -> Any:
        """The faulty values of sites that are all hit.

        Args:
            values: the fault-free ones, a floating-point tensor.
            draw: the result of `draw`, of a shape that broadcasts against `values`.
        """

    @property
    @abstractmethod
    def label(self) -> str:
        """A few words that follow the kind of site: `stuck at 0`."""


@dataclass(frozen=True, kw_only=True)
class StuckAt(Effect):
    """The value is always `value`; 0 is the paper's fault.

    A neuron stuck at 0 is a crashed one, a weight stuck at 0 a lost connection.
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        expect(is_number(self.value), "value to be a finite number", value=self.value)

    def faulty(self, values: Any, draw: Any) -> Any:
        return tf.fill(tf.shape(values), tf.cast(self.value, values.dtype))

    @property
    def label(self) -> str:
        return f"stuck at {self.value:g}"


@dataclass(frozen=True, kw_only=True)
class BitFlip(Effect):
    """One bit is inverted: of the float32, or of the code of a stored parameter.

    Args:
        bit: 0 is the lowest. In float32, bits 0 to 22 are the mantissa, 23 to 30 the exponent and
            31 the sign. None draws one of the 32 for each site; of stored parameters each bit is a
            site.
    """

    bit: int | None = None

    keeps_finite: ClassVar[bool] = False
    on_bits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        known = self.bit is None or (is_count(self.bit, least=0) and self.bit < 32)
        expect(known, "bit from 0 to 31, or None", bit=self.bit)

    @property
    def only_bit(self) -> int | None:
        return self.bit

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        if self.bit is not None:
            return None
        return np.left_shift(np.int32(1), generator.integers(32, size=shape, dtype=np.int32))

    def keyed_draw(self, seed: Any, shape: tuple[int, ...]) -> Any:
        if self.bit is not None:
            return None
        bit = tf.random.stateless_uniform(shape, seed, 0, 32, tf.int32)
        return tf.bitwise.left_shift(tf.ones_like(bit), bit)

    def faulty(self, values: Any, draw: Any) -> Any:
        flipped = draw
        if self.bit is not None:
            # The sign's bit alone is the smallest int32.
            flipped = tf.constant(-(2**31) if self.bit == 31 else 2**self.bit, tf.int32)
        bits = tf.bitcast(tf.cast(values, tf.float32), tf.int32)
        bits = tf.bitwise.bitwise_xor(bits, tf.broadcast_to(flipped, tf.shape(values)))
        return tf.cast(tf.bitcast(bits, tf.float32), values.dtype)

    @property
    def label(self) -> str:
        return f"with {'a random bit' if self.bit is None else f'bit {self.bit}'} flipped"


@dataclass(frozen=True, kw_only=True)
class SignFlip(Effect):
    """The value has the other sign."""

    def faulty(self, values: Any, draw: Any) -> Any:
        return -values

    @property
    def label(self) -> str:
        return "with the sign flipped"


@dataclass(frozen=True, kw_only=True)
class RandomValue(Effect):
    """The value is drawn uniformly from [low, high), anew for each site.

    Args:
        low, high: finite, low < high, in the unit of the value.
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        rising = is_number(self.low) and is_number(self.high) and self.low < self.high
        expect(rising, "low < high", low=self.low, high=self.high)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        low, high = np.float32(self.low), np.float32(self.high)
        drawn = low + np.float32(self.high - self.low) * generator.random(shape, dtype=np.float32)
        # The sum may be rounded up to the open end.
        return np.minimum(drawn, np.nextafter(high, low))

    def keyed_draw(self, seed: Any, shape: tuple[int, ...]) -> Any:
        drawn = tf.random.stateless_uniform(shape, seed, self.low, self.high)
        return tf.minimum(drawn, np.nextafter(np.float32(self.high), np.float32(self.low)))

    def faulty(self, values: Any, draw: Any) -> Any:
        return tf.broadcast_to(tf.cast(draw, values.dtype), tf.shape(values))

    @property
    def label(self) -> str:
        return f"random in {self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True)
class Drift(Effect):
    """The value is off by Gaussian noise, which is drawn for each site.

    Args:
        sigma: standard deviation of the noise, >= 0; a share of the value if `relative`, else in
            its unit.
        relative: the noise grows with the value, as it does in analog memory.
    """

    sigma: float
    relative: bool = True

    keeps_finite: ClassVar[bool] = False

    def __post_init__(self) -> None:
        non_negative(sigma=self.sigma)
        boolean(relative=self.relative)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        return np.float32(self.sigma) * generator.standard_normal(shape, dtype=np.float32)

    def keyed_draw(self, seed: Any, shape: tuple[int, ...]) -> Any:
        return self.sigma * tf.random.stateless_normal(shape, seed)

    def faulty(self, values: Any, draw: Any) -> Any:
        noise = tf.cast(draw, values.dtype)
        return values + (values * noise if self.relative else noise)

    @property
    def label(self) -> str:
        return f"with noise of {f'{100 * self.sigma:g} %' if self.relative else f'{self.sigma:g}'}"
