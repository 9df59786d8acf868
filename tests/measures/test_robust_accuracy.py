"""Robust accuracy: what it says, what it keeps, and that it falls as attacks get stronger."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.measures.robust_accuracy import RobustAccuracy, columns
from ftnoise.stats import proportion_interval
from tests.attacks.small import data, trained
from tests.attacks.test_evaluation import Memory

PGD_5 = PGD(attack_epsilon=0.1, steps=5)


def trained(network=None, x=None, y=None, checkpointing=None):
    if x is None:
        x, y = data(200)
    return MeasureInput(
        network=network or trained(),
        data=SimpleNamespace(x_test=x, y_test=y),
        run=None,
        checkpointing=checkpointing or Checkpointing(),
    )


def test_it_counts_what_survives_with_an_interval():
    one = trained()
    before = [w.tobytes() for w in one.network.get_weights()]
    answer = RobustAccuracy(attack=PGD_5).evaluate(one)
    x, y = one.data.x_test, one.data.y_test
    known = Evaluation(Checkpointing(), 1).attacked("attack", PGD_5, one.network, x, y)
    low, high = proportion_interval(int(known.survives.sum()), 200)
    assert answer.scalars == {
        "robust_accuracy": 100 * known.survives.mean(),
        "robust_accuracy_low": 100 * low,
        "robust_accuracy_high": 100 * high,
        "unattacked_accuracy": 100 * known.clean.mean(),
        "attack_distortion": known.distortion[known.clean & ~known.survives].mean(),
    }
    assert 10 < answer.scalars["robust_accuracy"] < answer.scalars["unattacked_accuracy"] - 10
    bits = {name: np.unpackbits(part, count=200) for name, part in answer.arrays.items()}
    assert np.array_equal(bits["survives"], known.survives)
    assert np.array_equal(bits["right"], known.clean)
    assert answer.info == {"attack": "PGD-5, l_inf 25.5/255", "images": 200}
    assert [w.tobytes() for w in one.network.get_weights()] == before


def test_a_radius_of_0_leaves_the_clean_accuracy_and_breaks_nothing():
    scalars = RobustAccuracy(attack=PGD_5.at(0.0)).evaluate(trained()).scalars
    assert scalars["robust_accuracy"] == scalars["unattacked_accuracy"]
    assert "attack_distortion" not in scalars


def test_a_part_of_the_examples_is_the_same_for_all_models():
    some = RobustAccuracy(attack=PGD_5, examples=50)
    first, second = (some.evaluate(trained(trained(seed))).arrays for seed in (0, 3))
    assert len(first["right"]) == 7
    assert not np.array_equal(first["survives"], second["survives"])
    assert some.evaluate(trained()).info["images"] == 50
    everything = RobustAccuracy(attack=PGD_5, examples=999)
    assert everything.evaluate(trained()).info["images"] == 200


def test_it_never_rises_with_the_radius_or_with_steps():
    one = trained()

    def accuracy(attack):
        return RobustAccuracy(attack=attack).evaluate(one).scalars

    by_radius = [accuracy(PGD_5.at(radius)) for radius in (0, 0.02, 0.05, 0.1, 0.2, 0.5, 1)]
    by_steps = [accuracy(PGD(attack_epsilon=0.1, steps=steps)) for steps in (1, 2, 5, 20, 40)]
    for found in (by_radius, by_steps):
        for before, after in pairwise(found):
            assert after["robust_accuracy"] <= before["robust_accuracy_high"]
    assert by_radius[-1]["robust_accuracy"] == 0
    assert by_steps[-1]["robust_accuracy"] <= by_steps[0]["robust_accuracy"]


def test_it_goes_on_where_it_was_with_the_same_bits(monkeypatch):
    monkeypatch.setattr(PGD, "batch_size", 64)
    monkeypatch.setattr("ftnoise.attacks.evaluation.SAVE_SECONDS", 0.0)
    measure = RobustAccuracy(attack=PGD_5)
    whole = measure.evaluate(trained())
    checkpointing = Memory(2 * 64 * 5)
    with pytest.raises(KeyboardInterrupt):
        measure.evaluate(trained(checkpointing=checkpointing))
    checkpointing.stop = None
    checkpointing.said.clear()
    again = measure.evaluate(trained(checkpointing=checkpointing))
    assert again.scalars == whole.scalars
    assert all(np.array_equal(again.arrays[name], part) for name, part in whole.arrays.items())
    assert [done for done, _, _ in checkpointing.said] == [640, 960, 1000]


def test_columns_are_among_its_scalars_and_name_the_attack():
    made = columns(RobustAccuracy(attack=PGD(attack_epsilon=2 / 255)))
    scalars = RobustAccuracy(attack=PGD_5).evaluate(trained()).scalars
    assert {column.name for column in made} <= set(scalars)
    assert made[0].title == "Accuracy under attack (PGD-20, l_inf 2/255)"


def test_it_knows_about_how_long_it_takes():
    assert RobustAccuracy(attack=PGD(attack_epsilon=0.1)).passes == 60
    assert RobustAccuracy(attack=PGD(attack_epsilon=0.1), examples=100).passes == 1
    assert RobustAccuracy(attack=FGSM(attack_epsilon=0.1)).passes == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attack": "pgd"}, "attack to be an attack, such as PGD"),
        ({"attack": Attack(attack_epsilon=0.1)}, "attack to be an attack"),
        ({"examples": 0}, "examples >= 1 or None. Received: examples=0"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        RobustAccuracy(**{"attack": PGD_5} | fields)
    assert message in str(failure.value)


def test_what_cannot_be_attacked_is_refused():
    x, y = data(5)
    with pytest.raises(BadInput, match=r"images in \[0, 1\]"):
        RobustAccuracy(attack=PGD_5).evaluate(trained(x=255 * x, y=y))
