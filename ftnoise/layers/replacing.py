"""Other layers in a copy of a Keras model, and other values in the place of a layer's attributes.

In a copy the layers keep their names and weights. What `compile` has set is not copied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from ftnoise.core.checks import expect

_ABSENT = object()
Others = Mapping[int, tuple[type[keras.layers.Layer], dict[str, Any]]]


def replaced(network: keras.Model, others: Others | None = None) -> keras.Model:
    """A copy of the network with other layers; models inside it are copied too.

    The network is Sequential and built, or functional; else it raises `BadInput`. `others` has the
    class and config of the layer in the place of one, by the `id` of that one. The new layer's
    first weights are those of the old one, in its order; more of them keep their initial values.
    """
    pairs = []

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.Model):
            return copy(layer)
        known = (others or {}).get(id(layer))
        kind, config = known or (type(layer), layer.get_config())
        new = kind.from_config(config)
        pairs.append((layer, new))
        return new

    def copy(model: keras.Model) -> keras.Model:
        expect(
            isinstance(model, keras.Model) and model._is_graph_network,
            "a Sequential or functional Keras model that is built",
            network=type(model).__name__,
        )
        return keras.models.clone_model(model, clone_function=clone)

    new = copy(network)
    for old, twin in pairs:
        kept = old.get_weights()
        twin.set_weights(kept + twin.get_weights()[len(kept) :])
    return new


@contextlib.contextmanager
def holding(layer: Any, name: str, value: Any) -> Iterator[None]:
    """The layer's attribute is `value` inside the block, past Keras, which would track it."""
    before = vars(layer).get(name, _ABSENT)
    vars(layer)[name] = value
    try:
        yield
    finally:
        if before is _ABSENT:
            del vars(layer)[name]
        else:
            vars(layer)[name] = before


def layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a network and of the models inside it, in order, each of them once."""
    found: dict[int, keras.layers.Layer] = {}
    for layer in network.layers:
        inner = layers(layer) if isinstance(layer, keras.Model) else [layer]
        found |= {id(one): one for one in inner}
    return list(found.values())
