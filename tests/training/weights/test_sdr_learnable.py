"""SDR-Learnable: thresholds after every update, schedules, and examples that are truly held out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.preset import PRESETS
from ftnoise.layers.random_weights import gaussian_layers
from ftnoise.training import Training
from ftnoise.training.loop import Loop
from ftnoise.training.weights.sdr_learnable import (
    Plateau,
    PlateauOnTestData,
    Ramp,
    SDRLearnable,
    Thresholds,
)

LOW, HIGH = 0.1, 0.3


def stds(network):
    return np.concatenate(
        [std.numpy().ravel() for one in gaussian_layers(network) for std in one.stds]
    )


def hold_after_every_step(member, run_of, data, steps=6):
    """Whether all standard deviations are within the thresholds after each of some large steps."""
    training = Training(weights=member)
    run = run_of(training, learning_rate=2.0, momentum=0.0)
    network = training.build(run)
    loop = Loop(training, network, run, data)
    for step in range(steps):
        loop.update(tf.constant(step, tf.int64))
        found = stds(network)
        if found.min() < np.float32(LOW) or found.max() > np.float32(HIGH):
            return False
    # They are in force, not out of reach.
    assert (found == np.float32(LOW)).any()
    assert (found == np.float32(HIGH)).any()
    return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Early(SDRLearnable):
    """A planted mistake: thresholds before the update."""

    def before_step(self, network, seed):
        super().after_step(network, [], seed)

    def after_step(self, network, gradients, seed):
        pass


def test_the_thresholds_hold_after_every_step(run_of, images):
    assert hold_after_every_step(SDRLearnable(lowest=LOW, highest=HIGH), run_of, images())
    assert not hold_after_every_step(_Early(lowest=LOW, highest=HIGH), run_of, images())


def test_means_and_standard_deviations_of_weights_and_biases_are_trained(run_of, images):
    training = Training(weights=SDRLearnable())
    run = run_of(training, epochs=1)
    before = training.build(run)
    network = training.train(run, images())
    names = [v.name.split("/")[-1] for v in network.trainable_variables]
    assert sorted(set(names)) == ["bias:0", "bias_std:0", "kernel:0", "kernel_std:0"]
    for old, new in zip(before.trainable_variables, network.trainable_variables, strict=True):
        assert (old.numpy() != new.numpy()).any(), new.name
    assert stds(network).min() >= 0


def test_a_ramp_rises_linearly_to_its_target_and_stays(run_of, images):
    ramp = Ramp(target=0.2, epochs=4)
    now = Thresholds(0.05, 1.0)
    lowest = []
    for epoch in range(6):
        now = ramp.at_begin(epoch, now)
        lowest.append(now.lowest)
    np.testing.assert_allclose(lowest, [0.05, 0.05, 0.1, 0.15, 0.2, 0.2])
    assert now.highest == 1.0
    training = Training(weights=SDRLearnable(schedule=Ramp(target=0.2, epochs=2)))
    network = training.train(run_of(training, epochs=3), images())
    assert stds(network).min() == np.float32(0.2)
    assert Ramp(target=0.2, epochs=10).scaled(PRESETS["smoke"]).epochs == 1


@pytest.mark.parametrize("kind", [Plateau, PlateauOnTestData])
def test_a_plateau_raises_both_at_most_once_in_five_epochs(kind):
    schedule, now = kind(), Thresholds(0.0, 1.0)
    other = {Plateau: PlateauOnTestData, PlateauOnTestData: Plateau}[kind].accuracy
    lowest = []
    for epochs, accuracy in enumerate(
        [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4, 0.41, 0.4, 0.4], start=1
    ):
        now = schedule.at_end(epochs, now, {kind.accuracy: accuracy, other: float(epochs)})
        lowest.append(round(now.lowest, 6))
        assert now.highest - now.lowest == pytest.approx(1.0)
    # Raised after 5 epochs, and not after 10 or 11: after a raise the best begins anew.
    assert lowest == [0.0] * 4 + [0.05] * 5 + [0.1] * 4


def test_the_schedule_moves_the_thresholds_of_a_training(run_of, images, memory):
    member = SDRLearnable(schedule=Plateau(step=0.1, every=1, held_out=0.3))
    run, checkpointing = run_of(Training(weights=member), epochs=6), memory()
    network = run.training.train(run, images(), checkpointing)
    now = Thresholds(0.0, 1.0)
    for epochs, entry in enumerate(checkpointing.history, start=1):
        now = member.schedule.at_end(epochs, now, entry)
    assert now.lowest > 0
    np.testing.assert_allclose(gaussian_layers(network)[0].state, now, rtol=1e-6)


@pytest.mark.parametrize("schedule", [None, Ramp(target=0.2, epochs=2)])
def test_the_mean_standard_deviation_of_each_layer_is_logged(schedule, run_of, images, memory):
    training, checkpointing = Training(weights=SDRLearnable(schedule=schedule)), memory()
    network = training.train(run_of(training), images(), checkpointing)
    known = {
        f"std {one.name}": np.concatenate([std.numpy().ravel() for std in one.stds]).mean()
        for one in gaussian_layers(network)
    }
    logged = {
        name: number
        for name, number in checkpointing.history[-1].items()
        if name.startswith("std ")
    }
    assert logged == pytest.approx(known)


def test_held_out_examples_are_not_trained_on(run_of, images):
    member = SDRLearnable(schedule=Plateau(held_out=0.2))
    data = images()
    held_out = seeds.subset(len(data.y_train), 7, "validation")
    # An example that is trained on would end the training.
    data.x_train[held_out] = np.nan
    run = run_of(Training(weights=member), epochs=2)
    network = run.training.train(run, data)
    assert all(np.isfinite(weight).all() for weight in network.get_weights())
    all_of_them = Training(weights=SDRLearnable())
    with pytest.raises(RunFailed):
        all_of_them.train(run_of(all_of_them, epochs=2), data)


def test_their_accuracy_is_counted(run_of, images, memory):
    training = Training(weights=SDRLearnable(schedule=Plateau(held_out=0.2)))
    data, checkpointing = images(), memory()
    data.y_train[:] = 0
    training.train(run_of(training), data, checkpointing)
    assert checkpointing.history[-1]["val_held_out_accuracy"] == 1.0
    held_out = seeds.subset(len(data.y_train), 7, "validation")
    data.y_train[held_out[:2]] = 1
    training.train(run_of(training), data, again := memory())
    assert again.history[-1]["val_held_out_accuracy"] == pytest.approx(5 / 7)


def test_a_share_that_leaves_nothing_is_refused(run_of, images):
    training = Training(weights=SDRLearnable(schedule=Plateau(held_out=0.01)))
    with pytest.raises(BadInput, match=r"examples=37, validation=0\.01"):
        training.train(run_of(training), images())


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: SDRLearnable(lowest=0.2, highest=0.1),
            "Expected lowest <= highest. Received: lowest=0.2, highest=0.1.",
        ),
        (lambda: SDRLearnable(lowest=-0.1), "Expected lowest >= 0. Received: lowest=-0.1."),
        (lambda: SDRLearnable(start=-1), "Expected start >= 0. Received: start=-1."),
        (
            lambda: SDRLearnable(schedule=0.1),
            "Expected schedule to be a schedule of the thresholds, such as Plateau() or None. "
            "Received: schedule=0.1.",
        ),
        (
            lambda: SDRLearnable(highest=0.1, schedule=Ramp(target=0.2, epochs=1)),
            "Expected target <= 0.1, the highest. Received: target=0.2.",
        ),
        (lambda: Ramp(target=0, epochs=1), "Expected target > 0. Received: target=0."),
        (lambda: Plateau(held_out=1), "Expected held_out in (0, 1). Received: held_out=1."),
        (lambda: Plateau(every=0), "Expected every to be an integer >= 1. Received: every=0."),
    ],
)
def test_bad_values_are_refused_in_one_line(make, line):
    with pytest.raises(BadInput) as failure:
        make()
    assert str(failure.value) == line
