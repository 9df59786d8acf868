"""The fault sites of a Keras model: the units of its layers, and the elements of its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.faults.graph import Graph, Step, unfold

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
# As layers of their own they still belong to the unit before them.
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
    LAYERS.SpatialDropout1D,
    LAYERS.SpatialDropout2D,
    LAYERS.SpatialDropout3D,
    LAYERS.AlphaDropout,
    LAYERS.GaussianNoise,
    LAYERS.GaussianDropout,
)
CONVOLUTIONS = (
    LAYERS.Conv1D,
    LAYERS.Conv2D,
    LAYERS.Conv3D,
    LAYERS.Conv1DTranspose,
    LAYERS.Conv2DTranspose,
    LAYERS.Conv3DTranspose,
    LAYERS.DepthwiseConv1D,
    LAYERS.DepthwiseConv2D,
    LAYERS.SeparableConv1D,
    LAYERS.SeparableConv2D,
)
# Parameters that are added to a sum, or scale and shift each unit by itself.
NO_WEIGHTS = ("bias", "gamma", "beta", "alpha")
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
    """One parameter, and where layers hold it: (layer, attribute)."""

    variable: Any
    holders: tuple[tuple[Any, str], ...]


@dataclass(frozen=True, eq=False)
class OutputTarget(Target):
    """The output of `tapped`, or its input (`before`: the heads of an attention layer).

    Attributes:
        tapped: a layer.
        before: whether the target is the input of `tapped`.
        held: which of its outputs hold the units; several for a recurrent layer with its state.
            None if that is not known.
    """

    tapped: Any
    before: bool = False
    held: tuple[int, ...] | None = (0,)

    def check(self) -> None:
        expect(
            self.held is not None,
            "neurons of layers with one output, or of recurrent ones with their state (name layers "
            "to leave others out)",
            layer=self.name,
            outputs="several",
        )


def output_targets(
    network: keras.Model, output_layer: bool, *, convolutions: bool = False
) -> list[Target]:
    """A target for each layer with units: where the last layer that belongs to them gives them."""
    graph = unfold(network)
    found: dict[int, Target] = {}
    for step in graph.steps:
        layer = step.layer
        if id(layer) in found or not layer.weights or isinstance(layer, NO_UNITS):
            continue
        if convolutions and not isinstance(_core(layer), CONVOLUTIONS):
            continue
        if isinstance(layer, LAYERS.MultiHeadAttention):
            heads = (layer._num_heads, 1)
            found[id(layer)] = OutputTarget(layer.name, layer, heads, layer._output_dense, True)
            continue
        last = _unit(graph, step)
        if output_layer or graph.output not in last.outputs:
            grid = _units(last, step)
            found[id(layer)] = OutputTarget(layer.name, layer, grid, last.layer, held=_held(last))
    return list(found.values())


def _core(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer that a wrapper applies to each step of a sequence."""
    return layer.layer if isinstance(layer, LAYERS.TimeDistributed) else layer


def _unit(graph: Graph, step: Step) -> Step:
    """The last step that belongs to the units of `step`."""
    while len(step.outputs) == 1 and step.outputs[0] != graph.output:
        following = graph.consumers(step.outputs[0])
        if len(following) != 1 or not _same_unit(following[0]):
            break
        if graph.calls(following[0].layer) != 1 or graph.calls(step.layer) != 1:
            break
        (step,) = following
    return step


def _same_unit(step: Step) -> bool:
    """Whether a step belongs to the unit before it."""
    if isinstance(step.layer, SAME_UNIT):
        return True
    called = type(step.layer).__name__ == "TFOpLambda" and len(step.inputs) == 1
    return called and step.function in ACTIVATIONS


def _held(step: Step) -> tuple[int, ...] | None:
    """Which outputs of a layer hold its units."""
    if len(step.outputs) == 1:
        return (0,)
    # Its outputs, then its state; of an LSTM that is two tensors, one number a unit in each.
    cell = getattr(step.layer, "cell", None)
    known = isinstance(step.layer, LAYERS.RNN) and not isinstance(cell, LAYERS.StackedRNNCells)
    units = {shape[-1] for shape in step.shapes if shape}
    return tuple(range(len(step.outputs))) if known and len(units) == 1 else None


def _units(step: Step, owner: Step) -> tuple[int, ...]:
    shape = step.shapes[0]
    first = getattr(owner.layer, "data_format", "") == "channels_first"
    units = shape[1] if first else shape[-1]
    if units is None or len(shape) < 2:
        raise BadInput(
            f"Expected a known number of units in {owner.layer.name}. Received: shape {shape}."
        )
    return (units, *(1 for _ in shape[2:])) if first else (units,)


def parameter_targets(
    network: keras.Model, output_layer: bool, wanted: Callable[[Any], bool]
) -> list[Target]:
    """A target for each parameter that is wanted, its sites being its elements."""
    return [
        ParameterTarget(name, layer, tuple(variable.shape), variable, holders)
        for name, layer, variable, holders in _parameters(network, output_layer)
        if wanted(variable)
    ]


def filter_targets(network: keras.Model, output_layer: bool) -> list[Target]:
    """A target for each kernel of a convolution, its sites being the channels that it makes."""
    targets: list[Target] = []
    for name, layer, variable, holders in _parameters(network, output_layer):
        shape = tuple(variable.shape)
        if not isinstance(_core(layer), CONVOLUTIONS) or not is_weight(variable):
            continue
        if kind_of(variable) == "depthwise_kernel":
            grid = (*(1 for _ in shape[:-2]), *shape[-2:])
        elif isinstance(
            _core(layer),
            LAYERS.Conv1DTranspose | LAYERS.Conv2DTranspose | LAYERS.Conv3DTranspose,
        ):
            grid = (*(1 for _ in shape[:-2]), shape[-2], 1)
        else:
            grid = (*(1 for _ in shape[:-1]), shape[-1])
        targets.append(ParameterTarget(name, layer, grid, variable, holders))
    return targets


def _parameters(
    network: keras.Model, output_layer: bool
) -> Iterator[tuple[str, keras.layers.Layer, Any, tuple[tuple[Any, str], ...]]]:
    graph = unfold(network)
    holders: dict[int, list[tuple[Any, str]]] = {}
    for layer in network._flatten_layers(include_self=False, recursive=True):
        for attribute, value in vars(layer).items():
            if isinstance(value, tf.Variable):
                holders.setdefault(id(value), []).append((layer, attribute))
    done: set[int] = set()
    for step in graph.steps:
        layer = step.layer
        ends = [graph.calls(layer) == 1 and _unit(graph, step).outputs, step.outputs]
        if not output_layer and any(end and graph.output in end for end in ends):
            continue
        for variable in layer.weights:
            if id(variable) in done or not (variable.trainable and variable.dtype.is_floating):
                continue
            done.add(id(variable))
            name = f"{layer.name}/{_short(variable, layer)}"
            yield name, layer, variable, tuple(holders.get(id(variable), ()))


def kind_of(variable: Any) -> str:
    """The role of a variable in its layer: `kernel`, `bias`, `gamma`, ..."""
    return variable.name.split("/")[-1].split(":")[0]


def _short(variable: Any, layer: keras.layers.Layer) -> str:
    parts = variable.name.split(":")[0].split("/")
    return "/".join(parts[parts.index(layer.name) + 1 :] if layer.name in parts else parts[-1:])


def is_bias(variable: Any) -> bool:
    """Whether a parameter is added to a layer's sum."""
    return kind_of(variable) == "bias"


def is_weight(variable: Any) -> bool:
    """Whether a parameter multiplies inputs: a kernel or an embedding."""
    return kind_of(variable) not in NO_WEIGHTS and len(variable.shape) >= 2
