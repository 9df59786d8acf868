"""Red flags: masked gradients raise them, sound networks do not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.compiled import Compiled
from ftnoise.attacks.evaluation import Attacked, Evaluation
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.measures.attack_red_flags import (
    AttackRedFlags,
    columns,
    sentences,
    without_gradient,
)
from tests.attacks.small import Around, data, trained

PGD_10 = PGD(attack_epsilon=0.08, steps=10)
MEASURE = AttackRedFlags(attack=PGD_10, examples=100, queried=30)


@pytest.fixture(autouse=True)
def _fewer_queries(monkeypatch):
    kept = SPSA.__init__
    monkeypatch.setattr(
        SPSA,
        "__init__",
        lambda self, **fields: kept(self, **{"samples": 32, "steps": 10} | fields),
    )


def asked(network, measure=MEASURE):
    x, y = data(200)
    return measure.evaluate(
        MeasureInput(
            network=network,
            data=SimpleNamespace(x_test=x, y_test=y),
            run=None,
            checkpointing=Checkpointing(),
        )
    )


def flags(network, measure=MEASURE):
    answer = asked(network, measure)
    assert answer.scalars["red_flags"] == len(answer.info["red_flags"])
    return " ".join(answer.info["red_flags"])


def test_a_sound_network_raises_none():
    answer = asked(trained())
    assert answer.info["red_flags"] == []
    scalars = answer.scalars
    assert scalars["red_flags"] == scalars["zero_gradients"] == 0
    assert scalars["accuracy_widest_radius"] == 0
    assert scalars["accuracy_twice_radius"] < scalars["accuracy_attacked"]
    assert scalars["accuracy_attacked"] < scalars["accuracy_half_radius"]
    assert scalars["accuracy_white_box"] <= scalars["accuracy_black_box"]
    assert answer.info["images"] == 100


def test_a_sound_network_raises_none_in_l2_where_nothing_is_queried():
    measure = AttackRedFlags(attack=PGD(attack_epsilon=0.5, ball=L2Ball()), examples=100)
    answer = asked(trained(), measure)
    assert answer.info["red_flags"] == []
    assert "accuracy_black_box" not in answer.scalars


def test_logits_that_are_far_too_large_mask_the_gradient():
    network = trained()
    said = flags(Around(lambda x: 1e4 * network(x)))
    assert "have no gradient to follow" in said
    assert "stay right though the attack may change all of the image" in said
    assert "An attack that asks for no gradient does more" in said


def test_rounding_masks_the_gradient():
    network = trained()
    said = flags(Around(lambda x: network(tf.round(64 * x) / 64)))
    assert "100.0 % of the right examples have no gradient to follow" in said
    assert "An attack that asks for no gradient does more" in said


def test_probabilities_are_refused():
    network = trained()
    with pytest.raises(BadInput, match=r"the outputs of .* are probabilities"):
        asked(Around(lambda x: tf.nn.softmax(network(x))))


def result(accuracy: float, count: int = 500):
    survives = np.arange(count) < accuracy * count / 100
    return Attacked(np.ones(count, bool), survives, np.zeros(count))


SOUND = {
    "attacked": 60,
    "single_step": 61,
    "half_radius": 75,
    "twice_radius": 40,
    "widest_radius": 0,
    "twice_steps": 59,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"single_step": 50}, "A single step does more than the attack (50.0 % stay right, 60.0 %"),
        ({"half_radius": 50}, "Half the radius does more than the whole"),
        ({"twice_radius": 70}, "Twice the radius does less"),
        ({"widest_radius": 5}, "5.0 % stay right though the attack may change all of the image."),
        ({"widest_radius": 0.8}, ""),
        ({"twice_steps": 50}, "Twice the iterations change the result (50.0 % stay right, 60.0 %"),
        ({"twice_steps": 70}, "Twice the iterations change the result"),
        ({"twice_steps": 57}, ""),
        ({"black_box": 50}, "An attack that asks for no gradient does more"),
        ({"black_box": 65}, ""),
    ],
)
def test_each_sign_has_its_sentence(changes, said):
    found = {name: result(accuracy) for name, accuracy in (SOUND | changes).items()}
    found["white_box"] = found["attacked"]
    sentence = " ".join(sentences(found, 0.0))
    assert said in sentence
    assert bool(said) == bool(sentence)


def test_gradients_that_are_zero_or_no_number_are_seen():
    network, (x, y) = trained(), data(30)

    def seen(network):
        return without_gradient(Compiled(network, x.shape[1:]), x, y)

    assert seen(network) == 0
    assert seen(Around(lambda x: tf.stop_gradient(network(x)))) == 100
    # The square root has no slope at 0, for the classes that it is added to.

    def root(x):
        return tf.sqrt(tf.nn.relu(-tf.reduce_sum(x, axis=[1, 2, 3])))

    astray = Around(lambda x: network(x) + [1.0, 0, 0] * root(x)[:, None])
    assert seen(astray) == 100
    half = Around(lambda x: tf.where(x[:, :1, 0, 0] > 0.375, network(x), 1e4 * network(x)))
    assert 20 < seen(half) < 80


def test_all_radii_and_steps_share_one_compiled_gradient():
    network, (x, y), traced = trained(), data(30), []

    def count(images):
        traced.append(images.shape)
        return network(images)

    measure = AttackRedFlags(attack=PGD(attack_epsilon=0.1), examples=None, queried=1)
    attacks = measure.compared(x.shape[1:])
    assert len(attacks) == 6
    one, counted = Evaluation(Checkpointing(), 1), Around(count)
    for name, attack in attacks.items():
        one.attacked(name, attack, counted, x, y)
    # Five steps in one call, one step in another, and the answers.
    assert len(traced) == 7


def test_what_an_attack_has_not_is_left_out():
    measure = AttackRedFlags(attack=FGSM(attack_epsilon=0.08), examples=100, queried=5)
    assert "accuracy_twice_steps" not in asked(trained(), measure).scalars
    assert set(measure.compared((5, 5, 1))) == set(SOUND) - {"twice_steps"}
    assert measure.compared((5, 5, 1))["widest_radius"].attack_epsilon == 1
    assert AttackRedFlags(attack=PGD(attack_epsilon=0.7)).compared((5, 5, 1))[
        "twice_radius"
    ].attack_epsilon == pytest.approx(1)


def test_fields_and_columns():
    (column,) = columns(MEASURE)
    assert column.name == "red_flags"
    assert not hasattr(MEASURE, "others")
    assert MEASURE.passes > 0
    for fields, message in (
        ({"attack": PGD_10.at(0.0)}, "attack with attack_epsilon > 0"),
        ({"attack": 3}, "attack to be an attack"),
        ({"queried": 0}, "queried >= 1"),
        ({"examples": -1}, "examples >= 1 or None"),
    ):
        with pytest.raises(BadInput, match=message):
            AttackRedFlags(**{"attack": PGD_10} | fields)
