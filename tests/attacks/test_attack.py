"""What all attacks have in common: the ball, the range, the checks, networks left as they are."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.apgd import APGD
from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.attack import Attack, fewer_steps
from ftnoise.attacks.carlini_wagner import CarliniWagner
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.mim import MIM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.errors import BadInput
from tests.attacks.small import (
    SEED,
    SHAPE,
    Around,
    data,
    edged,
    graph,
    images,
    network_of,
    noisy,
    predicted,
    trained,
    two_layers,
)

EACH = pytest.mark.parametrize(
    "attack",
    [
        FGSM(attack_epsilon=0.1),
        FGSM(attack_epsilon=0.6, ball=L2Ball()),
        PGD(attack_epsilon=0.1, steps=4),
        PGD(attack_epsilon=0.6, steps=4, ball=L2Ball(), restarts=2),
        PGD(attack_epsilon=0.1, steps=4, random_start=False),
        APGD(attack_epsilon=0.1, steps=4),
        APGD(attack_epsilon=0.6, steps=4, ball=L2Ball(), restarts=2),
        MIM(attack_epsilon=0.1, steps=4),
        MIM(attack_epsilon=0.6, steps=4, ball=L2Ball()),
        SPSA(attack_epsilon=0.1, steps=3, samples=16),
        CarliniWagner(attack_epsilon=0.6, iterations=5, searches=2),
    ],
    ids=lambda attack: attack.label,
)


@EACH
def test_results_are_in_the_ball_and_in_the_range_and_break_examples(attack):
    network = trained()
    x = tf.constant(np.concatenate([data(20)[0], edged(4)]))
    y = predicted(network, x)
    found = attack.perturb(network, x, y, SEED)
    assert found.shape == x.shape
    assert found.numpy().min() >= 0
    assert found.numpy().max() <= 1
    assert attack.ball.size(found - x).numpy().max() <= attack.attack_epsilon + 1e-6
    assert (predicted(network, found) == y).numpy().sum() < len(x)


@EACH
def test_a_radius_of_0_changes_nothing(attack):
    network, x = two_layers(), edged(4)
    found = attack.at(0.0).perturb(network, x, predicted(network, x), SEED)
    np.testing.assert_allclose(found, x, atol=1e-7)


@EACH
def test_the_network_stays_as_it_is_and_is_in_inference_mode(attack):
    layers = keras.layers
    network = network_of(layers.BatchNormalization(), layers.Dense(6, "relu"), layers.Dropout(0.5))
    before = [w.tobytes() for w in network.get_weights()]
    x = images(5)
    y = predicted(network, x)
    first = attack.perturb(network, x, y, SEED)
    # With dropout on, or with the statistics of this batch, it would not repeat.
    assert np.array_equal(first, attack.perturb(network, x, y, SEED))
    if not isinstance(attack, CarliniWagner):
        np.testing.assert_allclose(first, graph(attack, network)(x, y), atol=1e-5)
    assert [w.tobytes() for w in network.get_weights()] == before


@EACH
def test_a_graph_takes_batches_of_any_size(attack):
    network, x = two_layers(), images(7)
    y = predicted(network, x)
    if not isinstance(attack, CarliniWagner):
        compiled = graph(attack, network)
        np.testing.assert_allclose(compiled(x, y), attack.perturb(network, x, y, SEED), atol=1e-5)
        assert compiled(x[:2], y[:2]).shape == (2, *SHAPE)
    else:
        with pytest.raises(BadInput, match=r"outside a tf.function.*Received: a graph"):
            graph(attack, network)(x, y)


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
@EACH
def test_a_network_without_logits_is_refused(attack, last):
    ends = keras.layers.Dense(3, activation=last)
    alone = keras.Sequential([keras.layers.InputLayer(SHAPE), keras.layers.Flatten(), ends])
    inputs = keras.Input(SHAPE)
    named = keras.Model(inputs, keras.layers.Activation(last)(two_layers()(inputs)))
    nested = keras.Sequential([keras.layers.InputLayer(SHAPE), alone])
    for network in (alone, named, nested):
        with pytest.raises(
            BadInput, match=rf"Expected a network that gives logits .*the {last} off"
        ):
            attack.perturb(network, images(2), tf.constant([0, 1]), SEED)


def test_tensorflows_own_softmax_is_known():
    ends = keras.layers.Dense(3, activation=tf.nn.softmax)
    network = keras.Sequential([keras.layers.InputLayer(SHAPE), keras.layers.Flatten(), ends])
    with pytest.raises(BadInput, match="take the softmax_v2 off"):
        FGSM(attack_epsilon=0.1).check(network, SHAPE)


def test_softmax_as_a_layer_is_refused_and_a_relu_inside_is_not():
    with pytest.raises(BadInput, match="softmax off"):
        FGSM(attack_epsilon=0.1).check(
            keras.Sequential([two_layers(), keras.layers.Softmax()]), SHAPE
        )
    FGSM(attack_epsilon=0.1).check(two_layers(), SHAPE)
    FGSM(attack_epsilon=0.1).check(Around(two_layers()), SHAPE)


@EACH
@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan])
def test_images_outside_the_range_are_refused(attack, wrong):
    x = images(2).numpy()
    x[1, 2, 3] = wrong
    with pytest.raises(
        BadInput, match=r"Expected examples in \[0, 1\] to attack\. Received: lowest="
    ):
        attack.perturb(two_layers(), x, tf.constant([0, 1]), SEED)


BAD = (
    ({"attack_epsilon": -0.1}, "attack_epsilon >= 0. Received: attack_epsilon=-0.1"),
    ({"attack_epsilon": 1.5}, "attack_epsilon <= 1, the widest l_inf distance in [0, 1]"),
    ({"attack_epsilon": 8}, "Received: attack_epsilon=8"),
    ({"attack_epsilon": float("nan")}, "attack_epsilon >= 0"),
    ({"attack_epsilon": "8/255"}, "attack_epsilon >= 0"),
    ({"ball": "l1"}, "ball to be a ball, such as L2Ball(). Received: ball='l1'"),
    ({"steps": 0}, "steps to be an integer >= 1. Received: steps=0"),
    ({"steps": 2.5}, "steps to be an integer"),
    ({"step_size": -0.1}, "step_size > 0. Received: step_size=-0.1"),
    ({"step_size": 0}, "step_size > 0"),
    ({"step_size": 2.0}, "step_size <= 1, the widest l_inf distance in [0, 1]"),
)


@pytest.mark.parametrize(
    ("attack", "fields", "message"),
    [
        (attack, fields, message)
        for attack in (APGD, PGD, MIM, FGSM, SPSA)
        for fields, message in BAD
        if set(fields) <= set(attack.__dataclass_fields__)
    ],
)
def test_bad_fields_are_named(attack, fields, message):
    with pytest.raises(BadInput) as failure:
        attack(**{"attack_epsilon": 0.1} | fields)
    assert message in str(failure.value)


def test_an_l2_radius_beyond_all_images_is_refused():
    attack = PGD(attack_epsilon=5.1, ball=L2Ball())
    with pytest.raises(BadInput, match=r"attack_epsilon <= 5, the widest l_2 distance"):
        attack.perturb(two_layers(), images(2), tf.constant([0, 1]), SEED)
    attack.at(5.0).perturb(two_layers(), images(2), tf.constant([0, 1]), SEED)
    long = PGD(attack_epsilon=0.5, ball=L2Ball(), step_size=5.1)
    with pytest.raises(BadInput, match=r"step_size <= 5, the widest l_2 distance"):
        long.perturb(two_layers(), images(2), tf.constant([0, 1]), SEED)


def test_a_base_is_no_attack():
    with pytest.raises(TypeError, match="abstract"):
        Attack(attack_epsilon=0.1)
    with pytest.raises(TypeError, match="abstract"):
        Ball()


def test_fewer_steps_reach_as_far_and_are_no_longer_than_the_radius():
    attack = PGD(attack_epsilon=0.2, steps=10, step_size=0.03)
    assert fewer_steps(attack, 5) == PGD(attack_epsilon=0.2, steps=5, step_size=0.06)
    assert fewer_steps(attack, 1).step == 0.2
    for most in (None, 10, 11):
        assert fewer_steps(attack, most) == attack
        assert attack.at_most(most) == attack
    still = FGSM(attack_epsilon=0.2)
    assert still.at_most(1) == still


@EACH
def test_a_network_that_draws_repeats_with_the_seed_and_differs_with_another(attack):
    network, (x, y) = noisy(), data(6)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    first = attack.perturb(network, x, y, SEED)
    assert np.array_equal(first, attack.perturb(network, x, y, SEED))
    assert not np.array_equal(first, attack.perturb(network, x, y, SEED + 1))
    assert attack.ball.size(first - x).numpy().max() <= attack.attack_epsilon + 1e-6


def test_another_radius_takes_the_step_with_it():
    assert PGD(attack_epsilon=0.2).at(0.1).step == pytest.approx(0.025)
    assert PGD(attack_epsilon=0.2, step_size=0.1).at(0.1).step == pytest.approx(0.05)
    assert PGD(attack_epsilon=0.2, step_size=0.5).at(1.0).step == 1.0
    assert PGD(attack_epsilon=0.2, step_size=0.5).at(0.0).step == 0.0
    assert PGD(attack_epsilon=0.2).longer().steps == 40
    assert SPSA(attack_epsilon=0.2).longer().steps == 40
    assert CarliniWagner(attack_epsilon=0.2).longer().iterations == 400
    assert FGSM(attack_epsilon=0.2).longer() is None
    assert PGD(attack_epsilon=0.2, restarts=2).restarted().restarts == 10
    assert APGD(attack_epsilon=0.2).restarted().restarts == 5
    assert PGD(attack_epsilon=0.2, random_start=False).restarted() is None
    assert FGSM(attack_epsilon=0.2).restarted() is None


def test_labels_name_attack_ball_and_radius():
    assert FGSM(attack_epsilon=8 / 255).label == "FGSM, l_inf 8/255"
    assert PGD(attack_epsilon=0.5 / 255, steps=7).label == "PGD-7, l_inf 0.5/255"
    assert PGD(attack_epsilon=1, restarts=3).label == "PGD-20 x 3, l_inf 1"
    assert PGD(attack_epsilon=0.5, ball=L2Ball()).label == "PGD-20, l_2 0.5"
    assert CarliniWagner(attack_epsilon=3).label == "Carlini-Wagner, l_2 3"
