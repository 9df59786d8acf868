"""Trained at once, each network is what it is alone: bits, checkpoints, curves."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ftnoise.architectures import CirclesNet, FmnistDNN
from ftnoise.datasets import Sources
from ftnoise.datasets.circles import Circles
from ftnoise.errors import RunFailed
from ftnoise.measures.generalization import accuracy_and_loss
from ftnoise.spec import Run, Schedule
from ftnoise.training import Training, stack
from ftnoise.training.gradients.adam import Adam
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import train as train_alone
from ftnoise.training.penalties import L2
from ftnoise.workspace import Workspace

RUN = Run(
    architecture=CirclesNet(units=40),
    data=Circles(),
    training=Training(inputs=GaussianNoise(sigma=0.1), gradients=Adam()),
    schedule=Schedule(epochs=320, batch_size=30, learning_rate=0.01),
)
ROUNDS = 80


def runs(*seeds, run=RUN):
    return [dataclasses.replace(run, seed=seed) for seed in seeds]


def data(run):
    return run.data.load(Sources(offline=True))


class Kept(Workspace):
    """Keeps in memory, and stops at a save."""

    def __init__(self, stop_at=None):
        self.found, self.saves, self.stop_at, self.said = None, 0, stop_at, []

    def load(self):
        return self.found

    def save(self, arrays, state):
        copies = {name: np.array(array) for name, array in arrays.items()}
        self.found, self.saves = (copies, json.loads(json.dumps(state))), self.saves + 1
        if self.saves == self.stop_at:
            raise KeyboardInterrupt

    def progress(self, done, total, text=""):
        self.said.append((done, total, text))


def trained(some, workspaces=None):
    workspaces = workspaces or [Workspace() for _ in some]
    return some[0].training.train_together(some, [data(run) for run in some], workspaces)


def same(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.fixture(scope="module")
def five():
    return trained(runs(0, 1, 2, 3, 4))


def test_a_run_does_not_depend_on_what_it_is_trained_with(five):
    assert same(trained(runs(3))[0], five[3])
    pair = trained(runs(4, 1))
    assert same(pair[0], five[4])
    assert same(pair[1], five[1])
    assert not same(five[0], five[1])
    # Alone by the ordinary way, too, which is the same way.
    (run,) = runs(2)
    assert same(run.training.train(run, data(run)), five[2])


@pytest.mark.parametrize("inputs", [None, GaussianNoise(sigma=0.1)])
def test_it_is_what_the_loop_trains_up_to_rounding(inputs):
    training = dataclasses.replace(RUN.training, inputs=inputs)
    schedule = dataclasses.replace(RUN.schedule, epochs=20)
    some = runs(5, 6, run=dataclasses.replace(RUN, training=training, schedule=schedule))
    for run, ours in zip(some, trained(some), strict=True):
        alone = train_alone(run, data(run), Workspace())
        for one, other in zip(alone.get_weights(), ours.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5)


def test_it_learns(five):
    found = data(RUN)
    for network in five:
        assert accuracy_and_loss(network, found.x_train, found.y_train)[0] > 80


def test_each_has_its_own_data():
    other = dataclasses.replace(RUN, data=RUN.data.redrawn(3), seed=1)
    first, second = trained([runs(1)[0], other])
    assert same(first, trained(runs(1))[0])
    assert same(second, trained([other])[0])
    assert not same(first, second)
    assert RUN.training.stack_key(RUN) == RUN.training.stack_key(other)


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_an_interrupted_stack_goes_on_to_the_same_weights(five, stop, monkeypatch):
    monkeypatch.setattr(stack, "SAVE_SECONDS", -1.0)
    # The second of three stops: the first has kept a round more than the third.
    workspaces = [Kept(), Kept(stop), Kept()]
    with pytest.raises(KeyboardInterrupt):
        trained(runs(0, 1, 2), workspaces)
    rounds = [len(one.found[1]["history"]) if one.found else 0 for one in workspaces]
    assert rounds == [stop, stop, stop - 1]
    for ours, known in zip(trained(runs(0, 1, 2), workspaces), five[:3], strict=True):
        assert same(ours, known)
    for one in workspaces:
        assert len(one.found[1]["history"]) == ROUNDS
        assert one.found[1]["passes"] * ROUNDS == RUN.schedule.epochs


def test_a_finished_one_is_not_trained_again(five):
    workspaces = [Kept(), Kept()]
    trained(runs(0, 1), workspaces)
    before = [one.saves for one in workspaces]
    again = trained(runs(0, 1), workspaces)
    assert [one.saves for one in workspaces] == before
    assert same(again[1], five[1])


def test_a_checkpoint_of_another_network_is_set_aside(five):
    wide = dataclasses.replace(RUN, architecture=CirclesNet(units=41))
    workspace, reasons = Kept(), []
    trained([wide], [workspace])
    workspace.discard = reasons.append
    assert same(trained(runs(0), [workspace])[0], five[0])
    assert reasons == ["does not fit the network circles_net"]


def test_histories_and_progress(five):
    workspaces = [Kept(), Kept()]
    networks = trained(runs(0, 1), workspaces)
    found = data(RUN)
    for network, workspace in zip(networks, workspaces, strict=True):
        history = workspace.found[1]["history"]
        accuracy, loss = accuracy_and_loss(network, found.x_test, found.y_test)
        assert history[-1]["val_accuracy"] == pytest.approx(accuracy / 100, abs=1e-6)
        assert history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
        assert history[-1]["loss"] < history[0]["loss"]
    said = workspaces[0].said
    assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)
    assert said[-1] == (320, 320, "epoch 320 of 320")


def test_curves_are_written_for_tensorboard(tmp_path):
    workspace = Kept()
    workspace.log_dir = tmp_path / "a_run"
    trained(runs(0), [workspace])
    history = workspace.found[1]["history"]
    for part, name in (("train", "accuracy"), ("validation", "val_accuracy")):
        events = EventAccumulator(str(tmp_path / "a_run" / part), {"tensors": 0}).Reload()
        curve = events.Tensors("epoch_accuracy")
        assert [one.step for one in curve] == [4 * (n + 1) - 1 for n in range(ROUNDS)]
        values = [float(tf.make_ndarray(one.tensor_proto)) for one in curve]
        assert values == pytest.approx([one[name] for one in history])


def test_a_loss_that_is_not_finite_fails():
    schedule = dataclasses.replace(RUN.schedule, learning_rate=1e38, epochs=4)
    with pytest.raises(RunFailed, match="The loss is no longer finite in epoch"):
        trained(runs(0, 1, run=dataclasses.replace(RUN, schedule=schedule)))


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": dataclasses.replace(RUN.schedule, batch_size=29)},
        {"training": dataclasses.replace(RUN.training, penalty=L2(weight=1e-3))},
        {"training": Training(inputs=TRADES(attack_epsilon=0.1), gradients=Adam())},
        {"architecture": FmnistDNN(input_shape=(2,), classes=2)},
    ],
)
def test_what_cannot_be_stacked_has_no_key(changes):
    run = dataclasses.replace(RUN, **changes)
    assert run.training.stack_key(run) is None


def test_a_key_is_all_but_seed_and_data():
    key = RUN.training.stack_key(RUN)
    (other,) = runs(9)
    assert other.training.stack_key(other) == key
    noisier = dataclasses.replace(
        RUN, training=Training(inputs=GaussianNoise(sigma=0.2), gradients=Adam())
    )
    assert noisier.training.stack_key(noisier) != key
