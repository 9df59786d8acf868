"""Two campaigns are the same if all that the result depends on is."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.user.folder import architecture, folder_name, identity_of
from ftnoise.user.inject import prepared
from ftnoise.user.settings import CampaignSettings
from tests.user.made import FAULT, examples, model

SETTINGS = CampaignSettings.of(FAULT)


@pytest.fixture(scope="module")
def network():
    return model()


def identity(network, x, y, settings=SETTINGS):
    return identity_of(prepared(network, x, y, settings), settings)


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def test_every_part_counts(network):
    x, y = examples(network)
    before = identity(network, x, y)
    assert identity(model(name="another"), [x.astype(float)], y[:, None]) == before
    assert changed(before, identity(network, x + 1, y)) == {"examples", "outputs"}
    assert changed(before, identity(network, x[:-1], y[:-1])) == {"examples", "outputs"}
    assert changed(before, identity(network, x, y * 0)) == {"examples"}
    other = CampaignSettings.of(FAULT, seed=1)
    assert changed(before, identity(network, x, y, other)) == {"settings"}
    # The same weights; and where nothing exceeds 6, the same outputs without faults.
    assert changed(before, identity(model("relu6"), x, y)) == {"architecture"}
    wider = identity(model(units=9), x, y)
    assert changed(before, wider) == {"architecture", "weights", "outputs"}
    biased = model()
    biased.layers[-1].bias.assign([0, 1, 0])
    assert changed(before, identity(biased, x, y)) == {"weights", "outputs"}


def test_the_code_of_a_users_layer_counts_by_its_outputs():
    import keras

    def built(factor):
        class Scaled(keras.layers.Layer):
            def call(self, inputs):
                return factor * inputs

        dense = keras.layers.Dense(2, kernel_initializer="ones")
        return keras.Sequential([keras.layers.InputLayer((2,)), Scaled(), dense], name="own")

    x, y = np.ones((3, 2), np.float32), np.zeros(3, int)
    two = identity(built(2), x, y)
    assert identity(built(2), x, y) == two
    assert changed(two, identity(built(3), x, y)) == {"outputs"}


def test_a_layer_without_a_config_is_known_by_its_class():
    import keras

    class Secret(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, inputs):
            return self.function(inputs)

    def built(*more):
        return keras.Sequential([keras.layers.InputLayer((2,)), Secret(abs), *more])

    with pytest.raises(NotImplementedError):
        built().to_json()
    assert architecture(built()) == architecture(built())
    assert architecture(built()) != architecture(built(keras.layers.ReLU()))


def test_the_name_of_a_folder(network):
    found = identity(network, *examples(network))
    assert folder_name("My Net/2", found).startswith("my-net-2-")
    assert folder_name("//", found).startswith("model-")


@pytest.mark.parametrize(
    "fault", ["neurons:stuck_at_zero:n=9", "filters:stuck_at_zero:1", "weights=x:sign_flip:1"]
)
def test_sites_that_do_not_exist_have_no_campaign(network, fault):
    with pytest.raises(BadInput, match=r"Expected .* Received"):
        identity(network, *examples(network), CampaignSettings.of(fault))
