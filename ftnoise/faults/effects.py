"""What a fault does to the number that it hits.

Every effect is one function of the sound value, applied by TensorFlow to parameters and to the
outputs of neurons alike. What an effect draws at random belongs to the place that is hit, not to
the number of faults, so the faults at a low rate are among those at a higher one.

Sources: Torres-Huitzil and Girau (2017), "Fault and Error Tolerance in Neural Networks", for
stuck-at faults; Li et al. (2017), "Understanding Error Propagation in Deep Learning Neural Network
Accelerators", for bit flips; Joshi et al. (2020), "Accurate deep neural network inference using
computational phase-change memory", for drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.spec import Spec, snake_case
from ftnoise.faults.words import number, whole

if TYPE_CHECKING:
    import numpy as np

BITS = 32


@dataclass(frozen=True, kw_only=True)
class Effect(Spec):
    """Base: what becomes of a value that is hit.

    `forms` are its names in the short form of a fault, each with what may follow it (`=VALUE` must,
    `[=BIT]` may); without any it has one, its own in snake case.
    """

    forms: ClassVar[dict[str, str]] = {}

    @classmethod
    def short_forms(cls) -> dict[str, str]:
        """`forms`, or the one that it has without any."""
        return cls.forms or {snake_case(cls.__name__): ""}

    @classmethod
    def from_short(cls, form: str, value: str | None) -> Effect:
        """The effect that a short form is of.

        Args:
            form: one of `short_forms`.
            value: what follows after "="; None if nothing does.
        """
        del form, value
        return cls()

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        """What is random about the effect, one draw for each place; None if nothing is."""
        return None

    def faulty(self, values: Any, draw: Any) -> Any:
        """The faulty values of places that are all hit.

        Args:
            values: the sound ones, a floating-point tensor.
            draw: what `draw` gave, of a shape that broadcasts against `values`.
        """
        raise TypeError(f"{type(self).__name__} has no faulty.")

    @property
    def label(self) -> str:
        """A few words that follow what is hit: `stuck at 0`."""
        raise TypeError(f"{type(self).__name__} has no label.")


@dataclass(frozen=True, kw_only=True)
class StuckAt(Effect):
    """The value is `value`, whatever it should be; 0 is the paper's fault.

    A neuron stuck at 0 is a crashed one, a weight stuck at 0 a lost connection.
    """

    value: float = 0.0

    forms: ClassVar[dict[str, str]] = {
        "stuck_at_zero": "",
        "stuck_at_one": "",
        "stuck_at": "=VALUE",
    }

    @classmethod
    def from_short(cls, form: str, value: str | None) -> StuckAt:
        fixed = {"stuck_at_zero": 0.0, "stuck_at_one": 1.0}
        return cls(value=fixed[form] if form in fixed else number(value or "", "VALUE"))

    def __post_init__(self) -> None:
        expect(is_number(self.value), "value to be a finite number", value=self.value)

    def faulty(self, values: Any, draw: Any) -> Any:
        import tensorflow as tf

        return tf.fill(tf.shape(values), tf.cast(self.value, values.dtype))

    @property
    def label(self) -> str:
        return f"stuck at {self.value:g}"


@dataclass(frozen=True, kw_only=True)
class BitFlip(Effect):
    """One bit of the float32 is inverted.

    Args:
        bit: 0 is the lowest of the mantissa (0 to 22), then come the exponent (23 to 30) and the
            sign (31). None draws one of the 32 for each place.
    """

    bit: int | None = None

    forms: ClassVar[dict[str, str]] = {"bit_flip": "[=BIT]"}

    @classmethod
    def from_short(cls, form: str, value: str | None) -> BitFlip:
        return cls(bit=None if value is None else whole(value, "BIT"))

    def __post_init__(self) -> None:
        expect(
            self.bit is None or (is_count(self.bit, least=0) and self.bit < BITS),
            f"bit from 0 to {BITS - 1}, or None",
            bit=self.bit,
        )

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        import numpy as np

        if self.bit is not None:
            return None
        return np.left_shift(np.int32(1), generator.integers(BITS, size=shape, dtype=np.int32))

    def faulty(self, values: Any, draw: Any) -> Any:
        import tensorflow as tf

        flipped = draw
        if self.bit is not None:
            pattern = 1 << self.bit
            # The sign's bit alone is the smallest int32.
            flipped = tf.constant(pattern - 2**BITS if self.bit == BITS - 1 else pattern, tf.int32)
        bits = tf.bitwise.bitwise_xor(
            *_broadcast(tf.bitcast(tf.cast(values, tf.float32), tf.int32), flipped)
        )
        return tf.cast(tf.bitcast(bits, tf.float32), values.dtype)

    @property
    def label(self) -> str:
        return f"with {'a random bit' if self.bit is None else f'bit {self.bit}'} flipped"


def _broadcast(values: Any, flipped: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    return values, tf.broadcast_to(flipped, tf.shape(values))


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
    """The value is drawn uniformly from [low, high), anew for each place.

    Args:
        low, high: finite, low < high, in the unit of the value.
    """

    low: float = -1.0
    high: float = 1.0

    forms: ClassVar[dict[str, str]] = {"random_value": "[=LOW..HIGH]"}

    @classmethod
    def from_short(cls, form: str, value: str | None) -> RandomValue:
        if value is None:
            return cls()
        low, _, high = value.partition("..")
        return cls(low=number(low, "LOW"), high=number(high, "HIGH"))

    def __post_init__(self) -> None:
        expect(
            is_number(self.low) and is_number(self.high) and self.low < self.high,
            "low < high",
            low=self.low,
            high=self.high,
        )

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        import numpy as np

        low, high = np.float32(self.low), np.float32(self.high)
        drawn = low + np.float32(self.high - self.low) * generator.random(shape, dtype=np.float32)
        # The sum may be rounded up to the open end.
        return np.minimum(drawn, np.nextafter(high, low))

    def faulty(self, values: Any, draw: Any) -> Any:
        import tensorflow as tf

        return tf.broadcast_to(tf.cast(draw, values.dtype), tf.shape(values))

    @property
    def label(self) -> str:
        return f"random in {self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True)
class Drift(Effect):
    """The value is off by Gaussian noise, which is drawn for each place.

    Args:
        sigma: standard deviation of the noise, >= 0; a share of the value if `relative`, else in
            its unit.
        relative: the noise grows with the value, as it does in analog memory.
    """

    sigma: float
    relative: bool = True

    forms: ClassVar[dict[str, str]] = {"drift": "=SIGMA", "drift_absolute": "=SIGMA"}

    @classmethod
    def from_short(cls, form: str, value: str | None) -> Drift:
        return cls(sigma=number(value or "", "SIGMA"), relative=form == "drift")

    def __post_init__(self) -> None:
        expect(is_number(self.sigma) and self.sigma >= 0, "sigma >= 0", sigma=self.sigma)
        expect(isinstance(self.relative, bool), "relative True or False", relative=self.relative)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        import numpy as np

        return np.float32(self.sigma) * generator.standard_normal(shape, dtype=np.float32)

    def faulty(self, values: Any, draw: Any) -> Any:
        import tensorflow as tf

        noise = tf.cast(draw, values.dtype)
        return values + (values * noise if self.relative else noise)

    @property
    def label(self) -> str:
        return f"with noise of {f'{100 * self.sigma:g} %' if self.relative else f'{self.sigma:g}'}"
