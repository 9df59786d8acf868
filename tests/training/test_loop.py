from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.architectures import SequentialNetwork
from ftnoise.attacks.ascent import L2Ball
from ftnoise.core import seeds
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.interfaces import Inputs
from ftnoise.measures.generalization import accuracy_and_loss
from ftnoise.training import Training
from ftnoise.training.augmentation import CropAndFlip
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import Loop, Shuffle, natural_objective
from ftnoise.training.penalties import L2

EXAMPLES, BATCH, STEPS = 37, 2, 19


@dataclass(frozen=True, kw_only=True)
class Linear(SequentialNetwork):
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
    "augmentation": Training(augmentation=CropAndFlip(padding=1)),
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
        ("augmentation", STOPS[2:4]),
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
    run, checkpointing = run_of(epochs=2), memory()
    weights = trained(run, checkpointing)
    checkpointing.positions.clear()
    assert trained(run, checkpointing) == weights
    assert checkpointing.positions == []


def test_a_checkpoint_holds_every_variable_and_the_progress(run_of, images, memory):
    run, checkpointing = run_of(epochs=1), memory()
    network = run.training.train(run, images(), checkpointing)
    arrays, state = checkpointing.load()
    assert len(state["history"]) == 1
    assert state["epochs_per_entry"] == 1
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


def test_short_epochs_are_logged_and_kept_in_intervals(run_of, images, memory, trained):
    # 160 epochs of one step: 80 intervals of two.
    run = run_of(epochs=160, batch_size=64)
    whole, broken = memory(), memory(after_epoch=30)
    known = trained(run, whole)
    assert whole.load()[1]["epochs_per_entry"] == 2
    assert len(whole.history) == 80
    assert whole.positions[0] == (2, 160, "epoch 2 of 160")
    assert whole.positions[-1] == (160, 160, "epoch 160 of 160")
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    broken.after_epoch = None
    assert trained(run, broken) == known
    assert broken.history == whole.history


def test_epochs_that_take_no_time_share_a_checkpoint(monkeypatch, run_of, memory, trained):
    monkeypatch.setattr("ftnoise.training.loop.SAVE_SECONDS", 1000)
    run, whole = run_of(), memory()
    known = trained(run, whole)
    assert whole.saves == 1
    assert len(whole.history) == 3
    broken = memory(at_position=2 * STEPS + 16)
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    assert broken.kept is None
    broken.at_position = None
    assert trained(run, broken) == known
    assert broken.history == whole.history


def test_a_training_starts_from_a_network_that_is_given(run_of, images, memory):
    data, run = images(), run_of(epochs=1)
    first = run.training.train(run, data)
    start = first.get_weights()
    second = run.training.train(run, data, memory(), first)
    again = run.training.train(run, data, None, first)
    for before, kept, one, other in zip(
        start, first.get_weights(), second.get_weights(), again.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, kept)
        np.testing.assert_array_equal(one, other)
        assert (one != before).any()
    with pytest.raises(BadInput, match="Expected a network to start from with the weights of tiny"):
        run.training.train(run, data, None, Linear().build())


def test_progress_rises_to_the_whole(run_of, memory, trained):
    run, checkpointing = run_of(epochs=2), memory()
    trained(run, checkpointing)
    assert checkpointing.positions == [
        (16, 2 * STEPS, "epoch 1 of 2"),
        (STEPS, 2 * STEPS, "epoch 1 of 2"),
        (STEPS + 16, 2 * STEPS, "epoch 2 of 2"),
        (2 * STEPS, 2 * STEPS, "epoch 2 of 2"),
    ]


# Order and noise


@dataclass(frozen=True, kw_only=True)
class Recorder(Inputs):
    """Natural training that writes down the examples and the seed that each step got."""

    steps: ClassVar[list] = []

    def objective(self, network, x, y, seed):
        def record(x, seed):
            self.steps.append((x.numpy(), tuple(seed.numpy())))

        tf.py_function(record, [x, seed], [])
        return natural_objective(network, x, y, seed)


@pytest.fixture
def recorded(trained, run_of):
    """`recorded(seed, epochs)` -> examples by step, `[epoch][step]`, and the seeds of all steps."""

    def record(seed=0, epochs=3):
        Recorder.steps.clear()
        trained(run_of(Training(inputs=Recorder()), seed=seed, epochs=epochs))
        batches = [np.rint(x[:, 0, 0, 0] * 64).astype(int) for x, _ in Recorder.steps]
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


def test_each_step_sees_its_batch_augmented_with_a_key_of_its_own(run_of, images, memory):
    Recorder.steps.clear()
    data, epochs, checkpointing = images(), 2, memory()
    run = run_of(Training(inputs=Recorder(), augmentation=CropAndFlip()), epochs=epochs)
    network = run.training.train(run, data, checkpointing)
    found = [x for x, _ in Recorder.steps]
    assert len(found) == epochs * STEPS
    changed, augmentation = 0, CropAndFlip()
    for step, x in enumerate(found):
        epoch, place = divmod(step, STEPS)
        order = tf.random.experimental.stateless_shuffle(
            tf.range(EXAMPLES), [seeds.key(0, "order"), epoch]
        ).numpy()
        batch = data.x_train[order[place * BATCH : (place + 1) * BATCH]]
        seed = seeds.at_step(seeds.key(0, "augmentation"), step)
        np.testing.assert_array_equal(x, augmentation.augment(tf.constant(batch), seed))
        changed += not np.array_equal(x, batch)
    assert changed > 0.9 * len(found)

    # Images that are tested on stay as they are.
    accuracy, loss = accuracy_and_loss(network, data.x_test, data.y_test)
    assert checkpointing.history[-1]["val_accuracy"] == pytest.approx(accuracy / 100, rel=1e-6)
    assert checkpointing.history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
    other = augmentation.augment(tf.constant(data.x_test), seed).numpy()
    assert accuracy_and_loss(network, other, data.y_test)[1] != pytest.approx(loss, rel=1e-3)


def test_orders_are_uniform(run_of, images):
    # Where one example stands over many epochs: in each of the 37 places about as often.
    run, shuffle = run_of(), Shuffle()
    loop = Loop(run.training, run.architecture.build(), run, images())
    shuffle.set_model(loop)
    counts, expected = np.zeros(EXAMPLES), 20
    for epoch in range(expected * EXAMPLES):
        shuffle.on_epoch_begin(epoch)
        counts[np.argmax(loop.orders[0].numpy() == 7)] += 1
    assert np.sum((counts - expected) ** 2 / expected) < 77  # chi-squared(36), 1e-4


@pytest.mark.parametrize("name", ["trades", "augmentation"])
def test_equal_seeds_give_equal_weights_and_others_do_not(name, run_of, trained):
    run = [run_of(MEMBERS[name], seed=seed, epochs=1) for seed in (0, 0, 1)]
    first, again, other = map(trained, run)
    assert first == again
    assert first != other


# What is computed


def test_natural_training_is_stochastic_gradient_descent_by_hand(run_of, images, memory):
    run, data, checkpointing = run_of(drops=(2,)), images(), memory()
    network = run.training.train(run, data, checkpointing)

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

        logged = checkpointing.history[epoch]
        assert logged["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        assert logged["accuracy"] == pytest.approx(np.mean(hits), rel=1e-6)
        accuracy, loss = accuracy_and_loss(by_hand, data.x_test, data.y_test)
        assert logged["val_loss"] == pytest.approx(loss, rel=1e-5)
        assert logged["val_accuracy"] == pytest.approx(accuracy / 100, rel=1e-6)

    for ours, known in zip(network.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-5, atol=2e-6)
    assert checkpointing.history[-1]["accuracy"] > 0.5


def test_validation_looks_at_every_test_image_after_each_epoch(monkeypatch, run_of, images, memory):
    monkeypatch.setattr("ftnoise.training.loop.TEST_BATCH", 4)
    run, checkpointing, data = run_of(epochs=2), memory(), images()
    network = run.training.train(run, data, checkpointing)
    accuracy, loss = accuracy_and_loss(network, data.x_test, data.y_test)
    assert checkpointing.history[-1]["val_accuracy"] == pytest.approx(accuracy / 100, rel=1e-6)
    # A mean over images, also where the last batch is smaller.
    assert checkpointing.history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert checkpointing.history[0]["val_loss"] != checkpointing.history[1]["val_loss"]


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


@pytest.mark.parametrize("shape", [(36,), (2,), (6, 6)])
def test_only_images_are_augmented(shape, run_of, images, memory, trained):
    checkpointing = memory()
    run = run_of(MEMBERS["augmentation"], architecture=Linear(input_shape=shape))
    with pytest.raises(BadInput) as failure:
        trained(run, checkpointing, images(shape))
    assert str(failure.value) == (
        "Expected images of height, width and channels for the augmentation. "
        f"Received: shape={shape}."
    )
    assert checkpointing.positions == []


@pytest.mark.parametrize("logs", [False, True])
def test_a_diverging_training_names_the_epoch(logs, tmp_path, run_of, memory, trained):
    checkpointing = memory(log_dir=tmp_path if logs else None)
    run = run_of(architecture=Linear(), epochs=5, learning_rate=1e6)
    with pytest.raises(RunFailed, match="no longer finite in epoch 1:") as failure:
        trained(run, checkpointing)
    assert "\n" not in str(failure.value)
    assert checkpointing.kept is None


@dataclass(frozen=True, kw_only=True)
class Poison(Inputs):
    """Natural until the second epoch, then not a number."""

    def objective(self, network, x, y, seed):
        losses, logits = natural_objective(network, x, y, seed)
        return losses + tf.where(seed[1] >= STEPS + 3, float("nan"), 0.0), logits


def test_a_later_failure_leaves_the_last_good_checkpoint(run_of, memory, trained):
    checkpointing = memory()
    with pytest.raises(RunFailed, match="in epoch 2:"):
        trained(run_of(Training(inputs=Poison())), checkpointing)
    assert len(json.loads(checkpointing.kept[1])["history"]) == 1
    assert all(np.all(np.isfinite(array)) for array in checkpointing.kept[0].values())
