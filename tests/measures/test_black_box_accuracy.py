"""Transfer: examples made for a surrogate are judged by the target."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.black_box_accuracy import BlackBoxAccuracy, columns
from ftnoise.training import Training
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.penalties import L2
from tests.attacks.small import Around, data, noisy, trained
from tests.measures.given import RUN, attackable, evaluate

PGD_10 = PGD(attack_epsilon=0.08, steps=10)
MEASURE = BlackBoxAccuracy(attack=PGD_10, surrogate=Training())


def measured(network, surrogate):
    (other,) = MEASURE.others(RUN)
    return evaluate(MEASURE, network, run=RUN, others={other: surrogate}, **attackable())


def test_the_surrogate_is_the_targets_run_trained_by_the_attacker_with_the_next_seed():
    run = dataclasses.replace(RUN, training=Training(penalty=L2(weight=1e-3)), seed=4)
    assert MEASURE.others(run) == (dataclasses.replace(RUN, training=Training(), seed=5),)
    robust = BlackBoxAccuracy(attack=PGD_10, surrogate=run.training)
    assert robust.others(RUN)[0].training == run.training


def test_a_preset_limits_the_examples_and_the_training_of_the_surrogate_but_no_attack():
    robust = Training(inputs=AdversarialTraining(attack=PGD_10))
    smaller = BlackBoxAccuracy(attack=PGD_10, surrogate=robust).scaled(PRESETS["quick"])
    assert smaller.surrogate.inputs.attack.steps == PRESETS["quick"].attack_steps < 10
    assert (smaller.attack, smaller.examples) == (PGD_10, PRESETS["quick"].attacked)


def test_a_transferred_attack_harms_less_than_the_attack_on_the_target():
    target, surrogate = trained(), trained(seed=3)
    found = measured(target, surrogate)
    scalars = found.scalars
    x, y = data(200)
    one = Evaluation(Checkpointing())
    known = one.attacked("a", PGD_10, surrogate, x, y, judge=target)
    assert scalars["black_box_accuracy"] == known.accuracy
    assert (scalars["black_box_accuracy_low"], scalars["black_box_accuracy_high"]) == known.interval
    assert np.array_equal(np.unpackbits(found.arrays["survives"], count=200), known.survives)
    white = one.attacked("b", PGD_10, target, x, y)
    assert scalars["white_box_accuracy"] == white.accuracy <= scalars["black_box_accuracy"]
    assert scalars["unattacked_accuracy"] > scalars["black_box_accuracy"]
    assert scalars["surrogate_accuracy"] == pytest.approx(
        100 * np.mean(np.argmax(surrogate(x), axis=1) == y)
    )
    assert found.info == {
        "attack": PGD_10.label,
        "surrogate": MEASURE.others(RUN)[0].slug,
        "examples": 200,
        "red_flags": [],
    }
    assert {column.name for column in columns(MEASURE)} <= set(scalars)


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
def test_a_network_that_is_its_own_surrogate_is_attacked_as_by_itself(network):
    network = network()
    scalars = measured(network, network).scalars
    assert scalars["black_box_accuracy"] == scalars["white_box_accuracy"]
    assert scalars == measured(network, network).scalars


def test_a_masked_gradient_does_not_stop_a_transferred_attack_and_is_flagged():
    network = trained()
    found = measured(Around(lambda x: network(tf.round(64 * x) / 64)), trained(seed=3))
    assert found.scalars["black_box_accuracy"] < found.scalars["white_box_accuracy"]
    (flag,) = MEASURE.red_flags(found.info)
    assert flag.startswith("An attack on another network does more than one on this network")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attack": None}, "attack to be an attack"),
        ({"surrogate": "natural"}, r"surrogate to be a training, such as Training\(\)"),
        ({"surrogate": PGD_10}, "surrogate to be a training"),
        ({"examples": 0}, "examples to be an integer >= 1 or None"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput, match=message):
        BlackBoxAccuracy(**{"attack": PGD_10, "surrogate": Training()} | fields)
