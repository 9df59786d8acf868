"""Robust accuracy: its numbers, resumption, and that it falls as attacks get stronger."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.robust_accuracy import RobustAccuracy, columns
from ftnoise.stats import proportion_interval
from tests.attacks.small import data, noisy, trained
from tests.core.test_resumable import Memory
from tests.measures.given import attackable, evaluate

PGD_5 = PGD(attack_epsilon=0.1, steps=5)


def measured(measure, network=None, **given):
    return evaluate(measure, network or trained(), **attackable() | given)


def test_it_counts_what_survives_with_an_interval():
    network, (x, y) = trained(), data(200)
    found = measured(RobustAccuracy(attack=PGD_5), network)
    known = Evaluation(Checkpointing()).attacked("attack", PGD_5, network, x, y)
    low, high = proportion_interval(int(known.survives.sum()), 200)
    assert found.scalars == {
        "robust_accuracy": 100 * known.survives.mean(),
        "robust_accuracy_low": 100 * low,
        "robust_accuracy_high": 100 * high,
        "unattacked_accuracy": 100 * known.clean.mean(),
        "attack_distortion": known.distortion[known.clean & ~known.survives].mean(),
    }
    assert 10 < found.scalars["robust_accuracy"] < found.scalars["unattacked_accuracy"] - 10
    bits = {name: np.unpackbits(part, count=200) for name, part in found.arrays.items()}
    assert np.array_equal(bits["survives"], known.survives)
    assert np.array_equal(bits["right"], known.clean)
    assert found.info == {"attack": "PGD-5, l_inf 25.5/255", "examples": 200}


def test_a_radius_of_0_leaves_the_clean_accuracy_and_breaks_nothing():
    scalars = measured(RobustAccuracy(attack=PGD_5.at(0.0))).scalars
    assert scalars["robust_accuracy"] == scalars["unattacked_accuracy"]
    assert "attack_distortion" not in scalars


def test_a_part_of_the_examples_is_the_same_for_all_models():
    some = RobustAccuracy(attack=PGD_5, examples=50)
    first, second = (measured(some, trained(seed)).arrays for seed in (0, 3))
    assert len(first["right"]) == 7
    assert not np.array_equal(first["survives"], second["survives"])
    assert measured(some).info["examples"] == 50
    everything = RobustAccuracy(attack=PGD_5, examples=999)
    assert measured(everything).info["examples"] == 200


def test_it_never_rises_with_the_radius_or_with_steps():
    def accuracy(attack):
        return measured(RobustAccuracy(attack=attack)).scalars

    by_radius = [accuracy(PGD_5.at(radius)) for radius in (0, 0.02, 0.05, 0.1, 0.2, 0.5, 1)]
    by_steps = [accuracy(PGD(attack_epsilon=0.1, steps=steps)) for steps in (1, 2, 5, 20, 40)]
    for found in (by_radius, by_steps):
        for before, after in pairwise(found):
            assert after["robust_accuracy"] <= before["robust_accuracy_high"]
    assert by_radius[-1]["robust_accuracy"] == 0
    assert by_steps[-1]["robust_accuracy"] <= by_steps[0]["robust_accuracy"]


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
def test_it_resumes_with_the_same_bits(monkeypatch, network):
    monkeypatch.setattr(PGD, "batch_size", 64)
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0.0)
    network, measure, memory = network(), RobustAccuracy(attack=PGD_5), Memory(2)
    whole = measured(measure, network)
    with pytest.raises(KeyboardInterrupt):
        measured(measure, network, checkpointing=memory)
    again = measured(measure, network, checkpointing=memory)
    assert again.scalars == whole.scalars
    assert all(np.array_equal(again.arrays[name], part) for name, part in whole.arrays.items())
    assert [done for done, _, _ in memory.reports] == [64, 128, 192, 200]


def test_a_preset_limits_the_examples_but_not_the_attack():
    measure = RobustAccuracy(attack=PGD_5)
    assert measure.scaled(PRESETS["quick"]) == RobustAccuracy(attack=PGD_5, examples=200)
    assert measure.scaled(PRESETS["paper"]) == measure


def test_columns_are_among_its_scalars_and_name_the_attack():
    made = columns(RobustAccuracy(attack=PGD(attack_epsilon=2 / 255)))
    scalars = measured(RobustAccuracy(attack=PGD_5)).scalars
    assert {column.name for column in made} <= set(scalars)
    assert made[0].title == "Accuracy under attack (PGD-20, l_inf 2/255)"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attack": "pgd"}, "attack to be an attack, such as PGD"),
        ({"examples": 0}, "examples to be an integer >= 1 or None. Received: examples=0"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        RobustAccuracy(**{"attack": PGD_5} | fields)
    assert message in str(failure.value)


def test_what_cannot_be_attacked_is_refused():
    x, y = data(5)
    with pytest.raises(BadInput, match=r"examples in \[0, 1\]"):
        measured(RobustAccuracy(attack=PGD_5), x_test=255 * x, y_test=y)
