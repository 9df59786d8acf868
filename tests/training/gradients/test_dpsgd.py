"""DP-SGD as a member of the slot: what it refuses, what it draws, and what it owns up to."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise import seeds
from ftnoise.errors import BadInput
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, Engine, PrivateUpdater, Reference
from ftnoise.training.gradients.samplers import Poisson, Shuffled
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L1, L2, Jacobian

PRIVATE = Training(gradients=DPSGD(noise_multiplier=1.0))
STEPS = 10  # an epoch of 37 examples in batches of 4


def private_run(run_of, gradients=PRIVATE.gradients, **changes):
    return run_of(Training(gradients=gradients), batch_size=4, epochs=4, **changes)


def updater_of(run_of, spec, **changes):
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    return spec.start(network, private_run(run_of, spec, **changes), 37, xla=False)


def keys(updater):
    return int(updater.noise_key.numpy()), int(updater.batch_key.numpy())


# What is refused.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"noise_multiplier": -1}, "noise_multiplier >= 0. Received: noise_multiplier=-1"),
        ({"noise_multiplier": float("nan")}, "noise_multiplier >= 0"),
        ({"clip": 0}, "clip > 0, in 1e-12 to 1e12. Received: clip=0"),
        ({"clip": 1e-30}, "clip > 0, in 1e-12"),
        ({"clip": float("inf")}, "clip > 0"),
        ({"sampler": "poisson"}, "sampler to be a sampler, such as Poisson()"),
        ({"engine": "reference"}, "engine to be an engine, such as Bookkeeping()"),
        ({"secret_key": 1}, "secret_key a bool"),
        ({"engine": Reference()}, "sampler=Shuffled() for the reference engine"),
        (
            {"engine": Reference(), "sampler": Shuffled(), "secret_key": True},
            "no secret_key for the reference engine",
        ),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        DPSGD(**{"noise_multiplier": 1.0} | fields)
    assert message in str(failure.value)


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ({"inputs": TRADES(attack_epsilon=0.1)}, "leave `inputs` empty. Received: inputs=TRADES"),
        ({"penalty": Jacobian(sigma=0.1)}, "use L2 or L1. Received: penalty=Jacobian"),
    ],
)
def test_slots_that_cannot_be_right_with_it_are_refused_at_construction(slots, message):
    with pytest.raises(BadInput) as failure:
        Training(gradients=DPSGD(noise_multiplier=1.0), **slots)
    assert message in str(failure.value)


def test_a_penalty_on_the_weights_alone_is_fine():
    for penalty in (L1(weight=0.1), L2(weight=0.1)):
        assert Training(gradients=DPSGD(noise_multiplier=1.0), penalty=penalty).penalty == penalty


def test_batches_that_the_data_do_not_have_are_refused(run_of):
    run = private_run(run_of)
    with pytest.raises(BadInput, match="batch_size <= 3"):
        run.training.gradients.start(None, run, 3, xla=False)
    reference = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    with pytest.raises(BadInput, match="divide 37 examples"):
        updater_of(run_of, reference)


# The ledger: what is announced is what may have been released.


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


def test_a_ledger_that_is_lost_counts_as_a_whole_training(run_of):
    first, other = (updater_of(run_of, DPSGD(noise_multiplier=1.0)) for _ in range(2))
    first.resume(None, 0, True)
    other.resume(None, 0, False)
    spans = [(entry["from"], entry["to"]) for entry in other.announce(STEPS)["ledger"]]
    assert spans == [(0, 4 * STEPS), (0, STEPS)]
    assert keys(other) != keys(first)


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


def test_a_secret_key_is_another_one_each_time_and_is_kept_nowhere(run_of, memory, images):
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


# In a training.


@pytest.mark.parametrize("sampler", [Poisson(), Shuffled()])
def test_a_training_that_was_stopped_ends_with_the_same_bits(run_of, memory, trained, sampler):
    run = private_run(run_of, DPSGD(noise_multiplier=0.5, sampler=sampler))
    whole = memory()
    known = trained(run, whole)
    workspace = memory(after_epoch=2)
    with pytest.raises(memory.Stopped):
        trained(run, workspace)
    workspace.after_epoch = None
    assert trained(run, workspace) == known
    state = json.loads(workspace.kept[1])
    assert state["gradients"] == json.loads(whole.kept[1])["gradients"]
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [4 * STEPS]


def test_an_epoch_is_announced_before_it_begins(run_of, memory, trained):
    workspace = memory(at_position=20)
    with pytest.raises(memory.Stopped):
        trained(private_run(run_of), workspace)
    state = json.loads(workspace.kept[1])
    assert len(state["history"]) == 1
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [2 * STEPS]

    first = memory(at_position=10)
    with pytest.raises(memory.Stopped):
        trained(private_run(run_of), first)
    state = json.loads(first.kept[1])
    assert state["history"] == []
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [STEPS]


def test_going_on_elsewhere_counts_the_lost_steps_and_ends_otherwise(run_of, memory, trained):
    run = private_run(run_of)
    known = trained(run, memory())
    workspace = memory(at_position=30)
    with pytest.raises(memory.Stopped):
        trained(run, workspace)
    workspace.at_position, workspace.repeats = None, False
    assert trained(run, workspace) != known
    ledger = json.loads(workspace.kept[1])["gradients"]["ledger"]
    assert [(entry["from"], entry["to"]) for entry in ledger] == [(0, 30), (20, 40)]


def test_without_noise_and_clipping_it_is_plain_training_on_the_mean(run_of, trained):
    loose = DPSGD(noise_multiplier=0.0, clip=1e9, sampler=Shuffled())
    # Batches that divide the data: the sum is divided by the expected size.
    shared = {"batch_size": 37, "epochs": 3}
    private = trained(run_of(Training(gradients=loose), **shared))
    plain = trained(run_of(Training(), **shared))
    for one, other in zip(private, plain, strict=True):
        np.testing.assert_allclose(
            np.frombuffer(one, np.float32), np.frombuffer(other, np.float32), atol=1e-5
        )


def test_the_penalty_is_outside_the_clipping(run_of, trained):
    tiny = DPSGD(noise_multiplier=0.0, clip=1e-9, sampler=Shuffled())
    run = run_of(
        Training(gradients=tiny, penalty=L2(weight=0.5)),
        batch_size=37, epochs=1, learning_rate=0.1, momentum=0.0,
    )  # fmt: skip
    kernel = np.frombuffer(trained(run)[0], np.float32)
    seeds.fix_initialization(run.seed)
    start = run.training.build(run).get_weights()[0].ravel()
    np.testing.assert_allclose(kernel, 0.9 * start, rtol=1e-5, atol=1e-7)


def test_examples_without_a_finite_gradient_are_counted_in_the_history(
    run_of, memory, trained, images
):
    data = images()
    data.x_train[3] = np.nan
    workspace = memory()
    run = private_run(run_of, DPSGD(noise_multiplier=0.1, sampler=Shuffled()))
    trained(run, workspace, data)
    assert [epoch["not_finite"] for epoch in workspace.history] == [1.0] * 4
    assert all(np.isfinite(list(epoch.values())).all() for epoch in workspace.history)


def test_with_a_secret_key_nothing_exact_about_the_training_examples_is_logged(
    run_of, memory, trained
):
    workspace = memory()
    trained(private_run(run_of, DPSGD(noise_multiplier=1.0, secret_key=True)), workspace)
    assert [epoch.keys() for epoch in workspace.history] == [
        {"step", "val_loss", "val_accuracy"}
    ] * 4


def test_the_reference_engine_takes_other_noise_after_a_stop(run_of):
    spec = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    run = run_of(Training(gradients=spec), batch_size=37, epochs=2)
    moved = []
    kept = None
    for step in (0, 1, 1):
        network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
        updater = spec.start(network, run, 37, xla=False)
        updater.resume(kept, step, True)
        kept = updater.announce(step + 1)
        before = network.get_weights()[0]
        update = tf.function(
            lambda updater=updater, network=network: updater.update(
                lambda: (tf.reduce_sum(network(tf.zeros([37, 4])), 1), None), None, None
            )
        )
        update()
        moved.append(network.get_weights()[0] - before)
    assert not np.allclose(moved[0], moved[1])
    assert not np.allclose(moved[1], moved[2])


def test_the_reference_engine_refuses_what_mixes_examples(run_of):
    spec = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    layers = [keras.layers.Dense(3, input_shape=(4,)), keras.layers.BatchNormalization()]
    run = run_of(Training(gradients=spec), batch_size=37)
    with pytest.raises(BadInput, match="mixes the examples"):
        spec.start(keras.Sequential(layers), run, 37, xla=False)


def test_the_reference_engine_trains_and_never_repeats(run_of, memory, trained):
    spec = DPSGD(noise_multiplier=0.1, sampler=Shuffled(), engine=Reference())
    run = run_of(Training(gradients=spec), batch_size=37, epochs=2)
    workspace = memory(after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run, workspace)
    workspace.after_epoch = None
    trained(run, workspace)
    ledger = json.loads(workspace.kept[1])["gradients"]["ledger"]
    assert [(entry["from"], entry["to"]) for entry in ledger] == [(0, 2), (1, 2)]
    assert isinstance(spec.engine, Engine)
