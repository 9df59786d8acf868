"""The logits of a network that may end in probabilities: what attacks ascend and bounds bound.

A softmax or a sigmoid at the end is taken off, as its gradients vanish where it saturates. One
sigmoid becomes two logits, the first of them 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf
from keras import layers as kl

from ftnoise.core.checks import expect
from ftnoise.layers.convolution import TwoLogits
from ftnoise.layers.graph import Graph, Key, Step, unfold
from ftnoise.layers.replacing import replaced

SOFTMAX = (keras.activations.softmax, tf.nn.softmax)
SIGMOID = (keras.activations.sigmoid, tf.nn.sigmoid)


@dataclass(frozen=True, eq=False)
class Ending:
    """The steps of a network up to its logits, in order, without the last softmax or sigmoid.

    `output` is the key of the logits; `kind` is what the network itself ends in: "logits",
    "softmax" or "sigmoid".
    """

    steps: tuple[Step, ...]
    output: Key
    kind: str


def ending(network: keras.Model, graph: Graph) -> Ending:
    """Takes off the softmax, or the one sigmoid, that a network ends in.

    Raises `BadInput` unless it gives at least two logits, their softmax, or one sigmoid.
    """
    shape = tuple(network.output_shape)
    last = next((step for step in graph.steps if graph.output in step.outputs), None)
    kind = "logits" if last is None else kind_of(last.layer)
    expect(
        len(shape) == 2 and bool(shape[1]) and (shape[1] == 1) == (kind == "sigmoid"),
        "a network that ends in at least 2 logits, their softmax or one sigmoid (a network with "
        "one output has to end in a sigmoid)",
        output=shape,
        activation=kind,
    )
    if last is None or kind == "logits":
        return Ending(graph.steps, graph.output, kind)
    others = tuple(step for step in graph.steps if step is not last)
    if not last.layer.weights:
        return Ending(others, last.inputs[0], kind)
    bare = type(last.layer).from_config(last.layer.get_config() | {"activation": None})
    step = replace(last, layer=bare)
    # The call makes its weights.
    step.run(
        {
            key: tf.zeros([1 if size is None else size for size in tensor.shape], tensor.dtype)
            for key, tensor in zip(last.inputs, last.node.keras_inputs, strict=True)
        }
    )
    bare.set_weights(last.layer.get_weights())
    return Ending((*others, step), graph.output, kind)


def are_probabilities(outputs: Any) -> bool:
    """Whether outputs `[batch, classes]`, an array, are >= 0 and sum to 1 for each example."""
    if not outputs.size or outputs.min() < 0:
        return False
    return bool((abs(outputs.sum(axis=-1) - 1) < 1e-4).all())


def without_probabilities(network: keras.Model) -> keras.Model:
    """The network itself if it ends in logits, or else a copy that ends in them.

    The copy is functional, so faults find its layers too. Raises `BadInput` if the network has
    several inputs or another ending.
    """
    if ending(network, unfold(network)).kind == "logits":
        return network
    copy = Logits(replaced(network))
    inputs = keras.Input(copy.shape)
    # Its layers themselves, not the model of them.
    return keras.Model(inputs, copy.call(inputs), name=network.name)


def kind_of(layer: Any) -> str:
    """Whether a layer gives "softmax", "sigmoid" or, for all that is known, "logits"."""
    if isinstance(layer, kl.Softmax):
        return "softmax" if layer.axis in (-1, 1) else "logits"
    active = None if isinstance(layer, kl.RNN) else getattr(layer, "activation", None)
    active = getattr(active, "activation", active)
    symbol = getattr(layer, "symbol", None)
    if isinstance(active, kl.Softmax) or active in SOFTMAX or symbol == "nn.softmax":
        return "softmax"
    return "sigmoid" if active in SIGMOID or symbol in ("nn.sigmoid", "math.sigmoid") else "logits"


class Logits(keras.Model):
    """A network in inference mode, from inputs `[batch, ...]` to logits `[batch, classes]`.

    It is Sequential or functional, with one input, and ends in at least two logits, their softmax
    or one sigmoid; otherwise it raises `BadInput`. Its weights are shared, but for those of a last
    layer with such an activation, which are copied.
    """

    def __init__(self, network: keras.Model) -> None:
        graph = unfold(network)
        super().__init__(name=network.name)
        expect(len(graph.inputs) == 1, "one input", inputs=len(graph.inputs))
        self.network, self.start = network, graph.inputs[0]
        self.ending = ending(network, graph)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of an example."""
        return tuple(self.network.inputs[0].shape[1:])

    def call(self, x: Any, training: bool = False) -> Any:
        """The logits; inference whatever `training` is."""
        values = {self.start: x}
        for step in self.ending.steps:
            step.run(values)
        logits = values[self.ending.output]
        return TwoLogits()(logits) if self.ending.kind == "sigmoid" else logits
