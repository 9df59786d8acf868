"""Transfer: what is made for a surrogate is judged by the target."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.core.spec import others
from ftnoise.measures.black_box_accuracy import BlackBoxAccuracy, columns
from ftnoise.training import Training
from ftnoise.training.penalties import L2
from tests.attacks.small import Around, data, trained
from tests.members import RUN

PGD_10 = PGD(attack_epsilon=0.08, steps=10)
MEASURE = BlackBoxAccuracy(attack=PGD_10, surrogate=Training())


def asked(network, surrogate, measure=MEASURE, run=RUN):
    x, y = data(200)
    (other,) = measure.others(run)
    return measure.evaluate(
        MeasureInput(
            network=network,
            data=SimpleNamespace(x_test=x, y_test=y),
            run=run,
            checkpointing=Checkpointing(),
            others={other: surrogate},
        )
    )


def test_the_surrogate_is_the_targets_run_trained_by_the_attacker_with_the_next_seed():
    run = dataclasses.replace(RUN, training=Training(penalty=L2(weight=1e-3)), seed=4)
    expected = dataclasses.replace(RUN, training=Training(), seed=5)
    assert MEASURE.others(run) == others(MEASURE, run) == (expected,)
    robust = BlackBoxAccuracy(attack=PGD_10, surrogate=run.training)
    assert robust.others(RUN)[0].training == run.training
    # It is under the target's preset.
    smaller = dataclasses.replace(RUN, train_examples=100)
    assert MEASURE.others(smaller)[0].train_examples == 100


def test_what_transfers_harms_less_than_the_attack_on_the_target():
    target, surrogate = trained(), trained(seed=3)
    weights = [w.tobytes() for n in (target, surrogate) for w in n.get_weights()]
    answer = asked(target, surrogate)
    assert [w.tobytes() for n in (target, surrogate) for w in n.get_weights()] == weights
    scalars = answer.scalars
    x, y = data(200)
    one = Evaluation(Checkpointing(), 1)
    known = one.attacked("a", PGD_10, surrogate, x, y, judge=target)
    assert scalars["black_box_accuracy"] == known.accuracy
    assert (scalars["black_box_accuracy_low"], scalars["black_box_accuracy_high"]) == known.interval
    assert np.array_equal(np.unpackbits(answer.arrays["survives"], count=200), known.survives)
    white = one.attacked("b", PGD_10, target, x, y)
    assert scalars["white_box_accuracy"] == white.accuracy <= scalars["black_box_accuracy"]
    assert scalars["unattacked_accuracy"] > scalars["black_box_accuracy"]
    assert scalars["surrogate_accuracy"] == pytest.approx(
        100 * np.mean(np.argmax(surrogate(x), axis=1) == y)
    )
    assert answer.info["red_flags"] == []
    assert answer.info["surrogate"] == MEASURE.others(RUN)[0].slug


def test_a_network_that_is_its_own_surrogate_is_attacked_as_by_itself():
    network = trained()
    scalars = asked(network, network).scalars
    assert scalars["black_box_accuracy"] == scalars["white_box_accuracy"]


def test_a_masked_gradient_does_not_stop_what_transfers_and_is_flagged():
    network = trained()
    answer = asked(Around(lambda x: network(tf.round(64 * x) / 64)), trained(seed=3))
    assert answer.scalars["black_box_accuracy"] < answer.scalars["white_box_accuracy"]
    (flag,) = answer.info["red_flags"]
    assert flag.startswith("An attack on another network does more than one on this network")


def test_columns_and_fields():
    scalars = asked(trained(), trained(seed=3)).scalars
    assert {column.name for column in columns(MEASURE)} <= set(scalars)
    assert MEASURE.passes == 60
    for fields, message in (
        ({"attack": None}, "attack to be an attack"),
        ({"surrogate": "natural"}, r"surrogate to be a training, such as Training\(\)"),
        ({"surrogate": PGD_10}, "surrogate to be a training"),
        ({"examples": 0}, "examples >= 1 or None"),
    ):
        with pytest.raises(BadInput, match=message):
            BlackBoxAccuracy(**{"attack": PGD_10, "surrogate": Training()} | fields)
