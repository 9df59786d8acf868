"""The statement of a run is that of its ledger, not of its configuration."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.measures.privacy import COLUMNS, NOTE, PrivacyLoss
from ftnoise.privacy import Mechanism, statement
from ftnoise.report.table import rounded_up
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, Shuffled
from tests.measures.given import RUN, evaluate


def measured(training, ledger, key="public", **fields):
    run = dataclasses.replace(RUN, training=training)
    attempts = [{"key": key, "from": low, "to": high} for low, high in ledger]
    kept = {"ledger": attempts, "examples": 60_000, "steps_per_epoch": 240} if ledger else None
    return evaluate(PrivacyLoss(**fields), None, run=run, record={"gradients": kept}).scalars


def known(steps, sampler="poisson", delta=1e-5):
    return statement(
        Mechanism(
            noise_multiplier=1.1,
            batch_size=250,
            examples=60_000,
            steps=steps,
            sampler=sampler,
            delta=delta,
        )
    )


def test_the_note_says_what_published_together_compose_to_and_epsilons_are_rounded_up():
    one, three = (f"{rounded_up(known(n * 14_400).epsilon, 2):.2f}" for n in (1, 3))
    assert f"compose (noise 1.1, three seeds: {three}, not {one})" in NOTE
    assert {column.name for column in COLUMNS if column.upward} == {"privacy_epsilon"}


def test_the_papers_row():
    found = measured(Training(gradients=DPSGD(noise_multiplier=1.1)), [(0, 14_400)])
    assert found["privacy_steps"] == 14_400
    assert found["privacy_epsilon_paper"] == pytest.approx(2.9699, rel=1e-3)
    assert found["privacy_epsilon"] == found["privacy_epsilon_low"] == known(14_400).epsilon
    assert found["generalization_bound"] == found["generalization_bound_replace_one"] == 100


def test_a_bound_that_is_not_vacuous_is_in_points():
    found = measured(Training(gradients=DPSGD(noise_multiplier=5.0)), [(0, 14_400)])
    assert found["generalization_bound"] == pytest.approx(63.5, abs=0.1)
    assert found["generalization_bound_replace_one"] == pytest.approx(99.8, abs=0.1)


def test_lost_steps_count_and_steps_that_were_not_taken_do_not():
    private = Training(gradients=DPSGD(noise_multiplier=1.1))
    once = measured(private, [(0, 14_400)])
    twice = measured(private, [(0, 7_440), (7_200, 14_400)])
    assert twice["privacy_steps"] == 14_640
    assert twice["privacy_epsilon"] == known(14_640).epsilon > once["privacy_epsilon"]
    assert measured(private, [(0, 240)])["privacy_epsilon"] == known(240).epsilon


def test_epsilon_depends_on_the_sampler():
    shuffled = DPSGD(noise_multiplier=1.1, sampler=Shuffled())
    found = measured(Training(gradients=shuffled), [(0, 14_400)])
    assert found["privacy_epsilon"] == known(14_400, "shuffled").epsilon
    assert (
        10 < found["privacy_epsilon_low"] < found["privacy_epsilon"] == pytest.approx(54, abs=0.1)
    )


def test_training_without_noise_claims_nothing():
    assert measured(Training(), []) == {"privacy_steps": 0.0}
    silent = Training(gradients=DPSGD(noise_multiplier=0))
    steps = {"privacy_steps": 14_400.0, "privacy_key_secret": 0.0}
    assert measured(silent, [(0, 14_400)]) == steps


def test_after_a_lost_ledger_no_epsilon_is_stated():
    record = {"gradients": {"ledger": [], "lost": True, "examples": 10, "steps_per_epoch": 2}}
    found = evaluate(PrivacyLoss(), None, record=record)
    assert found.scalars == {"privacy_ledger_lost": 1.0}


def test_a_secret_key_is_reported():
    private = Training(gradients=DPSGD(noise_multiplier=1.1))
    assert measured(private, [(0, 240)])["privacy_key_secret"] == 0
    assert measured(private, [(0, 240)], key="secret")["privacy_key_secret"] == 1


@pytest.mark.parametrize("delta", [0, 1, -1, float("nan")])
def test_other_deltas_are_refused(delta):
    with pytest.raises(BadInput, match=r"delta in \(0, 1\)"):
        PrivacyLoss(delta=delta)
