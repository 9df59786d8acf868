"""One forward and one backward pass that record, for each layer, the inputs of its clipping.

Source: Bu et al. (2022), "Differentially Private Optimization on Large Model at Small Cost"
(book-keeping). An open `RecordingTape` records each layer's input and watches its output before the
activation; one `gradient` of the losses in those outputs replaces the gradient in the weights.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.layers.replacing import holding
from ftnoise.training.gradients.clipping import known_kinds, refusal


@dataclass
class Recorded:
    """A layer's part in a forward pass: its input, and its output before the activation."""

    layer: keras.layers.Layer
    inputs: Any
    outputs: Any = None


class RecordingTape(tf.GradientTape):
    """A tape that watches the outputs of a network's trainable layers instead of its weights.

    `checks.check` has accepted the network; the tape itself checks only the classes of its layers.
    `records` has a `Recorded` for each call of a trainable layer. An optimizer sets `finite`: which
    examples have a finite gradient, bool `[batch]`.
    """

    def __init__(self, network: keras.Model, persistent: bool = False) -> None:
        super().__init__(persistent=persistent, watch_accessed_variables=False)
        refuse(network)
        self.layers = trainable_layers(network)
        self.records: list[Recorded] = []
        self.finite: Any = None
        self.restored = ExitStack()

    def __enter__(self) -> RecordingTape:
        super().__enter__()
        for layer in self.layers:
            self._record(layer)
        return self

    def __exit__(self, *error: Any) -> None:
        self.restored.close()
        super().__exit__(*error)

    def parts(self, losses: Any) -> list[tuple[keras.layers.Layer, Any, Any]]:
        """Each layer, its input, and the gradient of the summed `losses` in its output.

        To be called once, after the block; the argument of `clipping.clipped_sum`.
        """
        outputs = [record.outputs for record in self.records]
        gradients = self.gradient(losses, outputs, unconnected_gradients="zero")
        return [
            (record.layer, record.inputs, gradient)
            for record, gradient in zip(self.records, gradients, strict=True)
        ]

    def _record(self, layer: keras.layers.Layer) -> None:
        """Hides the layer's `call` and `activation` behind ones that record."""
        call, activation = layer.call, getattr(layer, "activation", None)

        def recorded_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self.records.append(Recorded(layer, inputs))
            outputs = call(inputs, *args, **kwargs)
            return outputs if activation else keep(outputs)

        def keep(outputs: Any) -> Any:
            self.watch(outputs)
            self.records[-1].outputs = outputs
            return outputs

        self.restored.enter_context(holding(layer, "call", recorded_call))
        if activation:
            recorded = holding(layer, "activation", lambda outputs: activation(keep(outputs)))
            self.restored.enter_context(recorded)


def trainable_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The innermost layers of a network that have trainable weights of their own."""
    return [
        layer
        for layer in network._flatten_layers(include_self=True, recursive=True)
        if layer.trainable and layer._trainable_weights
    ]


def refuse(network: keras.Model) -> None:
    """Refuses, without computing anything, a network whose examples cannot be clipped correctly.

    The `BadInput` names the layer or weight, and what to use instead.
    """
    ends = getattr(network, "inputs", None) or (), getattr(network, "outputs", None) or ()
    if tuple(map(len, ends)) != (1, 1):
        raise BadInput(
            f"Expected {network.name} to be a Sequential or functional model with one input and "
            f"one output. Received: {len(ends[0])} inputs, {len(ends[1])} outputs."
        )
    mixing = [
        layer
        for layer in network._flatten_layers(include_self=True, recursive=True)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    layers = trainable_layers(network)
    for layer in [*mixing, *layers]:
        if reason := refusal(layer):
            raise BadInput(f"Expected layers whose examples can be clipped. Received: {reason}.")
    if network.losses:
        raise BadInput(
            f"Expected {network.name} without losses of its own (regularizers, add_loss), which "
            "per-example clipping does not see: use Training(penalty=...). "
            f"Received: {len(network.losses)} losses."
        )
    owned = [weight for layer in layers for weight in layer._trainable_weights]
    for weight in network.trainable_weights:
        if (owners := sum(weight is other for other in owned)) != 1:
            raise BadInput(
                "Expected each trainable weight to belong to one layer that can be clipped "
                f"({known_kinds()}). Received: {weight.name}, which belongs to {owners}."
            )


def refuse_calls(tape: RecordingTape) -> None:
    """Raises `BadInput` with the name of a trainable layer that was not called once."""
    calls = [id(record.layer) for record in tape.records]
    for layer in tape.layers:
        if calls.count(id(layer)) != 1:
            raise BadInput(
                f"Expected each trainable layer to be called once, as shared layers cannot be "
                f"clipped: give each place a layer of its own. Received: {layer.name}, called "
                f"{calls.count(id(layer))} times."
            )
