"""What a campaign is of: the model, the examples and the question, each as a digest.

Deviations
1. Of a layer that is not Keras' own, the source of its class counts beside its settings; what that
   calls elsewhere does not, so a change there is not noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from typing import TYPE_CHECKING, Any

from ftnoise.campaigns.question import Question
from ftnoise.core.spec import JSON, digest

if TYPE_CHECKING:
    import keras


# Raised by hand when the same question gets another answer, so that none of before is served.
REVISION = 2


def made_of(model: keras.Model, x: Any, y: Any, question: Question) -> dict[str, JSON]:
    """SHA-256 of architecture, weights and examples, and the question.

    Args:
        model: Sequential or functional.
        x: examples that fit it.
        y: labels.
        question: what is asked.

    Raises:
        BadInput: model, examples, labels and question do not fit each other.
    """
    import numpy as np

    from ftnoise.faults.campaign import digest as weights_digest
    from ftnoise.faults.examples import check_examples, threshold_of
    from ftnoise.faults.faulty_network import expect_held
    from ftnoise.faults.graph import unfold
    from ftnoise.faults.masks import Drawer

    unfold(model)
    arrays, labels = check_examples(model, x, y)
    threshold_of(model, question.threshold)
    sites = question.fault.where.sites(model)
    expect_held(sites)
    places = Drawer(question.fault, sites, question.seed).places
    for amount in question.amounts:
        amount.check(places)
    examples = hashlib.sha256()
    for array in (*arrays, labels):
        examples.update(f"{array.dtype.str} {array.shape}\n".encode())
        examples.update(np.ascontiguousarray(array).data)
    return {
        "revision": REVISION,
        "architecture": architecture(model),
        "weights": weights_digest(model),
        "examples": examples.hexdigest(),
        "question": question.form,
    }


def architecture(model: keras.Model) -> str:
    """SHA-256 (hex) of the settings of all layers and of how they are connected.

    Names do not count: Keras numbers layers through, so a model that is built twice has others.
    """
    layers = list(model._flatten_layers())
    names = {layer.name: f"layer {number}" for number, layer in enumerate(layers)}

    def nameless(value: JSON) -> JSON:
        if isinstance(value, dict):
            return {name: nameless(one) for name, one in value.items()}
        if isinstance(value, list):
            return [nameless(one) for one in value]
        return names.get(value, value) if isinstance(value, str) else value

    settings = [_settings(model)]
    if settings == [None]:
        # Those of one layer, of which Keras cannot write the settings, are not worth all others.
        settings = list(map(_settings, layers))
    kinds = [_kind(type(layer)) for layer in layers]
    return digest({"settings": nameless(settings), "kinds": kinds})


def _settings(layer: Any) -> JSON:
    """What Keras writes of a layer or model; None if it cannot."""
    import keras

    try:
        return json.loads(json.dumps(keras.saving.serialize_keras_object(layer), default=str))
    except (NotImplementedError, TypeError, ValueError):
        return None


def _kind(layer: type) -> str:
    if not layer.__module__.startswith("keras."):
        with contextlib.suppress(OSError, TypeError):
            return inspect.getsource(layer)
    return layer.__qualname__
