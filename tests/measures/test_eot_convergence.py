"""The accuracy under attack against the draws of a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.mim import MIM
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.eot_convergence import EOTConvergence, curve
from tests.attacks.small import hiding, trained
from tests.measures.given import attackable, evaluate

ATTACK = PGD(attack_epsilon=0.1, steps=2, step_size=0.05)


def test_a_deterministic_network_has_a_flat_curve():
    found = evaluate(EOTConvergence(attack=ATTACK, numbers=(1, 3)), trained(), **attackable())
    one, other = found.arrays["accuracy"]
    assert one == pytest.approx(other, abs=1)
    assert found.info["red_flags"] == []


def test_it_falls_where_noise_hides_the_gradient_and_says_that_it_has_not_ended():
    network, given = hiding(), attackable()
    measure = EOTConvergence(attack=ATTACK, numbers=(1, 4, 64), votes=3)
    found = evaluate(measure, network, **given)
    accuracy = found.arrays["accuracy"]
    assert found.arrays["draws"].tolist() == [1, 4, 64]
    assert accuracy[0] > accuracy[1] > accuracy[2]
    assert found.scalars["last_drop"] == accuracy[1] - accuracy[2] > 5
    (flag,) = found.info["red_flags"]
    assert flag.startswith("64 draws do more than 4 (")
    x, y = given["x_test"], given["y_test"]
    known = Evaluation(Checkpointing()).attacked("a", ATTACK.averaged(4), network, x, y, votes=3)
    assert accuracy[1] == known.accuracy
    ends = [found.arrays[f"accuracy_{end}"][1] for end in ("low", "high")]
    np.testing.assert_allclose(ends, known.interval)


def test_its_figure_shows_its_arrays_and_presets_take_fewer_draws():
    measure = EOTConvergence(attack=ATTACK)
    found = evaluate(EOTConvergence(attack=ATTACK, numbers=(1, 2)), trained(), **attackable(10))
    assert set(curve(measure).arrays) <= set(found.arrays)
    assert measure.scaled(PRESETS["quick"]).numbers == (1, 5)
    assert measure.scaled(PRESETS["smoke"]).numbers == (1, 5)
    assert measure.scaled(PRESETS["paper"]) == measure


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attack": MIM(attack_epsilon=0.1)}, "attack to be an attack that averages over draws"),
        ({"numbers": (1,)}, "two or more rising numbers"),
        ({"numbers": (5, 1)}, "two or more rising numbers. Received: numbers=(5, 1)"),
        ({"numbers": (0, 1)}, "numbers to be an integer >= 1. Received: numbers=0"),
        ({"numbers": [1, 5]}, "numbers to be a tuple of integers"),
        ({"votes": 0}, "votes to be an integer >= 1"),
        ({"examples": 0}, "examples to be an integer >= 1 or None"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        EOTConvergence(**{"attack": ATTACK} | fields)
    assert message in str(failure.value)
