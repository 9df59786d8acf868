"""A Keras model in inference mode as affine maps and elementwise activations, in double precision.

An affine layer needs no rule of its own. Its twin of the same class computes in double precision
without the activation, its vector-Jacobian product carries linear functions of its outputs back to
its inputs, and a second twin with the absolute weights carries the radii of boxes forward. Max
pooling is a tournament of `max(a, b) = b + relu(a - b)`, which is affine but for the ReLU. A
softmax or a sigmoid at the end is taken off; one sigmoid becomes two logits, the first of them 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.layers.convolution import ImageConv2D, TwoLogits
from ftnoise.layers.drawing import is_stochastic
from ftnoise.layers.graph import Key, Step
from ftnoise.layers.logits import Logits
from ftnoise.verify.activations import KNOWN, Activation, Rectifier

DTYPE = tf.float64
# The exact classes, as a subclass may compute anything. These map each number by itself or move it.
SEPARATE = {
    *(kl.Flatten, kl.Reshape, kl.Permute, kl.BatchNormalization, kl.Rescaling),
    *(kl.Dropout, kl.SpatialDropout1D, kl.SpatialDropout2D, kl.GaussianNoise, kl.GaussianDropout),
    *(kl.ZeroPadding1D, kl.ZeroPadding2D, kl.Cropping1D, kl.Cropping2D),
}
MIXING = {
    *(kl.Dense, kl.Conv1D, kl.Conv2D, kl.DepthwiseConv2D, kl.SeparableConv2D, ImageConv2D),
    *(kl.AveragePooling1D, kl.AveragePooling2D, TwoLogits),
    *(kl.GlobalAveragePooling1D, kl.GlobalAveragePooling2D),
    *(kl.Add, kl.Subtract, kl.Average, kl.Concatenate),
}
MAXIMA = {kl.MaxPooling1D, kl.MaxPooling2D}
ACTIVATIONS = {kl.ReLU, kl.LeakyReLU, kl.Activation, kl.Softmax}
OFFSETS = ("bias", "beta", "moving_mean")
ADDITIONS = ("__operators__.add", "math.add")

Maps = Callable[..., Any]


@dataclass(frozen=True, eq=False, repr=False)
class Affine:
    """An affine map of tensors with a batch axis.

    Attributes:
        inputs, output: keys of the tensors.
        function: of the inputs, float64.
        magnitude: the linear part with absolute coefficients, of the radii of the inputs.
        shapes: those of the inputs without the batch.
        separate: each output depends on one input, so boxes become boxes.
        maximum: the output is the maximum of two inputs that are found on intervals, if any.
    """

    inputs: tuple[Key, ...]
    output: Key
    function: Maps
    magnitude: Maps
    shapes: tuple[tuple[int, ...], ...]
    separate: bool = False
    maximum: Maps | None = None
    offset: Any = field(init=False)

    def __post_init__(self) -> None:
        nothing = [tf.zeros([1, *shape], DTYPE) for shape in self.shapes]
        object.__setattr__(self, "offset", self.function(*nothing))

    def pull(self, rows: Any) -> list[Any]:
        """Linear functions of the output `[n, ...]` as functions of each input, without offset."""
        nothing = [tf.zeros([tf.shape(rows)[0], *shape], DTYPE) for shape in self.shapes]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(nothing)
            outputs = self.function(*nothing)
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(outputs, nothing, output_gradients=rows, unconnected_gradients=zero)


@dataclass(frozen=True, eq=False)
class Unary:
    """The activation number `number` of a program, on a tensor of this shape without the batch."""

    inputs: tuple[Key]
    output: Key
    activation: Activation
    number: int
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """The operations from the input `[batch, *shape]` to the logits `[batch, classes]`, in order.

    `plain` gives the logits in the network's own precision, by its own layers. `ending` is what the
    network itself ends in: "logits", "softmax" or "sigmoid".
    """

    operations: tuple[Affine | Unary, ...]
    input: Key
    output: Key
    shape: tuple[int, ...]
    classes: int
    plain: Callable[[Any], Any]
    ending: str

    @property
    def unaries(self) -> list[Unary]:
        """The activations, by their numbers."""
        return [one for one in self.operations if isinstance(one, Unary)]

    def forward(self, x: Any) -> tuple[Any, list[Any]]:
        """Logits of `x`, float64 `[batch, ...]`, and the inputs of all activations."""
        values, taken = {self.input: x}, []
        for one in self.operations:
            given = [values[key] for key in one.inputs]
            if isinstance(one, Affine):
                values[one.output] = one.function(*given)
            else:
                values[one.output] = one.activation(*given)
                taken += given
        return values[self.output], taken


def program(network: keras.Model) -> Program:
    """The program of a Sequential or functional model, or of its `Logits`, with its weights of now.

    Raises `BadInput` if a layer is unknown, the network draws, or it does not give at least two
    logits, their softmax, or one sigmoid, from one input of a fixed shape.
    """
    return _Builder(network).program()


class _Builder:
    """Collects the operations of a network."""

    def __init__(self, network: keras.Model) -> None:
        self.logits = network if isinstance(network, Logits) else Logits(network)
        expect(not is_stochastic(network), "a network that draws nothing", network=network.name)
        self.operations: list[Affine | Unary] = []
        self.shapes = {self.logits.start: self._fixed("the input", self.logits.shape)}
        self.twins: dict[int, tuple[Any, Any]] = {}

    def program(self) -> Program:
        start, ending = self.logits.start, self.logits.ending
        for step in ending.steps:
            self._step(step)
        output = ending.output
        if ending.kind == "sigmoid":
            two = TwoLogits(dtype="float64")
            one, output = output, (*output, "two")
            self._affine((one,), output, two, two)
        shape = self.shapes[output]
        where = (start, output, self.shapes[start], shape[0])
        return Program(tuple(self.operations), *where, self.logits, ending.kind)

    def _step(self, step: Step) -> None:
        layer, kind, (key, *others) = step.layer, type(step.layer), step.outputs
        if others or len(step.shapes) != 1:
            raise BadInput(f"Expected layers with one output. Received: {layer.name}.")
        training = step.in_training
        expect(not training, "layers in inference mode", layer=layer.name, training=training)
        expect(
            not step.is_tapped,
            "layers without another call, which faults in neurons give them",
            layer=layer.name,
        )
        if kind in MAXIMA:
            self._max_pooling(step)
        elif kind in ACTIVATIONS or getattr(layer, "symbol", None) == "nn.relu":
            self._activation(layer, layer, step.inputs[0], key)
        elif kind in SEPARATE | MIXING:
            self._layer(step)
            return
        elif getattr(layer, "symbol", None) in ADDITIONS and len(step.inputs) == 2:
            self._affine(step.inputs, key, lambda a, b: a + b, lambda a, b: a + b)
        else:
            self._refuse(layer, kind.__name__)

    def _layer(self, step: Step) -> None:
        """An affine layer, and its activation if it has one."""
        layer, key = step.layer, step.outputs[0]
        if id(layer) not in self.twins:
            self.twins[id(layer)] = self._twins(step)
        twin, absolute = self.twins[id(layer)]
        functions = self._call(step, twin), self._call(step, absolute)
        active = getattr(layer, "activation", None)
        linear = active is None or KNOWN.get(active, active) is None
        affine = key if linear else (*key, "linear")
        self._affine(step.inputs, affine, *functions, separate=type(layer) in SEPARATE)
        if not linear:
            self._activation(layer, active, affine, key)

    def _activation(self, layer: Any, active: Any, taken: Key, key: Key) -> None:
        """Adds the activation that a layer is or has."""
        found = self._known(active)
        if isinstance(found, str):
            self._refuse(layer, found)
        elif found is None:
            self._affine((taken,), key, tf.identity, tf.identity, separate=True)
        else:
            self._unary(taken, key, found)

    def _known(self, active: Any) -> Activation | str | None:
        """An activation; None for the identity, or the name of an unknown one."""
        if isinstance(active, kl.ReLU):
            slope = float(active.negative_slope)
            plain = active.max_value is None and not active.threshold and 0 <= slope <= 1
            return Rectifier(slope) if plain else str(active.get_config())
        if isinstance(active, kl.LeakyReLU):
            slope = float(active.alpha)
            return Rectifier(slope) if 0 <= slope <= 1 else f"alpha={slope:g}"
        if getattr(active, "symbol", None) == "nn.relu":
            return Rectifier()
        function = getattr(active, "activation", active)
        if function in KNOWN:
            return KNOWN[function]
        return getattr(function, "__name__", type(function).__name__)

    def _affine(
        self, inputs: Sequence[Key], key: Key, function: Maps, magnitude: Maps, **options: Any
    ) -> None:
        shapes = tuple(self.shapes[taken] for taken in inputs)
        one = Affine(tuple(inputs), key, function, magnitude, shapes, **options)
        self.operations.append(one)
        self.shapes[key] = tuple(one.offset.shape[1:])

    def _twins(self, step: Step) -> tuple[Any, Any]:
        """The layer in double precision without activation: itself, and with absolute weights."""
        layer, config = step.layer, dict(step.layer.get_config(), dtype="float64")
        if "activation" in config:
            config["activation"] = None
        absolute, kind = dict(config), type(layer)
        if kind is kl.Rescaling:
            absolute |= {"scale": np.abs(layer.scale).tolist(), "offset": 0.0}
        if kind is kl.Subtract:
            kind = kl.Add
        pair = type(layer).from_config(config), kind.from_config(absolute)
        names = [weight.name.split("/")[-1].split(":")[0] for weight in layer.weights]
        for twin in pair:
            self._call(step, twin)(
                *(tf.zeros([1, *self.shapes[one]], DTYPE) for one in step.inputs)
            )
        pair[0].set_weights(layer.get_weights())
        pair[1].set_weights(
            [
                np.zeros_like(value)
                if name in OFFSETS
                else value
                if name == "moving_variance"
                else np.abs(value)
                for name, value in zip(names, layer.get_weights(), strict=True)
            ]
        )
        return pair

    def _call(self, step: Step, layer: Any) -> Maps:
        """The call of a step by another layer, as a function of its input tensors."""
        other = replace(step, layer=layer)

        def call(*tensors: Any) -> Any:
            values = dict(zip(step.inputs, tensors, strict=True))
            other.run(values)
            return values[step.outputs[0]]

        return call

    def _max_pooling(self, step: Step) -> None:
        """`max(a, b) = b + relu(a - b)` between halves of each window, until one is left."""
        layer, taken, key = step.layer, step.inputs[0], step.outputs[0]
        expect(layer.data_format == "channels_last", "channels last", layer=layer.name)
        *sizes, _ = self.shapes[taken]
        axes = [
            _windows(size, window, stride, layer.padding)
            for size, window, stride in zip(
                sizes, np.ravel(layer.pool_size), np.ravel(layer.strides), strict=True
            )
        ]
        count = int(np.prod([axis.shape[2] for axis in axes]))
        windows, now = _gather(axes, count), (*key, "windows")
        self._affine((taken,), now, windows, windows)
        while count > 1:
            subtract, add, join, maximum = _match(count)
            before, (difference, positive, now) = now, ((*key, f"{s}{count}") for s in "-+m")
            self._affine((before,), difference, subtract, add)
            self._unary(difference, positive, Rectifier())
            self._affine((before, positive), now, join, join, maximum=maximum)
            count -= count // 2
        self._affine((now,), key, _only, _only, separate=True)

    def _unary(self, taken: Key, key: Key, activation: Activation) -> None:
        number = sum(isinstance(one, Unary) for one in self.operations)
        self.operations.append(Unary((taken,), key, activation, number, self.shapes[taken]))
        self.shapes[key] = self.shapes[taken]

    def _fixed(self, name: str, shape: Any) -> tuple[int, ...]:
        expect(None not in tuple(shape), f"fixed shapes in {name}", shape=tuple(shape))
        return tuple(shape)

    def _refuse(self, layer: Any, what: str) -> None:
        raise BadInput(
            "Expected layers and activations that bounds are known for. "
            f"Received: {layer.name} ({what[:100]})."
        )


def _windows(size: int, window: int, stride: int, padding: str) -> Any:
    """Which position of an axis is where in which window: 0 or 1, `[size, windows, window]`.

    What lies outside is replaced by the next position inside, which is in the same window.
    """
    number = -(-size // stride) if padding == "same" else (size - window) // stride + 1
    before = max((number - 1) * stride + window - size, 0) // 2 if padding == "same" else 0
    positions = np.arange(number)[:, None] * stride + np.arange(window) - before
    chosen = np.clip(positions, 0, size - 1)
    return tf.constant(np.moveaxis(np.eye(size)[chosen], 2, 0), DTYPE)


def _gather(axes: Sequence[Any], count: int) -> Maps:
    """The `count` numbers of each window, on a last axis of their own."""
    rule = "bic,ipk->bpck" if len(axes) == 1 else "bijc,ipk,jql->bpqckl"

    def windows(x: Any) -> Any:
        found = tf.einsum(rule, x, *axes)
        return tf.reshape(found, [-1, *found.shape[1 : 2 + len(axes)], count])

    return windows


def _only(x: Any) -> Any:
    return tf.squeeze(x, -1)


def _match(count: int) -> tuple[Maps, Maps, Maps, Maps]:
    """Functions of `count` numbers on the last axis, whose first and second halves meet.

    These are `a - b`, `a + b`, the next round `b + relu(a - b)` from the numbers and the ReLU, and
    the same by the maximum.
    """
    half = count // 2

    def next_round(x: Any, winners: Any) -> Any:
        return tf.concat([winners, x[..., 2 * half :]], axis=-1)

    def first(x: Any) -> Any:
        return x[..., :half]

    def second(x: Any) -> Any:
        return x[..., half : 2 * half]

    return (
        lambda x: first(x) - second(x),
        lambda x: first(x) + second(x),
        lambda x, more: next_round(x, second(x) + more),
        lambda x: next_round(x, tf.maximum(first(x), second(x))),
    )
