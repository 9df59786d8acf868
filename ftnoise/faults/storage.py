"""The formats in which hardware stores parameters, so that faults hit the stored bits.

`float32`, `bfloat16` and `float16` store each parameter as a number of that type. `int8` follows
TensorFlow Lite, with the deviations below: a kernel is `code * scale` with int8 codes, symmetric,
with a scale for each output channel (its largest absolute weight is 127, unless its bias needs a
larger scale); a bias has int32 codes, whose scale is that of its kernel times that of the layer's
inputs. Parameters that are neither stay in float32. The network computes in float32 on the values
that it reads back. In `int8` the sums of a layer wrap at 32 bits, and then saturate, as their 8-bit
codes do, at the ends of their range on examples: a flip of a high bit of a bias moves a neuron no
further.

Source: Jacob et al. (2018), "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference".

Deviations
1. Activations saturate, and are not rounded to 8 bits.
2. The converter of TensorFlow 2.15 gives a dense kernel one scale, for which it has no option, and
   folds batch normalization into the kernel before it. Here each output channel has its scale
   (but with `one_scale`), and batch normalization stays in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.faults.fault import Fault
from ftnoise.faults.sites import ParameterTarget, expect_held, filters, held, parameter_targets
from ftnoise.layers.graph import unfold
from ftnoise.layers.ranges import ranges
from ftnoise.layers.replacing import holding

LAYERS = keras.layers
# Their kernels and biases have int8 and int32 codes.
QUANTIZED = (
    LAYERS.Dense,
    LAYERS.Conv1D,
    LAYERS.Conv2D,
    LAYERS.Conv3D,
    LAYERS.DepthwiseConv1D,
    LAYERS.DepthwiseConv2D,
)
CALIBRATION = 1000  # examples, of which ranges are measured
MOST_BIAS = 2**30  # of its codes; a channel with smaller weights gets a larger scale


@dataclass(frozen=True, eq=False)
class Code:
    """The code of one parameter.

    Attributes:
        integer: the type of the code: `int8`, `int16` or `int32`.
        number: the floating-point type whose bits these are; empty for multiples of `scale`.
        scale: float32, broadcasts against the parameter.
    """

    integer: str
    number: str = ""
    scale: np.ndarray | None = None

    @property
    def bits(self) -> int:
        """The number of bits of each code."""
        return 8 * np.dtype(self.integer).itemsize

    def at(self, shape: Sequence[int], positions: np.ndarray) -> Code:
        """The code of the parameter's elements at flat positions."""
        if self.scale is None:
            return self
        return replace(self, scale=np.broadcast_to(self.scale, shape).ravel()[positions])

    def encode(self, values: Any) -> Any:
        """The codes of values; those between two codes are rounded to the nearest."""
        if self.number:
            return tf.bitcast(tf.cast(values, self.number), self.integer)
        most = 2.0 ** (self.bits - 1) - 1
        codes = tf.round(tf.cast(values, tf.float64) / self.scale)
        return tf.cast(tf.clip_by_value(codes, -most, most), self.integer)

    def decode(self, codes: Any) -> Any:
        """The float32 values that are read back."""
        if self.number:
            return tf.cast(tf.bitcast(codes, self.number), tf.float32)
        return tf.cast(tf.cast(codes, tf.float64) * self.scale, tf.float32)

    def masks(self, hits: Any, bit: int | None) -> Any:
        """The bits that flip, as integers `[*grid]`.

        `hits` is bool `[*grid, bits]`, lowest bit first; `[*grid]` if only one `bit` flips.
        """
        powers = (2 ** np.arange(self.bits, dtype=np.uint64)).astype(f"u{self.integer}")
        powers = powers.view(self.integer)
        if bit is not None:
            return tf.where(hits, powers[bit], np.zeros((), self.integer))
        # Different bits, so the sum has no carry; that of int8 is one of int32.
        flipped = tf.where(hits, tf.constant(powers), np.zeros((), self.integer))
        return tf.cast(tf.reduce_sum(tf.cast(flipped, tf.int32), axis=-1), self.integer)

    def flipped(self, values: Any, masks: Any) -> Any:
        """The values whose codes have these bits flipped; others are as they are."""
        masks = tf.broadcast_to(masks, tf.shape(values))
        codes = tf.bitwise.bitwise_xor(self.encode(values), masks)
        return tf.where(masks != 0, self.decode(codes), values)

    def changes(self, values: Any, bit: int) -> Any:
        """By how much each value would change if this bit of its code flipped."""
        return self.flipped(values, self.masks(tf.ones(values.shape, tf.bool), bit)) - values


class Storage:
    """The parameters of a network as memory holds them.

    Args:
        network: keeps its own values.
        stored: the format: `float32`, `bfloat16`, `float16` or `int8`.
        x: arrays of examples, one for each input, of which the first 1,000 give the ranges of
            activations; needed for `int8`.
        one_scale: in `int8`, a dense kernel has one scale, as in a file of TensorFlow Lite.

    Attributes:
        targets: the network's parameters, each with its code, and a variable of its own for the
            values that are read back.
        limits: layers whose sums saturate, and the ends of their ranges.
        sum_scales: of the integer sums of layers with a bias, by the layer's id.

    Raises:
        BadInput: a layer cannot be stored in this format, or there are no examples.
    """

    def __init__(
        self,
        network: keras.Model,
        stored: str,
        x: Sequence[np.ndarray] | None,
        *,
        one_scale: bool = False,
    ) -> None:
        self.stored, self.network, self.x, self.one_scale = stored, network, x, one_scale
        self.limits: list[tuple[Any, float, float]] = []
        self.sum_scales: dict[int, np.ndarray] = {}
        self.originals = parameter_targets(network, output_layer=True)
        expect_held(self.originals)
        self.targets = []
        for target, code in zip(self.originals, self._codes(), strict=True):
            values = code.decode(code.encode(target.variable))
            name = target.variable.name.split(":")[0]
            variable = tf.Variable(values, trainable=False, name=name)
            self.targets.append(replace(target, variable=variable, code=code))

    def of(self, fault: Fault, targets: Sequence[Any]) -> list[Any]:
        """These targets of the network as they are stored; their sites are bits if `fault` is.

        Raises `BadInput` if a code does not have the bit that is hit.
        """
        twins = {id(o.variable): t for o, t in zip(self.originals, self.targets, strict=True)}
        found = []
        for target in targets:
            twin = twins[id(target.variable)]
            bits, bit = twin.code.bits, fault.what.only_bit
            if bit is not None and bit >= bits:
                raise BadInput(
                    f"Expected a bit from 0 to {bits - 1} for {target.name}, which is stored in "
                    f"{twin.code.number or twin.code.integer}. Received: bit={bit}."
                )
            grid = (*target.grid, bits) if fault.of_bits else target.grid
            found.append(replace(twin, grid=grid))
        return found

    @property
    def changes(self) -> list[tuple[Any, Any]]:
        """Each variable of the network, and the values that are read back in its place."""
        pairs = zip(self.originals, self.targets, strict=True)
        return [(original.variable, target.variable.numpy()) for original, target in pairs]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """In the block, the network's layers hold what is read back, and saturate."""
        with held(self.targets, [target.variable for target in self.targets]), self.saturating():
            yield

    @contextlib.contextmanager
    def saturating(self) -> Iterator[None]:
        """In the block, the layers of an int8 network saturate in calls and traces."""
        with contextlib.ExitStack() as stack:
            for layer, low, high in self.limits:
                activation = _saturated(layer, low, high, self.sum_scales.get(id(layer)))
                stack.enter_context(holding(layer, "activation", activation))
            yield

    def _codes(self) -> list[Code]:
        if self.stored != "int8":
            integer = "int32" if self.stored == "float32" else "int16"
            return [Code(integer, self.stored)] * len(self.originals)
        kernels = {}
        for target in self.originals:
            layer = target.holders[0][0]
            if target.is_weight:
                fits = isinstance(layer, QUANTIZED) and "kernel" in target.kind
                expect(
                    fits and layer is target.layer,  # and not wrapped in another
                    "dense and convolutional layers for int8",
                    layer=f"{target.layer.name}, a {type(target.layer).__name__}",
                )
                kernels[id(layer)] = target
        inputs = self._calibrated([target.layer for target in kernels.values()])
        biases = {
            id(target.holders[0][0]): target for target in self.originals if target.kind == "bias"
        }
        scales = {}
        for layer, kernel in kernels.items():
            bias = biases.get(layer)
            step = inputs[id(kernel.layer)]
            least = 0 if bias is None else np.abs(bias.variable.numpy()) / (step * MOST_BIAS)
            scales[layer] = np.maximum(_channel_scales(kernel), least)
            if self.one_scale and isinstance(kernel.layer, keras.layers.Dense):
                scales[layer][:] = scales[layer].max()
        found = []
        for target in self.originals:
            layer = id(target.holders[0][0])
            if target is kernels.get(layer):
                shape = filters(target).grid
                found.append(Code("int8", scale=scales[layer].reshape(shape).astype(np.float32)))
            elif layer in kernels and target.kind == "bias":
                scale = (scales[layer] * inputs[id(target.layer)]).astype(np.float32)
                self.sum_scales[layer] = scale
                found.append(Code("int32", scale=scale))
            else:
                found.append(Code("int32", "float32"))
        return found

    def _calibrated(self, layers: list[Any]) -> dict[int, np.float32]:
        """Sets the limits of layers; their scales of 8-bit codes of inputs, by their ids."""
        if self.x is None:
            raise BadInput("Expected examples for int8, the ranges of activations. Received: none.")
        steps = [step for step in unfold(self.network).steps if step.layer in layers]
        x = [one[:CALIBRATION] for one in self.x]
        inputs, sums = ranges(self.network, x, {step.inputs[0]: () for step in steps}, layers)
        # The range of a code holds 0.
        self.limits = [
            (layer, min(float(sums[id(layer)][0]), 0.0), max(float(sums[id(layer)][1]), 0.0))
            for layer in layers
        ]
        widths: dict[int, float] = {}
        for step in steps:
            low, high = inputs[step.inputs[0]]
            width = max(float(high), 0.0) - min(float(low), 0.0)
            widths[id(step.layer)] = max(width, widths.get(id(step.layer), 0.0))
        # An input that is always 0 has any range.
        return {layer: np.float32((width or 1.0) / 255) for layer, width in widths.items()}


def _channel_scales(kernel: ParameterTarget) -> np.ndarray:
    """The scale of each output channel, `[channels]`."""
    axes = tuple(n for n, size in enumerate(filters(kernel).grid) if size == 1)
    most = np.abs(kernel.variable.numpy()).max(axis=axes).ravel()
    # A channel without weights still has a bias.
    return np.where(most > 0, most, most.max() or 1.0) / 127


def _saturated(
    layer: Any, low: float, high: float, scale: np.ndarray | None
) -> Callable[[Any], Any]:
    """The layer's activation of sums that wrap at 32 bits, and are within [low, high].

    Only sums with a bias that a flip has made large leave 32 bits; others are not looked at.
    """
    activation = layer.activation

    def saturated(sums: Any) -> Any:
        if scale is not None:
            large = tf.reduce_any(tf.abs(layer.bias) > MOST_BIAS * scale)
            sums = tf.cond(large, lambda: _wrapped(sums, 2.0**31 * scale), lambda: sums)
        return activation(tf.clip_by_value(sums, low, high))

    return saturated


def _wrapped(sums: Any, most: np.ndarray) -> Any:
    """Sums that leave [-most, most], at its other end; a quotient would round there."""
    return tf.where(sums < -most, sums + 2 * most, tf.where(sums > most, sums - 2 * most, sums))
