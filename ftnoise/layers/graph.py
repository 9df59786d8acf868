"""A Keras model as the list of its layers' calls, in the order in which they are computed.

Models inside a model are unfolded, so each layer is a step of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.errors import BadInput

# The name of a tensor of the model.
Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a layer: the keys of its input and output tensors."""

    layer: keras.layers.Layer
    node: Any
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]

    def run(self, values: dict[Key, Any], inference: bool = True) -> None:
        """Computes the outputs from `values`, in inference mode, and puts them there.

        Without `inference`, layers run in the mode in which the model is called.
        """
        found: dict[str, list[Any]] = {}
        for identity, key in zip(self.node.flat_input_ids, self.inputs, strict=True):
            found.setdefault(identity, []).append(values[key])
        arguments, options = self.node.map_arguments(found)
        takes_mode = self.layer._expects_training_arg and options.get("training") is None
        if inference and takes_mode:
            options = {**options, "training": False}
        outputs = tf.nest.flatten(self.layer(*arguments, **options))
        values.update(zip(self.outputs, outputs, strict=True))

    @property
    def in_training(self) -> bool:
        """Whether the model calls the layer in training mode, whatever its own mode."""
        return bool(self.node.call_kwargs.get("training"))

    @property
    def is_tapped(self) -> bool:
        """Whether the layer has another call than its class, as faults in neurons give it."""
        own = vars(self.layer).get("call")
        return own is not None and not hasattr(own, "_tf_decorator")  # which Keras' operators have

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """The shapes of the outputs as Keras knows them, batch first; empty if unknown."""
        shapes = [output.shape for output in tf.nest.flatten(self.node.outputs)]
        return [() if shape.rank is None else tuple(shape) for shape in shapes]

    @property
    def function(self) -> str:
        """The name of a layer's activation, or of the function in its place; "" if unknown."""
        symbol = getattr(self.layer, "symbol", None)
        if isinstance(symbol, str):
            return symbol.split(".")[-1]
        return getattr(getattr(self.layer, "activation", None), "__name__", "")


@dataclass(frozen=True, eq=False)
class Graph:
    """The steps of a model with one output, from the inputs on."""

    steps: tuple[Step, ...]
    inputs: tuple[Key, ...]
    output: Key

    def consumers(self, key: Key) -> list[Step]:
        """The steps that take a tensor, once for each time they take it."""
        return [step for step in self.steps for taken in step.inputs if taken == key]

    def calls(self, layer: keras.layers.Layer) -> int:
        """How often a layer is called."""
        return sum(step.layer is layer for step in self.steps)

    def after(self, steps: Iterable[Step], keys: Iterable[Key]) -> tuple[Step, ...]:
        """The given steps and all that depend on them or on the tensors `keys`, in order."""
        changed, first = set(keys), set(steps)
        found = []
        for step in self.steps:
            if step in first or changed.intersection(step.inputs):
                changed.update(step.outputs)
                found.append(step)
        return tuple(found)


def unfold(network: keras.Model) -> Graph:
    """The graph of a model.

    Raises `BadInput` if it is neither Sequential nor functional, has not one output, or keeps a
    state from batch to batch.
    """
    if not is_functional(network):
        raise BadInput(
            "Expected a Sequential or functional Keras model that is built. "
            f"Received: {type(network).__name__} {getattr(network, 'name', '')}."
        )
    if len(network.outputs) != 1:
        raise BadInput(
            f"Expected {network.name} with one output. Received: {len(network.outputs)}."
        )
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if getattr(layer, "stateful", False) and isinstance(layer, keras.layers.RNN):
            raise BadInput(
                "Expected layers that keep no state from batch to batch. Received: "
                f"{layer.name}, stateful=True."
            )
    inputs = tuple(("input", str(n)) for n in range(len(network.inputs)))
    steps: list[Step] = []
    (output,) = _unfold(network, (), inputs, steps)
    return Graph(tuple(steps), inputs, output)


def is_functional(network: Any) -> bool:
    """Whether a layer is a model for which Keras records the calls of its layers."""
    return isinstance(network, keras.Model) and bool(getattr(network, "_is_graph_network", False))


def _unfold(
    network: keras.Model, path: Key, inputs: tuple[Key, ...], steps: list[Step]
) -> tuple[Key, ...]:
    keys = {str(id(tensor)): key for tensor, key in zip(network.inputs, inputs, strict=True)}
    depths: Mapping[int, list[Any]] = network._nodes_by_depth
    for node in (node for depth in sorted(depths, reverse=True) for node in depths[depth]):
        if node.is_input or any(identity not in keys for identity in node.flat_input_ids):
            continue
        taken = tuple(keys[identity] for identity in node.flat_input_ids)
        if is_functional(node.layer) and _as_it_is(node):
            given = _unfold(node.layer, (*path, str(len(steps)), node.layer.name), taken, steps)
        else:
            given = tuple((*path, identity) for identity in node.flat_output_ids)
            steps.append(Step(node.layer, node, taken, given))
        keys.update(zip(node.flat_output_ids, given, strict=True))
    return tuple(keys[str(id(tensor))] for tensor in network.outputs)


def _as_it_is(node: Any) -> bool:
    """Whether a call of a model is the calls of its layers on the same tensors, and no more."""
    given, wanted = node.keras_inputs, node.layer.inputs
    (first, *more), options = node.call_args or (None,), node.call_kwargs
    return (
        not more
        and not isinstance(first, dict)
        and not any(value is not None and value is not False for value in options.values())
        and len(given) == len(wanted)
        # Otherwise the model would cast or reshape them.
        and all(
            one.dtype == other.dtype and one.shape.rank == other.shape.rank
            for one, other in zip(given, wanted, strict=True)
        )
    )
