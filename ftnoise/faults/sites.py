"""The fault sites of a Keras model: the units of its layers, and the elements of its parameters."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.layers.drawing import noise_weights
from ftnoise.layers.graph import Graph, Step, unfold
from ftnoise.layers.replacing import holding

LAYERS = keras.layers
# They have parameters, but act on the units of the layer before.
NO_UNITS = (
    LAYERS.BatchNormalization,
    LAYERS.LayerNormalization,
    LAYERS.GroupNormalization,
    LAYERS.UnitNormalization,
    LAYERS.Normalization,
    LAYERS.PReLU,
    LAYERS.Embedding,
)
# As layers of their own they still belong to the unit before them, as do classes below them.
SAME_UNIT = (
    LAYERS.BatchNormalization,
    LAYERS.Activation,
    LAYERS.Softmax,
    LAYERS.ReLU,
    LAYERS.LeakyReLU,
    LAYERS.PReLU,
    LAYERS.ELU,
    LAYERS.ThresholdedReLU,
    LAYERS.Dropout,
    LAYERS.AlphaDropout,
    LAYERS.GaussianNoise,
    LAYERS.GaussianDropout,
)
TRANSPOSED = (LAYERS.Conv1DTranspose, LAYERS.Conv2DTranspose, LAYERS.Conv3DTranspose)
CONVOLUTIONS = (
    LAYERS.Conv1D,
    LAYERS.Conv2D,
    LAYERS.Conv3D,
    LAYERS.DepthwiseConv1D,
    LAYERS.DepthwiseConv2D,
    LAYERS.SeparableConv1D,
    LAYERS.SeparableConv2D,
)
# Parameters that are added to a sum, scale and shift each unit by itself, or are the standard
# deviations of random weights.
NO_WEIGHTS = ("bias", "gamma", "beta", "alpha", "kernel_std", "bias_std")
# Functions that may replace the layer of an activation.
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "sigmoid",
    "hard_sigmoid", "tanh", "softplus", "softsign", "softmax", "log_softmax",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Target:
    """One tensor with fault sites: the output of a layer, or a parameter.

    Attributes:
        name: such as `dense_1` or `dense_1/kernel`.
        layer: the layer that a user would name.
        grid: the shape of the sites, which broadcasts against the values that they hold.
    """

    name: str
    layer: keras.layers.Layer
    grid: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of sites."""
        return math.prod(self.grid)

    def check(self) -> None:
        """Raises `BadInput` if its sites cannot be hit."""


@dataclass(frozen=True, eq=False)
class ParameterTarget(Target):
    """One parameter, where layers hold it: (layer, attribute), and its `storage.Code`, if any."""

    variable: Any
    holders: tuple[tuple[Any, str], ...]
    code: Any = None

    @property
    def kind(self) -> str:
        """The role of the parameter in its layer: `kernel`, `bias`, `gamma`, ..."""
        return self.variable.name.split("/")[-1].split(":")[0]

    @property
    def is_weight(self) -> bool:
        """Whether it multiplies inputs: a kernel or an embedding."""
        return self.kind not in NO_WEIGHTS and len(self.variable.shape) >= 2


@dataclass(frozen=True, eq=False)
class OutputTarget(Target):
    """The output of `tapped`, or its input (`before`: the heads of an attention layer).

    `held` numbers the outputs of `tapped` that hold the units: several for a recurrent layer with
    its state, None if that is not known. `calls` is how often the network calls `tapped`.
    """

    tapped: Any
    before: bool = False
    held: tuple[int, ...] | None = (0,)
    calls: int = 1

    def check(self) -> None:
        expect(
            self.held is not None,
            "neurons of layers with one output, or of recurrent ones with their state (name layers "
            "to leave others out)",
            layer=self.name,
            outputs="several",
        )


def output_targets(network: keras.Model, output_layer: bool) -> list[OutputTarget]:
    """A target for each layer with units: where the last layer that belongs to them gives them."""
    graph = unfold(network)
    found: dict[int, OutputTarget] = {}
    for step in graph.steps:
        layer = step.layer
        if id(layer) in found or not layer.weights or isinstance(layer, NO_UNITS):
            continue
        if isinstance(layer, LAYERS.MultiHeadAttention):
            heads = (layer._num_heads, 1)
            found[id(layer)] = OutputTarget(
                layer.name, layer, heads, layer._output_dense, True, calls=graph.calls(layer)
            )
            continue
        last = _unit(graph, step)
        if output_layer or graph.output not in last.outputs:
            grid, calls = _units(last, layer), graph.calls(last.layer)
            found[id(layer)] = OutputTarget(
                layer.name, layer, grid, last.layer, held=_held(last), calls=calls
            )
    return list(found.values())


def parameter_targets(network: keras.Model, output_layer: bool) -> list[ParameterTarget]:
    """A target for each parameter, its sites being its elements."""
    graph = unfold(network)
    noise = {id(variable) for variable in noise_weights(network)}
    holders: dict[int, list[tuple[Any, str]]] = {}
    for layer in network._flatten_layers(include_self=False, recursive=True):
        for attribute, value in vars(layer).items():
            if isinstance(value, tf.Variable):
                holders.setdefault(id(value), []).append((layer, attribute))
    found: dict[int, ParameterTarget] = {}
    for step in graph.steps:
        layer = step.layer
        last = _unit(graph, step) if graph.calls(layer) == 1 else step
        if not output_layer and graph.output in (*last.outputs, *step.outputs):
            continue
        for variable in layer.weights:
            if not (variable.trainable and variable.dtype.is_floating):
                continue
            if id(variable) in found or id(variable) in noise:
                continue
            parts = variable.name.split(":")[0].split("/")
            inner = parts[parts.index(layer.name) + 1 :] if layer.name in parts else parts[-1:]
            name, grid = "/".join([layer.name, *inner]), tuple(variable.shape)
            held = tuple(holders.get(id(variable), ()))
            found[id(variable)] = ParameterTarget(name, layer, grid, variable, held)
    return list(found.values())


def filters(kernel: ParameterTarget) -> ParameterTarget:
    """The kernel of a convolution, its sites being the channels that it makes."""
    kept = [-1]
    if kernel.kind == "depthwise_kernel":
        kept = [-2, -1]
    elif isinstance(_core(kernel.layer), TRANSPOSED):
        kept = [-2]
    axes = range(-len(kernel.grid), 0)
    return replace(kernel, grid=tuple(kernel.grid[n] if n in kept else 1 for n in axes))


def is_convolution(layer: keras.layers.Layer) -> bool:
    """Whether a layer, or the layer that a wrapper applies to each step, is a convolution."""
    return isinstance(_core(layer), CONVOLUTIONS)


def _core(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.layer if isinstance(layer, LAYERS.TimeDistributed) else layer


def _unit(graph: Graph, step: Step) -> Step:
    """The last step that belongs to the units of `step`."""
    while len(step.outputs) == 1 and step.outputs[0] != graph.output:
        following = graph.consumers(step.outputs[0])
        if len(following) != 1:
            break
        (next_step,) = following
        called = type(next_step.layer).__name__ == "TFOpLambda" and len(next_step.inputs) == 1
        activation = called and next_step.function in ACTIVATIONS
        if not activation and not isinstance(next_step.layer, SAME_UNIT):
            break
        if graph.calls(next_step.layer) != 1 or graph.calls(step.layer) != 1:
            break
        step = next_step
    return step


def _held(step: Step) -> tuple[int, ...] | None:
    """Which outputs of a layer hold its units."""
    if len(step.outputs) == 1:
        return (0,)
    # Its outputs, then its state; of an LSTM that is two tensors, one number a unit in each.
    cell = getattr(step.layer, "cell", None)
    known = isinstance(step.layer, LAYERS.RNN) and not isinstance(cell, LAYERS.StackedRNNCells)
    units = {shape[-1] for shape in step.shapes if shape}
    return tuple(range(len(step.outputs))) if known and len(units) == 1 else None


def _units(step: Step, layer: keras.layers.Layer) -> tuple[int, ...]:
    """The grid of the units of `layer` in the outputs of `step`."""
    shape = step.shapes[0]
    first = getattr(layer, "data_format", "") == "channels_first"
    units = shape[1] if first else shape[-1]
    if units is None or len(shape) < 2:
        raise BadInput(
            f"Expected a known number of units in {layer.name}. Received: shape {shape}."
        )
    return (units, *(1 for _ in shape[2:])) if first else (units,)


def expect_held(targets: Sequence[Any]) -> None:
    """Raises `BadInput` if a parameter is hidden in its layer, so that it cannot be replaced."""
    for target in targets:
        expect(
            len(target.holders) > 0,
            "parameters that are attributes of their layers",
            parameter=target.name,
        )


@contextlib.contextmanager
def held(targets: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """The layers hold tensors instead of the targets' variables inside the block."""
    with contextlib.ExitStack() as stack:
        for target, value in zip(targets, values, strict=True):
            for layer, attribute in target.holders:
                cast = tf.cast(value, layer.compute_dtype or value.dtype)
                stack.enter_context(holding(layer, attribute, cast))
        yield
