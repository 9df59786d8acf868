"""The ledger of DP-SGD: what is announced may have been released, and no noise serves two steps."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from ftnoise.training.gradients.dpsgd import DPSGD, PrivateUpdater
from tests.training.gradients.test_dpsgd import STEPS, keys, private_run, updater_of


def test_the_ledger_counts_what_is_announced(run_of):
    updater = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    updater.resume(None, 0, True)
    for step in (STEPS, 2 * STEPS):
        said = updater.announce(step)
        assert said["ledger"] == [{"nonce": 0, "key": "public", "from": 0, "to": step}]
        assert (said["examples"], said["steps_per_epoch"]) == (37, STEPS)
    json.dumps(said, allow_nan=False)


def test_steps_that_repeat_bit_for_bit_are_the_same_release(run_of):
    first = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    first.resume(None, 0, True)
    kept = first.announce(2 * STEPS)
    again = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    again.resume(kept, STEPS, True)
    assert keys(again) == keys(first)
    assert again.announce(STEPS) == kept


def test_steps_that_do_not_repeat_count_twice_and_take_other_noise(run_of):
    first = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    first.resume(None, 0, True)
    kept = first.announce(2 * STEPS)
    seen = {keys(first)}
    for attempt in (2, 3):
        other = updater_of(run_of, DPSGD(noise_multiplier=1.0))
        other.resume(kept, STEPS, False)
        kept = other.announce(2 * STEPS)
        spans = [(entry["from"], entry["to"]) for entry in kept["ledger"]]
        assert spans == [(0, 2 * STEPS), *[(STEPS, 2 * STEPS)] * (attempt - 1)]
        seen.add(keys(other))
        assert len(seen) == attempt


def test_a_ledger_that_is_lost_is_marked_and_stays_so(run_of):
    first, other, third = (updater_of(run_of, DPSGD(noise_multiplier=1.0)) for _ in range(3))
    first.resume(None, 0, True)
    assert not first.announce(STEPS)["lost"]
    other.resume(None, 0, False)
    assert other.announce(STEPS)["lost"]
    assert keys(other) != keys(first)
    third.resume(other.announce(STEPS), STEPS, True)
    assert third.announce(2 * STEPS)["lost"]


def test_a_record_beside_the_checkpoint_has_the_attempt_go_to_the_end(run_of):
    updater = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    updater.resume({"ledger": [{"nonce": 0, "key": "public", "from": 0, "to": 20}]}, 10, False)
    spans = [(entry["from"], entry["to"]) for entry in updater.at_most()["ledger"]]
    assert spans == [(0, 20), (10, 4 * STEPS)]
    assert updater.announce(20)["ledger"][-1]["to"] == 20


def test_before_its_own_beginning_an_attempt_repeats_nothing(run_of):
    first = updater_of(run_of, DPSGD(noise_multiplier=1.0))
    kept = {"ledger": [{"nonce": 0, "key": "public", "from": 0, "to": 20},
                       {"nonce": 5, "key": "public", "from": 10, "to": 40}]}  # fmt: skip
    first.resume(kept, 0, True)
    spans = [(entry["from"], entry["to"]) for entry in first.announce(STEPS)["ledger"]]
    assert spans == [(0, 20), (10, 40), (0, STEPS)]


def test_a_network_that_is_random_in_training_repeats_nothing(run_of):
    network = keras.Sequential(
        [keras.layers.Dense(3, input_shape=(4,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    )
    spec = DPSGD(noise_multiplier=1.0)
    updater = spec.start(network, private_run(run_of, spec), 37, xla=False)
    updater.resume({"ledger": [{"nonce": 0, "key": "public", "from": 0, "to": 20}]}, 10, True)
    spans = [(entry["from"], entry["to"]) for entry in updater.announce(20)["ledger"]]
    assert spans == [(0, 20), (10, 20)]


@pytest.mark.parametrize("history", range(20))
def test_twenty_stops_at_random_moments_every_step_counts_and_no_noise_serves_two(run_of, history):
    """The loop's protocol without the training: resume, announce an epoch, take steps, keep."""
    random, spec = np.random.default_rng(history), DPSGD(noise_multiplier=1.0)
    run, epochs = private_run(run_of, spec), 4
    kept, saved, way = None, 0, 0
    repeats = True
    taken: dict[tuple[int, int], set[int]] = {}  # by (key, step): the ways in which it was taken
    keys_of: dict[int, object] = {}
    for stop in range(21):
        updater = PrivateUpdater(spec, None, run, 37)
        updater.resume(kept, saved, repeats)
        kept, noise = updater.announce(min(saved // STEPS + 1, epochs) * STEPS), keys(updater)[0]
        keys_of[noise] = updater.ledger[-1]["nonce"]
        ahead = random.integers(1, 2 * STEPS) if stop < 20 else epochs * STEPS
        for step in range(saved, min(saved + ahead, epochs * STEPS)):
            taken.setdefault((noise, step), set()).add(way)
            if (step + 1) % STEPS == 0:
                saved = step + 1
                kept = updater.announce(min(saved // STEPS + 1, epochs) * STEPS)
        if saved == epochs * STEPS and stop < 20:
            saved, repeats = STEPS, False  # as if the weights were damaged, and a checkpoint old
        else:
            repeats = bool(random.integers(0, 2))
        # What is taken again otherwise would be another release under the same noise.
        way += not repeats
    counted = {
        (attempt["nonce"], step)
        for attempt in kept["ledger"]
        for step in range(attempt["from"], attempt["to"])
    }
    assert {(keys_of[noise], step) for noise, step in taken} <= counted
    assert all(len(ways) == 1 for ways in taken.values())
    assert len(keys_of) > 3


def test_runs_do_not_share_noise(run_of):
    specs = [DPSGD(noise_multiplier=noise, clip=clip) for noise in (1, 2) for clip in (1, 3)]
    updaters = [updater_of(run_of, spec, seed=seed) for spec in specs for seed in (0, 1)]
    for updater in updaters:
        updater.resume(None, 0, True)
    drawn = [key for updater in updaters for key in keys(updater)]
    assert len(set(drawn)) == len(drawn) == 16


def test_a_secret_key_is_another_one_each_time_and_is_not_announced(run_of):
    spec = DPSGD(noise_multiplier=1.0, secret_key=True)
    drawn = set()
    for _ in range(2):
        updater = updater_of(run_of, spec)
        updater.resume(None, 0, True)
        drawn |= {*keys(updater)}
        said = json.dumps(updater.announce(STEPS))
        assert not any(str(key) in said for key in keys(updater))
        assert '"secret"' in said
    assert len(drawn) == 4
    # Going on is a new attempt, whatever repeats.
    updater.resume(json.loads(said), STEPS, True)
    spans = [(entry["from"], entry["to"]) for entry in updater.announce(2 * STEPS)["ledger"]]
    assert spans == [(0, STEPS), (STEPS, 2 * STEPS)]
