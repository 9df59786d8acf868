"""Two campaigns are the same one if all that the answer depends on is."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from ftnoise.campaigns.identity import architecture, made_of
from ftnoise.campaigns.question import question
from ftnoise.core.errors import BadInput
from tests.campaigns.made import FAULT, examples, model

NETWORK = pytest.fixture(scope="module")(model)
ASKED = question(FAULT)


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def test_every_part_counts(NETWORK):
    x, y = examples(NETWORK)
    before = made_of(NETWORK, x, y, ASKED)
    assert made_of(model(name="another"), [x.astype(float)], y[:, None], ASKED) == before
    assert changed(before, made_of(NETWORK, x + 1, y, ASKED)) == {"examples"}
    assert changed(before, made_of(NETWORK, x[:-1], y[:-1], ASKED)) == {"examples"}
    assert changed(before, made_of(NETWORK, x, y * 0, ASKED)) == {"examples"}
    assert changed(before, made_of(NETWORK, x, y, question(FAULT, seed=1))) == {"question"}
    # The same weights; and where nothing exceeds 6, the same outputs without faults.
    for other in ("tanh", "relu6"):
        assert changed(before, made_of(model(other), x, y, ASKED)) == {"architecture"}
    wider = model(units=9)
    assert changed(before, made_of(wider, x, y, ASKED)) == {"architecture", "weights"}
    wide = model()
    wide.layers[-1].bias.assign([0, 1, 0])
    assert changed(before, made_of(wide, x, y, ASKED)) == {"weights"}


LAYER = """
import keras

class Own(keras.layers.Layer):
    def call(self, inputs):
        return {factor} * inputs
"""


def test_the_code_of_a_layer_that_is_not_of_keras_counts(tmp_path):
    import keras

    def built(factor):
        file = tmp_path / str(factor) / "own_layer.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(LAYER.format(factor=factor))
        spec = importlib.util.spec_from_file_location("own_layer", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["own_layer"] = module
        spec.loader.exec_module(module)
        layers = [keras.layers.InputLayer((2,)), module.Own(), keras.layers.Dense(2)]
        return architecture(keras.Sequential(layers))

    try:
        two, three = built(2), built(3)
        assert two != three
        assert built(2) == two
    finally:
        del sys.modules["own_layer"]


def test_a_layer_whose_settings_keras_cannot_write_is_known_by_its_code():
    import keras

    class Secret(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, inputs):
            return self.function(inputs)

    def built(activation):
        dense = keras.layers.Dense(2, activation=activation)
        return keras.Sequential([keras.layers.InputLayer((2,)), Secret(abs), dense])

    with pytest.raises(NotImplementedError):
        built("relu").to_json()
    assert architecture(built("relu")) == architecture(built("relu"))
    assert architecture(built("relu")) != architecture(built("relu6"))


def test_answers_of_an_earlier_revision_are_not_served(NETWORK, monkeypatch):
    x, y = examples(NETWORK)
    before = made_of(NETWORK, x, y, ASKED)
    assert before["revision"] >= 2
    monkeypatch.setattr("ftnoise.campaigns.identity.REVISION", before["revision"] + 1)
    assert changed(before, made_of(NETWORK, x, y, ASKED)) == {"revision"}


def test_what_does_not_fit_is_refused(NETWORK):
    x, y = examples(NETWORK)
    for fault in ("neurons:stuck_at_zero:n=9", "filters:stuck_at_zero:1", "weights@x:sign_flip:1"):
        with pytest.raises(BadInput, match=r"Expected .* Received"):
            made_of(NETWORK, x, y, question(fault))
    with pytest.raises(BadInput, match="labels from 0 to 2"):
        made_of(NETWORK, x, y + 3, ASKED)
    with pytest.raises(BadInput, match="Sequential or functional"):
        made_of(object(), x, y, ASKED)
