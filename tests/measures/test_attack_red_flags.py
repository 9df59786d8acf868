"""Red flags: masked gradients raise them, sound networks do not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.evaluation import Attacked, Evaluation
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.attack_red_flags import AttackRedFlags, columns, sentences
from tests.attacks.small import Around, data, noisy, trained
from tests.measures.given import attackable, evaluate

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


def measured(network, measure=MEASURE):
    return evaluate(measure, network, **attackable())


def flags(network):
    found = measured(network)
    assert found.scalars["red_flags"] == len(found.info["red_flags"])
    assert MEASURE.red_flags(found.info) == found.info["red_flags"]
    return " ".join(found.info["red_flags"])


def test_a_sound_network_raises_none():
    found = measured(trained())
    assert found.info == {"red_flags": [], "attack": PGD_10.label, "examples": 100}
    scalars = found.scalars
    assert scalars["red_flags"] == scalars["zero_gradients"] == 0
    assert scalars["accuracy_widest_radius"] == 0
    assert scalars["accuracy_twice_radius"] < scalars["accuracy_attacked"]
    assert scalars["accuracy_attacked"] < scalars["accuracy_half_radius"]
    assert scalars["accuracy_white_box"] <= scalars["accuracy_black_box"]


def test_a_sound_network_raises_none_in_l2_where_nothing_is_queried():
    measure = AttackRedFlags(attack=PGD(attack_epsilon=0.5, ball=L2Ball()), examples=100)
    found = measured(trained(), measure)
    assert found.info["red_flags"] == []
    assert "accuracy_black_box" not in found.scalars


def test_a_network_that_draws_is_measured_the_same_again():
    network = noisy()
    assert measured(network).scalars == measured(network).scalars


def test_logits_that_are_far_too_large_mask_the_gradient():
    network = trained()
    raised = flags(Around(lambda x: 1e4 * network(x)))
    assert "have no gradient to follow" in raised
    assert "stay right though the attack may change all of the image" in raised
    assert "An attack that uses no gradient does more" in raised


def test_rounding_masks_the_gradient():
    network = trained()
    raised = flags(Around(lambda x: network(tf.round(64 * x) / 64)))
    assert "100.0 % of the right examples have no gradient to follow" in raised
    assert "An attack that uses no gradient does more" in raised


def test_probabilities_are_refused():
    network = trained()
    with pytest.raises(BadInput, match=r"the outputs of .* are probabilities"):
        measured(Around(lambda x: tf.nn.softmax(network(x))))


def result(accuracy: float, count: int = 500):
    survives = np.arange(count) < accuracy * count / 100
    return Attacked(np.ones(count, bool), survives, np.zeros(count))


SOUND = {
    "attacked": 60,
    "single_step": 61,
    "half_radius": 75,
    "twice_radius": 40,
    "widest_radius": 0,
    "twice_steps": 59.2,
    "five_starts": 59.2,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"single_step": 50}, "A single step does more than the attack (50.0 % stay right, 60.0 %"),
        ({"half_radius": 50}, "Half the radius does more than the whole"),
        ({"twice_radius": 70}, "Twice the radius does less"),
        ({"widest_radius": 5}, "5.0 % stay right though the attack may change all of the image."),
        ({"widest_radius": 0.8}, ""),
        ({"twice_steps": 50}, "Twice the iterations change the result (50.0 % stay right, 60.0 %"),
        ({"twice_steps": 70}, "Twice the iterations change the result"),
        ({"twice_steps": 58.6}, "Twice the iterations change the result (58.6 % stay right"),
        ({"twice_steps": 61.4}, "Twice the iterations change the result"),
        ({"twice_steps": 59.2}, ""),
        ({"five_starts": 58.6}, "Five times the random starts do more (58.6 % stay right, 60.0 %"),
        ({"five_starts": 62}, ""),
        ({"black_box": 50}, "An attack that uses no gradient does more"),
        ({"black_box": 65}, ""),
    ],
)
def test_each_sign_has_its_sentence(changes, expected):
    found = {name: result(accuracy) for name, accuracy in (SOUND | changes).items()}
    found["white_box"] = found["attacked"]
    raised = " ".join(sentences(found, 0.0))
    assert expected in raised
    assert bool(expected) == bool(raised)


def test_all_radii_and_steps_share_one_compiled_gradient():
    network, (x, y), traced = trained(), data(30), []

    def count(images):
        traced.append(images.shape)
        return network(images)

    measure = AttackRedFlags(attack=PGD(attack_epsilon=0.1), examples=None, queried=1)
    attacks = measure.compared(x.shape[1:])
    assert len(attacks) == 7
    one, counted = Evaluation(Checkpointing()), Around(count)
    for name, attack in attacks.items():
        one.attacked(name, attack, counted, x, y)
    # Five steps in one call, one step in another, and the logits.
    assert len(traced) == 7


def test_comparisons_that_an_attack_does_not_have_are_missing():
    measure = AttackRedFlags(attack=FGSM(attack_epsilon=0.08), examples=100, queried=5)
    scalars = measured(trained(), measure).scalars
    assert not {"accuracy_twice_steps", "accuracy_five_starts"} & scalars.keys()
    assert set(measure.compared((5, 5, 1))) == set(SOUND) - {"twice_steps", "five_starts"}
    assert measure.compared((5, 5, 1))["widest_radius"].attack_epsilon == 1
    wide = AttackRedFlags(attack=PGD(attack_epsilon=0.7)).compared((5, 5, 1))
    assert wide["twice_radius"].attack_epsilon == pytest.approx(1)


def test_fields_columns_and_presets():
    (column,) = columns(MEASURE)
    assert column.name == "red_flags"
    smaller = AttackRedFlags(attack=PGD_10).scaled(PRESETS["quick"])
    assert (smaller.attack, smaller.examples, smaller.queried) == (PGD_10, 200, 40)
    assert MEASURE.scaled(PRESETS["paper"]) == MEASURE
    for fields, message in (
        ({"attack": PGD_10.at(0.0)}, "attack_epsilon > 0"),
        ({"attack": 3}, "attack to be an attack"),
        ({"queried": 0}, "queried to be an integer >= 1"),
        ({"examples": -1}, "examples to be an integer >= 1 or None"),
    ):
        with pytest.raises(BadInput, match=message):
            AttackRedFlags(**{"attack": PGD_10} | fields)
