"""Red flags of noise: a network that hides its gradient raises them, sound ones do not."""

from __future__ import annotations

import pytest

from ftnoise.attacks.apgd import APGD
from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.stochastic_red_flags import StochasticRedFlags, columns, sentences
from tests.attacks.small import hiding, noisy, trained
from tests.measures.given import attackable, evaluate
from tests.measures.test_attack_red_flags import result

ATTACK = PGD(attack_epsilon=0.08, steps=5, step_size=0.03, draws=4)
MEASURE = StochasticRedFlags(attack=ATTACK, examples=100, queried=20)


@pytest.fixture(autouse=True)
def _fewer_queries(monkeypatch):
    kept = SPSA.__init__
    few = {"samples": 16, "steps": 5}
    monkeypatch.setattr(SPSA, "__init__", lambda self, **given: kept(self, **few | given))


def measured(network, measure=MEASURE):
    found = evaluate(measure, network, **attackable())
    assert found.scalars["red_flags"] == len(found.info["red_flags"])
    return found


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
def test_a_sound_network_raises_none(network):
    found = measured(network())
    assert found.info == {"red_flags": [], "attack": ATTACK.label, "examples": 100}
    scalars = found.scalars
    assert scalars["accuracy_frozen_widest"] == 0
    assert scalars["accuracy_white_box"] <= scalars["accuracy_black_box"]
    assert {column.name for column in columns(MEASURE)} <= set(scalars)


def test_noise_that_hides_the_gradient_raises_them():
    found = measured(hiding())
    flags = " ".join(found.info["red_flags"])
    assert "More draws for a gradient do more (" in flags
    assert "stay right though the noise is frozen and the attack may change all" in flags
    scalars = found.scalars
    assert scalars["accuracy_more_draws"] < scalars["accuracy_attacked"] - 5


def test_in_l2_nothing_is_queried_and_one_step_has_no_longer_form():
    attack = FGSM(attack_epsilon=0.5, ball=L2Ball(), draws=2)
    scalars = measured(noisy(), StochasticRedFlags(attack=attack, examples=20)).scalars
    assert "accuracy_black_box" not in scalars
    assert "accuracy_same_budget" not in scalars


SOUND = {
    "attacked": 60,
    "more_draws": 59.2,
    "same_budget": 61,
    "frozen_noise": 50,
    "frozen_widest": 0,
    "black_box": 70,
    "white_box": 60,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"more_draws": 55}, "More draws for a gradient do more (55.0 % against 60.0 % stay"),
        ({"more_draws": 65}, ""),
        ({"same_budget": 55}, "As many gradients in one draw each do more (55.0 % against 60.0 %"),
        ({"frozen_noise": 65}, "The attack does less where the noise is frozen (65.0 % against"),
        ({"frozen_widest": 5}, "5.0 % stay right though the noise is frozen and the attack may"),
        ({"frozen_widest": 0.8}, ""),
        ({"black_box": 50}, "An attack that uses no gradient does more (50.0 % against 60.0 %"),
    ],
)
def test_each_comparison_raises_its_own_flag(changes, expected):
    found = sentences({name: result(value) for name, value in (SOUND | changes).items()})
    assert len(found) == bool(expected)
    assert expected in "".join(found)


def test_presets_and_bad_fields():
    quick = MEASURE.scaled(PRESETS["quick"])
    assert (quick.examples, quick.queried) == (100, 20)
    smoke = MEASURE.scaled(PRESETS["smoke"])
    assert (smoke.examples, smoke.queried) == (32, 3)
    assert MEASURE.scaled(PRESETS["paper"]) == MEASURE
    for fields, message in (
        ({"attack": APGD(attack_epsilon=0.1)}, "attack to be an attack that averages over draws"),
        ({"attack": ATTACK.at(0.0)}, "attack_epsilon > 0"),
        ({"queried": 0}, "queried to be an integer >= 1"),
        ({"votes": 0}, "votes to be an integer >= 1"),
    ):
        with pytest.raises(BadInput, match=message):
            StochasticRedFlags(**{"attack": ATTACK} | fields)
