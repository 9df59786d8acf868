"""Global robustness of a user's own model: units, ends of models, refusals, and what is printed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import Sequential
from keras import layers as kl

import ftnoise
from ftnoise.core.errors import BadInput
from ftnoise.user.robustness import RobustnessSettings
from tests.attacks.small import Noise, data, network_of
from tests.verify.networks import randomized

WHOLE = {"tolerance": 0, "budget": 3}
X, Y = data(120)


def model(last=None, classes=3):
    """The linear network of the attacks' tests, with its own ending."""
    network = network_of(classes=classes)
    layers = [kl.InputLayer(X.shape[1:]), network]
    return Sequential([*layers, *([] if last is None else [kl.Activation(last)])], name="own")


def measured(network, x=X, y=None, radius=0.02, **settings):
    return ftnoise.global_robustness(network, x, y, radius=radius, **{**WHOLE, **settings})


def test_probabilities_are_taken_apart():
    plain, soft = (measured(model(last)) for last in (None, "softmax"))
    assert plain.lines.equals(soft.lines)


def test_a_sigmoid_is_two_classes():
    network = network_of(classes=2)
    kernel, *bias = network.get_weights()
    inputs = keras.Input(X.shape[1:])
    one = keras.Model(inputs, kl.Dense(1, activation="sigmoid")(kl.Flatten()(inputs)))
    one.set_weights([kernel[:, 1:] - kernel[:, :1], *[part[1:] - part[:1] for part in bias]])
    if not bias:
        one.layers[-1].bias.assign([0.0])
    two, found = measured(network), measured(one)
    np.testing.assert_allclose(two.lines["robust"], found.lines["robust"], atol=1)
    np.testing.assert_allclose(two.lines["verified"], found.lines["verified"], atol=1)


def test_other_units_of_the_input():
    """The same model on inputs in [-3, 5], with the radius in its units."""
    network = model()
    shifted = Sequential(
        [kl.InputLayer(X.shape[1:]), kl.Rescaling(1 / 8, 3 / 8), network], name="own"
    )
    plain = measured(network)
    found = measured(shifted, 8 * X - 3, radius=0.16, low=-3, high=5)
    np.testing.assert_allclose(found.lines["radius"], 8 * plain.lines["radius"])
    for name in ("robust", "verified", "variation"):
        np.testing.assert_allclose(found.lines[name], plain.lines[name], atol=1)


def test_the_text_says_what_is_known_and_what_not():
    found = measured(model("softmax"), y=Y)
    text = str(found)
    last = found.lines.iloc[-1]
    assert f"R: {last['robust_low']:.1f} to {last['robust_high']:.1f} % of inputs keep" in text
    assert "120 of 120 examples" in text
    assert "95 % confidence" in text
    assert "10 times the largest rounding error" in text
    assert len(found.lines) == 5
    one_sided = str(measured(model(), budget="none"))
    assert "R: 0.0 to " in one_sided
    assert "Nothing was verified" in one_sided
    assert "verified %" not in one_sided
    euclidean = measured(model(), norm="l_2", radius=(0.1, 0.5))
    assert "moved, in l_2, by up to 0.5" in str(euclidean)
    assert list(euclidean.lines["radius"]) == [0.1, 0.5]


def test_the_model_is_left_as_it_is():
    network = model("softmax")
    before, nodes = network.get_weights(), [len(one.inbound_nodes) for one in network.layers]
    measured(network, low=-1, high=1)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert [len(one.inbound_nodes) for one in network.layers] == nodes


def test_a_layer_without_bounds_is_attacked_all_the_same():
    network = randomized(
        Sequential([kl.InputLayer(X.shape[1:]), kl.Flatten(), kl.LayerNormalization(), kl.Dense(3)])
    )
    with pytest.raises(BadInput, match="LayerNormalization"):
        measured(network)
    assert not measured(network, budget="none").verified


def ends(*layers):
    return randomized(Sequential([kl.InputLayer(X.shape[1:]), kl.Flatten(), *layers]))


REFUSED = {
    "at least 2 logits.*activation='logits'": lambda: measured(ends(kl.Dense(1))),
    "one sigmoid": lambda: measured(ends(kl.Dense(3, activation="sigmoid"))),
    "Sequential or functional": lambda: measured(object()),
    "examples of shape": lambda: measured(model(), X[:, 0]),
    r"examples in \[0, 1\]": lambda: measured(model(), 255 * X),
    "finite": lambda: measured(model(), np.where(X.max() == X, np.nan, X)),
    "labels": lambda: measured(model(), y=Y + 90),
    "a tolerance that takes at most the 120": lambda: measured(model(), tolerance=0.05),
    "repeat its outputs": lambda: measured(ends(Noise(), kl.Dense(3)), budget="none"),
    "draws nothing|repeat": lambda: measured(ends(Noise(), kl.Dense(3))),
    "finite outputs": lambda: measured(broken()),
    "radius > 0": lambda: measured(model(), radius=-0.1),
    "radius > 0, or several": lambda: measured(model(), radius=float("nan")),
    "up to the range": lambda: measured(model(), radius=1.5),
    "rising radius": lambda: measured(model(), radius=(0.2, 0.1)),
    r"tolerance in \[0, 1\)": lambda: measured(model(), tolerance=1),
    "confidence": lambda: measured(model(), confidence=1),
    "budget": lambda: measured(model(), budget="soon"),
    "nodes to be an integer >= 0": lambda: measured(model(), budget=-1),
    "norm": lambda: measured(model(), norm="l_1"),
    "gamma": lambda: measured(model(), gamma=2),
    "low < high": lambda: measured(model(), low=1),
}


def broken():
    network = ends(kl.Dense(3))
    network.layers[-1].bias.assign([0, np.nan, 0])
    return network


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input(message):
    with pytest.raises(BadInput, match=message) as caught:
        REFUSED[message]()
    assert "\n" not in str(caught.value)


def test_a_curve_has_five_radii_up_to_the_given_one():
    assert RobustnessSettings.of(0.3).radius == (0.06, 0.12, 0.18, 0.24, 0.3)
    for radius in ((0.1, 0.3), [0.1, 0.3], np.array([0.1, 0.3])):
        assert RobustnessSettings.of(radius).radius == (0.1, 0.3)
    assert RobustnessSettings.of(0.1, budget="90s").verify.seconds == 90
