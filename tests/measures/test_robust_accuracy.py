"""Robust accuracy: its numbers, resumption, and that it falls as attacks get stronger."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.apgd import APGD, TargetedAPGD
from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.evaluation import Evaluation, frozen, passes, seed
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Compiled
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.measures.robust_accuracy import RobustAccuracy, columns, with_apgd
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
    assert found.info == {"attack": "PGD-5, l_inf 0.1", "examples": 200}


def test_with_several_attacks_an_example_is_broken_if_any_of_them_breaks_it():
    network, (x, y) = trained(), data(200)
    weak = PGD(attack_epsilon=0.1, steps=2, step_size=0.01)
    found = measured(RobustAccuracy(attack=weak, also=(PGD_5,)), network)
    one, other = (Evaluation(Checkpointing()).attacked("attack", a, network, x, y)
                  for a in (weak, PGD_5))  # fmt: skip
    survives = np.unpackbits(found.arrays["survives"], count=200).astype(bool)
    assert found.info["accuracies"] == [one.accuracy, found.scalars["robust_accuracy"]]
    # None that the first breaks comes back; the second one only attacks the others.
    assert not (survives & ~one.survives).any()
    assert survives.sum() < one.survives.sum()
    left = one.survives
    rest = Evaluation(Checkpointing()).attacked("attack", PGD_5, network, x[left], y[left])
    assert np.array_equal(survives[left], rest.survives)
    assert abs(int(survives.sum()) - int((one.survives & other.survives).sum())) <= 3
    assert found.info["attack"] == "worst of PGD-2 and PGD-5, l_inf 0.1"
    broken = one.clean & ~survives
    distances = one.distortion.copy()
    distances[left] = rest.distortion
    assert found.scalars["attack_distortion"] == pytest.approx(distances[broken].mean())


def test_where_the_first_attack_breaks_everything_the_others_have_nothing_to_do():
    everything = FGSM(attack_epsilon=0.1).at(1.0)
    found = measured(RobustAccuracy(attack=PGD_5.at(1.0), also=(everything,)))
    assert found.scalars["robust_accuracy"] == 0
    assert found.info["accuracies"] == [0, 0]


def test_other_uses_keep_their_ids_and_apgd_comes_with_both_losses():
    assert spec_id(RobustAccuracy(attack=PGD_5)) == spec_id(RobustAccuracy(attack=PGD_5, also=()))
    attack = PGD(attack_epsilon=0.5, ball=L2Ball())
    where = {"attack_epsilon": 0.5, "ball": L2Ball()}
    worst = with_apgd(attack)
    aimed = TargetedAPGD(**where, steps=20)
    assert worst == RobustAccuracy(attack=attack, also=(APGD(**where), aimed))
    assert worst.label == "worst of PGD-20, APGD-50 and APGD-T-20, l_2 0.5"
    assert worst.scaled(PRESETS["quick"]).also == worst.also


def test_a_vote_of_draws_decides_and_a_single_pass_is_beside_it():
    network, (x, y) = noisy(sigma=1.5), data(200)
    attack = PGD(attack_epsilon=0.03, steps=3, draws=2)
    by_vote = measured(RobustAccuracy(attack=attack, votes=15), network).scalars
    by_pass = measured(RobustAccuracy(attack=attack), network).scalars
    assert by_vote["single_pass_robust_accuracy"] == pytest.approx(
        by_pass["robust_accuracy"], abs=5
    )
    assert "single_pass_robust_accuracy" not in by_pass
    assert by_vote["robust_accuracy"] > by_pass["robust_accuracy"] + 5
    assert by_vote["unattacked_accuracy"] > by_pass["unattacked_accuracy"] + 5
    # The draws of the vote, one by one.
    moved = attack.perturb(network, x, tf.constant(y, tf.int32), seed("attack", 0))
    votes, single = {}, np.ones((15, len(y)), bool)
    for name, part in (("clean", x), ("moved", moved)):
        passed = passes(Compiled(network, x.shape[1:]), tf.constant(part), seed("judge", 0), 15)
        assert len({one.tobytes() for one in passed}) == 15
        votes[name] = passed.sum(axis=0).argmax(axis=1) == y
        single &= passed.argmax(axis=2) == y
    assert by_vote["robust_accuracy"] == 100 * (votes["clean"] & votes["moved"]).mean()
    assert by_vote["single_pass_robust_accuracy"] == pytest.approx(100 * single.mean())


def test_votes_of_several_attacks_are_joined_example_by_example():
    network, weak = noisy(), PGD(attack_epsilon=0.1, steps=2, step_size=0.01)
    found = measured(RobustAccuracy(attack=weak, also=(PGD_5,), votes=5), network).scalars
    alone = measured(RobustAccuracy(attack=weak, votes=5), network).scalars
    for name in ("robust_accuracy", "single_pass_robust_accuracy"):
        assert found[name] < alone[name] - 5
    assert measured(RobustAccuracy(attack=PGD_5, votes=5)).scalars[
        "single_pass_robust_accuracy"
    ] == pytest.approx(measured(RobustAccuracy(attack=PGD_5)).scalars["robust_accuracy"])


def test_frozen_noise_is_the_same_for_the_attack_and_the_judge():
    network, (x, y) = noisy(sigma=1.5), data(200)
    held = measured(RobustAccuracy(attack=PGD_5, frozen=True), network)
    known = Evaluation(Checkpointing()).attacked("attack", PGD_5, frozen(network), x, y)
    assert held.scalars["robust_accuracy"] == known.accuracy
    right = np.argmax(frozen(network)(x), axis=1) == y
    assert held.scalars["unattacked_accuracy"] == 100 * right.mean()
    assert held.info["attack"] == "PGD-5, l_inf 0.1, frozen noise"
    everything = measured(RobustAccuracy(attack=PGD_5.at(1.0), frozen=True), network)
    assert everything.scalars["robust_accuracy"] == 0


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
    network, (x, y), evaluation = trained(), data(200), Evaluation(Checkpointing())

    def attacked(part, attack):
        return evaluation.attacked(part, attack, network, x, y)

    by_radius = [
        attacked(f"radius_{number}", PGD_5.at(radius))
        for number, radius in enumerate((0, 0.02, 0.05, 0.1, 0.2, 0.5, 1))
    ]
    by_steps = [
        attacked(f"steps_{steps}", PGD(attack_epsilon=0.1, steps=steps))
        for steps in (1, 2, 5, 20, 40)
    ]
    for found in (by_radius, by_steps):
        for before, after in pairwise(found):
            assert after.accuracy <= before.interval[1]
    assert by_radius[-1].accuracy == 0
    assert by_steps[-1].accuracy <= by_steps[0].accuracy


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
def test_it_resumes_with_the_same_bits_within_any_of_several_attacks(monkeypatch, network):
    monkeypatch.setattr(APGD, "batch_size", 32)
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0.0)
    measure = RobustAccuracy(attack=PGD_5, also=(APGD(attack_epsilon=0.1, steps=4),))
    network = network()
    whole = measured(measure, network)
    assert len(whole.info["accuracies"]) == 2
    for stop in (1, 2):
        memory = Memory(stop)
        with pytest.raises(KeyboardInterrupt):
            measured(measure, network, checkpointing=memory)
        again = measured(measure, network, checkpointing=memory)
        assert (again.scalars, again.info) == (whole.scalars, whole.info)
        assert all(np.array_equal(again.arrays[name], part) for name, part in whole.arrays.items())


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
        ({"also": [PGD_5]}, "also to be a tuple of attacks"),
        ({"also": ("pgd",)}, "also to be an attack, such as PGD"),
        ({"also": (PGD_5.at(0.2),)}, "attacks in one ball, l_inf 0.1. Received: also='PGD-5"),
        ({"votes": 0}, "votes to be an integer >= 1. Received: votes=0"),
        ({"frozen": "yes"}, "frozen to be a bool"),
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
