"""Adversarial training: cross-entropy at what the attack finds, and what it goes with."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.mim import MIM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.errors import BadInput
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2
from tests.training.inputs.small import SEED, edged_images, images

PGD_3 = PGD(attack_epsilon=0.2, steps=3)
EACH = pytest.mark.parametrize(
    "attack",
    [PGD_3, FGSM(attack_epsilon=0.2), PGD(attack_epsilon=0.5, steps=3, ball=L2Ball())],
    ids=lambda attack: attack.label,
)


def labels(count=8):
    return tf.constant(np.arange(count) % 3, tf.int32)


def slopes(network, objective):
    with tf.GradientTape() as tape:
        losses, logits = objective()
        loss = tf.reduce_mean(losses)
    return losses.numpy(), logits.numpy(), tape.gradient(loss, network.trainable_variables)


@EACH
def test_loss_and_gradients_are_those_of_cross_entropy_at_the_attacked_examples(network, attack):
    x, y = edged_images(), labels()
    spec = AdversarialTraining(attack=attack)
    losses, logits, gradients = slopes(network, lambda: spec.objective(network, x, y, SEED))
    attacked = tf.constant(attack.perturb(network, x, y, SEED).numpy())

    def known():
        logits = network(attacked)
        return (
            keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True),
            logits,
        )

    # Nothing flows through the attack itself.
    expected = slopes(network, known)
    assert losses.shape == (8,)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-5)
    np.testing.assert_allclose(logits, expected[1], rtol=1e-5, atol=1e-6)
    for gradient, other in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-6)
    clean = keras.losses.sparse_categorical_crossentropy(y, network(x), from_logits=True)
    assert losses.mean() > np.mean(clean) + 0.01


def test_without_a_radius_it_is_natural_training(network):
    x, y = images(), labels()
    spec = AdversarialTraining(attack=PGD_3.at(0.0))
    losses, logits, _ = slopes(network, lambda: spec.objective(network, x, y, SEED))
    known = keras.losses.sparse_categorical_crossentropy(y, network(x), from_logits=True)
    np.testing.assert_allclose(losses, known, rtol=1e-5)
    np.testing.assert_allclose(logits, network(x), rtol=1e-5, atol=1e-6)


def test_the_attack_sees_inference_and_the_loss_sees_training(network_of):
    network = network_of(keras.layers.BatchNormalization(), keras.layers.Dense(6, "relu"))
    mean = network.layers[1].moving_mean
    before = mean.numpy()
    spec = AdversarialTraining(attack=PGD_3)
    objective = tf.function(lambda x, y: spec.objective(network, x, y, SEED))
    objective(images(), labels())
    # The attacked examples moved the statistics once; four passes of the attack did not.
    seen = PGD_3.perturb(network, images(), labels(), SEED)
    assert not np.array_equal(before, mean)
    momentum = network.layers[1].momentum
    known = momentum * before + (1 - momentum) * np.mean(np.reshape(seen, [8, -1]), axis=0)
    np.testing.assert_allclose(mean, known, atol=5e-3)


def test_the_start_is_keyed_by_the_step(network):
    x, y = images(), labels()
    spec = AdversarialTraining(attack=PGD(attack_epsilon=0.2, steps=1, step_size=0.01))
    first, second = (spec.objective(network, x, y, seed)[0] for seed in ((1, 2), (1, 3)))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, spec.objective(network, x, y, (1, 2))[0])


@pytest.mark.parametrize("member", [AdversarialTraining, TRADES])
def test_what_cannot_be_attacked_is_refused_in_one_line_before_training(run_of, trained, member):
    def inputs(**fields):
        fields = {"attack_epsilon": 0.1, "ball": L2Ball()} | fields
        return TRADES(**fields) if member is TRADES else member(attack=PGD(**fields))

    for fields, message in (
        ({"attack_epsilon": 100.0}, r"attack_epsilon <= [\d.]+, the widest l_2 distance"),
        ({"step_size": 100.0}, r"step_size <= [\d.]+, the widest l_2 distance"),
    ):
        with pytest.raises(BadInput, match=message) as failure:
            trained(run_of(Training(inputs=inputs(**fields))))
        assert "\n" not in str(failure.value)
    ends = keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(3, "softmax")])
    with pytest.raises(BadInput, match="take the softmax off"):
        inputs().check(ends, (4,))


def test_a_training_repeats_and_goes_on_and_ends_more_robust(run_of, memory, trained, images):
    spec = AdversarialTraining(attack=PGD(attack_epsilon=0.1, steps=3))
    training = Training(inputs=spec, penalty=L2(weight=1e-4))
    whole = trained(run_of(training))
    assert trained(run_of(training)) == whole
    checkpointing = memory(after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run_of(training), checkpointing)
    checkpointing.after_epoch = None
    assert trained(run_of(training), checkpointing) == whole
    assert trained(run_of(Training(penalty=L2(weight=1e-4)))) != whole

    data = images()
    x, y = tf.constant(data.x_train), tf.constant(data.y_train, tf.int32)
    robust = []
    for chosen in (Training(), Training(inputs=spec)):
        network = run_of(chosen, epochs=40).training.train(run_of(chosen, epochs=40), data, None)
        found = PGD(attack_epsilon=0.1, steps=10).perturb(network, x, y, SEED)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(found))
        robust.append(float(tf.reduce_mean(losses)))
    assert robust[1] < robust[0]


def test_examples_outside_the_range_are_refused(run_of, trained, images):
    data = images()
    data.x_train = data.x_train * 255
    with pytest.raises(BadInput, match=r"examples in \[0, 1\] for adversarial_pgd"):
        trained(run_of(Training(inputs=AdversarialTraining(attack=PGD_3))), data=data)


@pytest.mark.parametrize(
    "attack",
    [
        PGD(attack_epsilon=0.1, restarts=2),
        MIM(attack_epsilon=0.1),
        SPSA(attack_epsilon=0.1),
        "pgd",
        None,
    ],
    ids=repr,
)
def test_other_attacks_are_refused(attack):
    with pytest.raises(BadInput, match="a gradient attack of one ascent, FGSM or PGD with one"):
        AdversarialTraining(attack=attack)


def test_it_goes_with_a_penalty_and_not_with_private_gradients():
    spec = AdversarialTraining(attack=PGD_3)
    assert Training(inputs=spec, penalty=L2(weight=1e-3)).slug == "adversarial_pgd+l2"
    with pytest.raises(BadInput, match="DP-SGD with an objective of one forward pass"):
        Training(inputs=spec, gradients=DPSGD(noise_multiplier=1.0))
