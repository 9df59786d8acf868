from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise import seeds
from ftnoise.architectures import Architecture
from ftnoise.attacks.ascent import L2Ball
from ftnoise.errors import RunFailed
from ftnoise.measures.generalization import accuracy_and_loss
from ftnoise.spec import Spec
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import Loop, Shuffle, natural_objective
from ftnoise.training.penalties import L2, Jacobian

EXAMPLES, BATCH, STEPS = 37, 2, 19


@dataclass(frozen=True, kw_only=True)
class Linear(Architecture):
    """Nothing that a large step can switch off."""

    input_shape: tuple[int, ...] = (6, 6, 1)
    classes: int = 3

    def layers(self):
        return [keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Dense(3)]


@dataclass(frozen=True, kw_only=True)
class Normed(Linear):
    """With weights that are not trained, which a checkpoint has to keep too."""

    def layers(self):
        return [keras.layers.BatchNormalization(), *super().layers()]


MEMBERS = {
    "natural": Training(),
    "l2": Training(penalty=L2(weight=0.01)),
    "trades": Training(inputs=TRADES(attack_epsilon=0.1, steps=2)),
    "trades l2": Training(inputs=TRADES(attack_epsilon=0.5, steps=2, ball=L2Ball())),
}


# Resuming

STOPS = [
    {"at_position": 16},  # in the first epoch: nothing is kept yet
    {"after_epoch": 1},
    {"at_position": STEPS + 16},
    {"after_epoch": 2},
    {"at_position": 2 * STEPS + 16},
]


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("natural", STOPS),
        ("l2", STOPS[2:4]),
        ("trades", STOPS[2:4]),
        ("trades l2", STOPS[2:3]),
    ],
    ids=MEMBERS,
)
def test_an_interrupted_training_ends_with_the_same_weights_and_history(
    name, stops, run_of, memory, trained
):
    run = run_of(MEMBERS[name], drops=(2, 3), drop_factor=0.5)
    if name == "natural":
        run = dataclasses.replace(run, architecture=Normed())
    whole = memory()
    weights = trained(run, whole)

    broken = memory()
    for stop in stops:
        broken.after_epoch, broken.at_position = stop.get("after_epoch"), stop.get("at_position")
        with pytest.raises(memory.Stopped):
            trained(run, broken)
    broken.after_epoch = broken.at_position = None
    assert trained(run, broken) == weights
    assert broken.history == whole.history
    assert len(whole.history) == 3

    for name, array in whole.kept[0].items():
        assert array.tobytes() == broken.kept[0][name].tobytes(), name


def test_a_finished_training_is_not_trained_again(run_of, memory, trained):
    run, workspace = run_of(epochs=2), memory()
    weights = trained(run, workspace)
    workspace.positions.clear()
    assert trained(run, workspace) == weights
    assert workspace.positions == []


def test_a_checkpoint_holds_every_variable_and_says_how_far_it_is(run_of, images, memory):
    run, workspace = run_of(epochs=1), memory()
    network = run.training.train(run, images(), workspace)
    arrays, state = workspace.load()
    assert len(state["history"]) == 1
    weights = network.get_weights()
    # Momentum keeps a slot for each weight, beside the number of updates.
    assert set(arrays) == {
        *(f"weight/{n}" for n in range(len(weights))),
        *(f"optimizer/{n}" for n in range(1 + len(weights))),
    }
    assert arrays["optimizer/0"] == STEPS
    for n, weight in enumerate(weights):
        assert np.array_equal(arrays[f"weight/{n}"], weight)
        assert arrays[f"optimizer/{n + 1}"].shape == weight.shape


def test_progress_rises_to_the_whole(run_of, memory, trained):
    run, workspace = run_of(epochs=2), memory()
    trained(run, workspace)
    assert workspace.positions == [
        (16, 2 * STEPS, "epoch 1 of 2"),
        (STEPS, 2 * STEPS, "epoch 1 of 2"),
        (STEPS + 16, 2 * STEPS, "epoch 2 of 2"),
        (2 * STEPS, 2 * STEPS, "epoch 2 of 2"),
    ]


# Order and noise


@dataclass(frozen=True, kw_only=True)
class Recorder(Spec):
    """Natural training that writes down which examples and which seed each step got."""

    steps: ClassVar[list] = []

    def objective(self, network, x, y, seed):
        def record(pixels, seed):
            self.steps.append((np.rint(pixels.numpy() * 64).astype(int), tuple(seed.numpy())))

        tf.py_function(record, [x[:, 0, 0, 0], seed], [])
        return natural_objective(network, x, y, seed)


@pytest.fixture
def recorded(trained, run_of):
    """`recorded(seed, epochs)` -> examples by step, `[epoch][step]`, and the seeds of all steps."""

    def record(seed=0, epochs=3):
        Recorder.steps.clear()
        trained(run_of(Training(inputs=Recorder()), seed=seed, epochs=epochs))
        batches = [numbers for numbers, _ in Recorder.steps]
        assert len(batches) == epochs * STEPS
        by_epoch = [batches[n * STEPS : (n + 1) * STEPS] for n in range(epochs)]
        return by_epoch, [noise for _, noise in Recorder.steps]

    return record


def test_every_example_is_visited_once_an_epoch_in_an_order_of_its_own(recorded):
    epochs, noise = recorded()
    again, noise_again = recorded()
    other, other_noise = recorded(seed=1, epochs=1)

    orders = []
    for batches in [*epochs, *other]:
        assert [len(batch) for batch in batches] == [2] * 18 + [1]
        orders.append(np.concatenate(batches).tolist())
        assert sorted(orders[-1]) == list(range(EXAMPLES))
    assert len({tuple(order) for order in orders}) == 4
    assert list(range(EXAMPLES)) not in orders
    assert [np.concatenate(batches).tolist() for batches in again] == orders[:3]

    assert noise == noise_again
    assert noise == [(seeds.key(0, "inputs"), step) for step in range(3 * STEPS)]
    assert not set(noise) & set(other_noise)


def test_orders_are_uniform(run_of, images):
    # Where one example stands over many epochs: in each of the 37 places about as often.
    loop, shuffle = Loop(run_of().architecture.build(), run_of(), images()), Shuffle()
    shuffle.set_model(loop)
    counts, expected = np.zeros(EXAMPLES), 20
    for epoch in range(expected * EXAMPLES):
        shuffle.on_epoch_begin(epoch)
        counts[np.argmax(loop.orders[0].numpy() == 7)] += 1
    assert np.sum((counts - expected) ** 2 / expected) < 77  # chi-squared(36), 1e-4


def test_equal_seeds_give_equal_weights_and_others_do_not(run_of, trained):
    run = [run_of(MEMBERS["trades"], seed=seed, epochs=1) for seed in (0, 0, 1)]
    first, again, other = map(trained, run)
    assert first == again
    assert first != other


# What is computed


def test_natural_training_is_stochastic_gradient_descent_by_hand(run_of, images, memory):
    run, data, workspace = run_of(drops=(2,)), images(), memory()
    network = run.training.train(run, data, workspace)

    seeds.fix_initialization(0)
    by_hand = run.architecture.build()
    speeds = [tf.zeros_like(v) for v in by_hand.trainable_variables]
    for epoch in range(3):
        rate = 0.02 if epoch < 1 else 0.002
        seed = [seeds.key(0, "order"), epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(EXAMPLES), seed).numpy()
        losses, hits = [], []
        for start in range(0, EXAMPLES, BATCH):
            chosen = order[start : start + BATCH]
            x, y = data.x_train[chosen], data.y_train[chosen]
            with tf.GradientTape() as tape:
                logits = by_hand(x)
                loss = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
                mean = tf.reduce_mean(loss)
            losses.extend(loss.numpy())
            hits.extend(np.argmax(logits, axis=1) == y)
            slopes = tape.gradient(mean, by_hand.trainable_variables)
            speeds = [
                0.9 * speed - rate * slope for speed, slope in zip(speeds, slopes, strict=True)
            ]
            for variable, speed in zip(by_hand.trainable_variables, speeds, strict=True):
                variable.assign_add(speed)

        logged = workspace.history[epoch]
        assert logged["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        assert logged["accuracy"] == pytest.approx(np.mean(hits), rel=1e-6)
        accuracy, loss = accuracy_and_loss(by_hand, data.x_test, data.y_test)
        assert logged["val_loss"] == pytest.approx(loss, rel=1e-5)
        assert logged["val_accuracy"] == pytest.approx(accuracy / 100, rel=1e-6)

    for ours, known in zip(network.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-5, atol=2e-6)
    assert workspace.history[-1]["accuracy"] > 0.5


def test_the_penalty_is_part_of_the_loss_and_of_the_update(run_of, images, memory):
    # One epoch of one step: the loss is that of the initial network, the update follows it.
    data = images()
    for penalty in (L2(weight=0.1), Jacobian(sigma=0.5)):
        workspace = memory()
        run = run_of(
            Training(penalty=penalty), epochs=1, batch_size=64, momentum=0.0, learning_rate=0.1
        )
        network = run.training.train(run, data, workspace)
        seeds.fix_initialization(0)
        start = run.architecture.build()
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(
                data.y_train, start(data.x_train), from_logits=True
            )
            extra = penalty.value(start, tf.constant(data.x_train))
            loss = tf.reduce_mean(losses) + extra
        assert float(extra) > 0.01
        assert workspace.history[0]["loss"] == pytest.approx(float(loss), rel=1e-5)
        slopes = tape.gradient(loss, start.trainable_variables)
        pairs = zip(network.get_weights(), start.get_weights(), slopes, strict=True)
        for after, before, slope in pairs:
            np.testing.assert_allclose(after, before - 0.1 * slope, rtol=1e-4, atol=1e-6)


def test_validation_looks_at_every_test_image_after_each_epoch(monkeypatch, run_of, images, memory):
    monkeypatch.setattr("ftnoise.training.loop.TEST_BATCH", 4)
    run, workspace, data = run_of(epochs=2), memory(), images()
    network = run.training.train(run, data, workspace)
    accuracy, loss = accuracy_and_loss(network, data.x_test, data.y_test)
    assert workspace.history[-1]["val_accuracy"] == pytest.approx(accuracy / 100, rel=1e-6)
    # A mean over images, also where the last batch is smaller.
    assert workspace.history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert workspace.history[0]["val_loss"] != workspace.history[1]["val_loss"]


@pytest.mark.parametrize(("name", "tolerance"), [("natural", 1e-5), ("trades", 1e-2)])
def test_xla_gives_about_the_same_weights(name, tolerance, run_of, images, memory):
    # The noise of TRADES is other noise there: XLA counts its generator in another order.
    run = run_of(MEMBERS[name], epochs=2, batch_size=8)
    plain, compiled = (
        run.training.train(run, images(), memory(xla=xla)).get_weights() for xla in (False, True)
    )
    seeds.fix_initialization(0)
    for ours, known, start in zip(
        compiled, plain, run.architecture.build().get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, known, atol=tolerance)
        assert np.abs(known - start).max() > 3 * tolerance


# What can go wrong


@pytest.mark.parametrize("logs", [False, True])
def test_a_diverging_training_names_the_epoch(logs, tmp_path, run_of, memory, trained):
    workspace = memory(log_dir=tmp_path if logs else None)
    run = run_of(architecture=Linear(), epochs=5, learning_rate=1e6)
    with pytest.raises(RunFailed, match="no longer finite in epoch 1:") as failure:
        trained(run, workspace)
    assert "\n" not in str(failure.value)
    assert workspace.kept is None


@dataclass(frozen=True, kw_only=True)
class Poison(Spec):
    """Natural until the second epoch, then not a number."""

    def objective(self, network, x, y, seed):
        losses, logits = natural_objective(network, x, y, seed)
        return losses + tf.where(seed[1] >= STEPS + 3, float("nan"), 0.0), logits


def test_a_later_failure_leaves_the_last_good_checkpoint(run_of, memory, trained):
    workspace = memory()
    with pytest.raises(RunFailed, match="in epoch 2:"):
        trained(run_of(Training(inputs=Poison())), workspace)
    assert len(json.loads(workspace.kept[1])["history"]) == 1
    assert all(np.all(np.isfinite(array)) for array in workspace.kept[0].values())
