"""Accuracy under attack against the radius: each point is that of the radius alone."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.measures.robust_curve import RobustCurve, columns, picture
from tests.attacks.small import data, noisy
from tests.measures.given import evaluate

ATTACK = PGD(attack_epsilon=0.1, steps=3, draws=2)


def test_each_point_is_the_accuracy_at_its_radius():
    network, (x, y) = noisy(sigma=1.0), data(120)
    measure = RobustCurve(attack=ATTACK, radii=(0.0, 0.02, 0.2), votes=5)
    found = evaluate(measure, network, x_test=x, y_test=y)
    for number, radius in enumerate(measure.radii):
        alone = RobustAccuracy(attack=ATTACK.at(radius), examples=1000, votes=5)
        known = evaluate(alone, network, x_test=x, y_test=y).scalars
        assert found.scalars[f"accuracy_{number + 1}"] == known["robust_accuracy"]
        assert found.arrays["accuracy"][number] == known["robust_accuracy"]
        assert found.arrays["accuracy_low"][number] == known["robust_accuracy_low"]
        assert found.arrays["accuracy_high"][number] == known["robust_accuracy_high"]
        single = known["single_pass_robust_accuracy"]
        assert found.arrays["single_pass_accuracy"][number] == single
    assert found.scalars["accuracy_1"] > found.scalars["accuracy_3"] + 20
    np.testing.assert_array_equal(found.arrays["radii"], measure.radii)
    assert found.info["examples"] == 120


def test_a_table_has_a_column_for_each_radius():
    measure = RobustCurve(attack=ATTACK, radii=(0.1, 0.2))
    first, second = columns(measure, "adaptive")
    assert (first.name, second.name) == ("adaptive_1", "adaptive_2")
    assert second.title == "Accuracy under attack (PGD-3 over 2 draws, l_inf 0.2)"
    assert second.of({"accuracy_1": 3.0, "accuracy_2": 2.0}) == 2
    assert second.of({}) is None
    assert picture(measure).table == ()


def test_a_preset_reaches_examples_draws_and_votes():
    small = RobustCurve(attack=ATTACK, radii=(0.1,), votes=50).scaled(PRESETS["smoke"])
    assert (small.examples, small.votes, small.attack.draws) == (32, 2, 2)


@pytest.mark.parametrize("radii", [(), (0.2, 0.1), (0.1, 0.1), (-1.0,), [0.1], (float("nan"),)])
def test_bad_radii(radii):
    with pytest.raises(BadInput, match=r"Expected rising radii, >= 0\. Received: radii="):
        RobustCurve(attack=ATTACK, radii=radii)
