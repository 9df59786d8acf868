"""Accuracy of a user's own model under attack: units, ends of models, refusals, what is printed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import Sequential
from keras import layers as kl

import ftnoise
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.user.classifier import arrays_only
from tests.attacks.small import Noise, data, network_of

X, Y = data(60)
RADII = [0.0, 0.05, 0.1]
FEW = ftnoise.PGD(attack_epsilon=0.1, steps=5)


def model(last=None):
    layers = [kl.InputLayer(X.shape[1:]), network_of()]
    layers += [] if last is None else [kl.Activation(last)]
    return Sequential(layers, name="own")


def right(network):
    return network.predict(X, verbose=0).argmax(axis=1)


def attacked(network, x=X, y=None, radii=RADII, attack=FEW, **settings):
    labels = right(network) if y is None else y
    return ftnoise.attack(network, x, labels, attack=attack, attack_epsilons=radii, **settings)


def test_it_is_the_measure_of_the_same_attack_and_leaves_the_model_as_it_is():
    network = model()
    before = [weight.copy() for weight in network.get_weights()]
    y = np.where(np.arange(60) < 6, (right(network) + 1) % 3, right(network))
    found = attacked(network, y=y).lines
    assert found["accuracy"][0] == 90  # without a ball, the clean accuracy
    assert found["accuracy"].is_monotonic_decreasing
    assert found["accuracy"].iloc[-1] < 80
    trained = MeasureInput(
        network=network, data=arrays_only(X, y), run=None, checkpointing=Checkpointing()
    )
    for _, row in found.iterrows():
        measure = ftnoise.RobustAccuracy(attack=FEW.at(row["attack_epsilon"]))
        scalars = measure.evaluate(trained).scalars
        names = ("robust_accuracy", "robust_accuracy_low", "robust_accuracy_high")
        assert [scalars[name] for name in names] == [row["accuracy"], row["low"], row["high"]]
    assert all(map(np.array_equal, before, network.get_weights()))


def test_probabilities_are_taken_apart():
    plain, soft = (attacked(model(last)) for last in (None, "softmax"))
    assert plain.lines.equals(soft.lines)


def test_a_sigmoid_is_two_classes():
    two = network_of(classes=2)
    kernel, bias = two.get_weights()
    inputs = keras.Input(X.shape[1:])
    one = keras.Model(inputs, kl.Dense(1, activation="sigmoid")(kl.Flatten()(inputs)))
    one.set_weights([kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]])
    y = right(two)
    pair = attacked(two, y=y).lines["accuracy"], attacked(one, y=y).lines["accuracy"]
    np.testing.assert_allclose(*pair, atol=4)
    with pytest.raises(
        BadInput, match=r"labels from 0 to 1 for .*\. Received: lowest=0, highest=2"
    ):
        attacked(one, y=Y)


def test_other_units_of_the_input():
    network = model()
    layers = [kl.InputLayer(X.shape[1:]), kl.Rescaling(1 / 8, 3 / 8), network]
    shifted, y = Sequential(layers, name="own"), right(network)
    found = attacked(shifted, 8 * X - 3, y, [0.0, 0.4, 0.8], low=-3, high=5)
    assert list(found.lines["attack_epsilon"]) == [0.0, 0.4, 0.8]
    np.testing.assert_allclose(found.lines["accuracy"], attacked(network).lines["accuracy"], atol=2)


def test_the_text_has_the_accuracy_its_interval_and_what_they_mean():
    found = attacked(model("softmax"), attack=ftnoise.FGSM, radii=np.array([0.0, 0.1]))
    text = str(found)
    assert text.startswith("own under FGSM in l_inf balls: 60 examples, accuracy 100.00 % without")
    assert "100.00  94.04 to 100.00" in text  # 0.025 ** (1 / 60)
    assert "upper bound" in text
    assert "Warning" not in text


def test_the_radius_of_the_attack_is_the_default():
    network, y = model(), right(model())
    own = ftnoise.attack(network, 4 * X, y, attack=FEW, high=4)
    assert own.attack_epsilons == (0.4,)
    assert own.lines.equals(attacked(network, 4 * X, y, radii=[0.4], high=4).lines)
    with pytest.raises(BadInput, match="attack_epsilons"):
        ftnoise.attack(network, X, y)


def test_an_attack_that_does_less_in_a_larger_ball_is_a_warning():
    far = ftnoise.PGD(attack_epsilon=1.0, steps=1, step_size=1e-6, random_start=False)
    small = ftnoise.FGSM

    class Weak(small):
        def at(self, attack_epsilon):
            return super().at(attack_epsilon) if attack_epsilon < 0.2 else far

    text = str(attacked(model(), attack=Weak(attack_epsilon=0.1), radii=[0.1, 0.5]))
    assert "Warning: The accuracy rises with the radius" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radii": []}, "rising attack_epsilons, >= 0"),
        ({"radii": [-0.1]}, "rising attack_epsilons, >= 0"),
        ({"radii": [float("nan")]}, "rising attack_epsilons, >= 0"),
        ({"radii": [0.1, 0.05]}, "rising attack_epsilons, >= 0"),
        ({"radii": [1.5]}, "attack_epsilons up to 1, the widest l_inf distance between inputs"),
        ({"radii": [9.0], "low": -3, "high": 5}, "attack_epsilons up to 8, "),
        ({"radii": "0.1"}, "rising attack_epsilons, >= 0"),
        ({"attack": "pgd"}, "attack to be an attack, such as PGD"),
        ({"attack": ftnoise.DeepFool}, "attack to be an attack, such as PGD"),
        ({"x": 2 * X}, r"examples in \[0, 1\], or other low and high"),
        ({"x": X * np.nan}, "finite float32 numbers in x"),
        ({"x": X[:0], "y": Y[:0]}, "at least one example"),
        ({"y": Y + 3}, "labels from 0 to 2"),
        ({"y": Y[:-1]}, "60 integer labels"),
        ({"low": 1, "high": 0}, "low < high"),
        ({"low": float("nan")}, "low < high"),
    ],
)
def test_a_wrong_argument_is_one_line(changes, message):
    with pytest.raises(BadInput, match=message) as error:
        attacked(model(), **changes)
    assert "\n" not in str(error.value)


def test_a_model_that_is_no_classifier_is_refused():
    with pytest.raises(BadInput, match="to repeat its outputs in inference"):
        attacked(Sequential([kl.InputLayer(X.shape[1:]), network_of(), Noise()]), y=Y)
    with pytest.raises(BadInput, match="one output has to end in a sigmoid"):
        attacked(Sequential([kl.InputLayer(X.shape[1:]), kl.Flatten(), kl.Dense(1)]), y=Y % 2)
