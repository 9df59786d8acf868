from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.core.schedule import Schedule
from ftnoise.training.gradients.plain import Adam, Plain, PlainUpdater, learning_rate
from tests.members import RUN

STEPS = 7


def optimizer_of(schedule, steps_per_epoch):
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    return PlainUpdater(network, schedule, steps_per_epoch).optimizer


def rate_at(optimizer, step):
    """The learning rate of update number `step`, counted from 0."""
    optimizer.iterations.assign(step)
    return float(optimizer._decayed_lr(tf.float32))


def test_the_rate_falls_at_the_start_of_the_epochs_of_the_schedule():
    schedule = Schedule(
        epochs=100, batch_size=128, learning_rate=0.01, momentum=0.9, drops=(55, 75, 90)
    )
    optimizer = optimizer_of(schedule, STEPS)
    assert rate_at(optimizer, 0) == pytest.approx(0.01, rel=1e-6)
    for n, drop in enumerate(schedule.drops):
        first = (drop - 1) * STEPS
        assert rate_at(optimizer, first - 1) == pytest.approx(0.01 * 0.1**n, rel=1e-6)
        assert rate_at(optimizer, first) == pytest.approx(0.01 * 0.1 ** (n + 1), rel=1e-6)
    assert rate_at(optimizer, 100 * STEPS) == pytest.approx(1e-5, rel=1e-6)


def test_a_drop_in_the_first_epoch_counts_from_the_first_step():
    schedule = Schedule(epochs=3, batch_size=8, learning_rate=1.0, drops=(1, 2), drop_factor=0.5)
    optimizer = optimizer_of(schedule, 1)
    assert [rate_at(optimizer, step) for step in range(3)] == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("drops", [(), (2,)])
def test_the_rate_is_a_schedule_which_is_what_tensorboard_writes(drops):
    schedule = Schedule(epochs=3, batch_size=8, learning_rate=0.3, drops=drops)
    rate = learning_rate(schedule, STEPS)
    assert isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    assert float(rate(0)) == pytest.approx(0.3, rel=1e-6)
    assert float(rate(2 * STEPS)) == pytest.approx(0.03 if drops else 0.3, rel=1e-6)


def test_batches_are_slices_of_the_order_and_the_last_is_shorter(run_of):
    order = tf.Variable(np.random.default_rng(0).permutation(23).astype(np.int32))
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    updater = Plain().start(network, run_of(batch_size=5), 23, xla=False)
    batch = tf.function(lambda step: updater.batch(order, step)[0])
    # The second epoch's steps count on.
    batches = [batch(tf.constant(step, tf.int64)).numpy() for step in range(5, 10)]
    assert [len(indices) for indices in batches] == [5, 5, 5, 5, 3]
    assert np.array_equal(np.concatenate(batches), order)


def test_updates_are_those_of_momentum_on_the_mean_loss_and_the_penalty():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    schedule = Schedule(
        epochs=1, batch_size=6, learning_rate=0.1, momentum=0.8, drops=(1,), drop_factor=0.5
    )
    updater = PlainUpdater(network, schedule, 5)
    generator = np.random.default_rng(0)
    kernel, bias = (w.astype(np.float64) for w in network.get_weights())
    speeds = [np.zeros_like(kernel), np.zeros_like(bias)]

    for _ in range(4):
        x, target = generator.normal(size=(6, 4)), generator.normal(size=(6, 3))

        def objective(x=x, target=target):
            logits = network(tf.cast(x, tf.float32))
            return tf.reduce_sum((logits - tf.cast(target, tf.float32)) ** 2, axis=1), logits

        def penalty():
            return 0.3 * tf.reduce_sum(network.layers[0].kernel ** 2)

        loss, logits, gradients = updater.update(objective, penalty, None)
        error = x @ kernel + bias - target
        known = np.mean(np.sum(error**2, axis=1)) + 0.3 * np.sum(kernel**2)
        assert loss.shape == ()
        assert float(loss) == pytest.approx(known, rel=1e-5)
        np.testing.assert_allclose(logits, error + target, rtol=1e-4, atol=1e-5)

        slopes = [2 * x.T @ error / 6 + 0.6 * kernel, 2 * error.mean(axis=0)]
        for found, known in zip(gradients, slopes, strict=True):
            np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-5)
        speeds = [0.8 * speed - 0.05 * slope for speed, slope in zip(speeds, slopes, strict=True)]
        kernel, bias = kernel + speeds[0], bias + speeds[1]
        for weight, expected in zip(network.get_weights(), (kernel, bias), strict=True):
            np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_what_is_not_trainable_stays():
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,)), keras.layers.Dense(2)])
    network.layers[0].trainable = False
    frozen, free = (layer.kernel.numpy() for layer in network.layers)
    schedule = Schedule(epochs=1, batch_size=6, learning_rate=0.1)

    def objective():
        logits = network(tf.ones([6, 4]))
        return tf.reduce_sum(logits**2, axis=1), logits

    PlainUpdater(network, schedule, 5).update(objective, None, None)
    assert np.array_equal(network.layers[0].kernel, frozen)
    assert not np.array_equal(network.layers[1].kernel, free)


def test_steps_of_adam_are_those_of_the_paper():
    schedule = dataclasses.replace(RUN.schedule, momentum=0.0, drops=(), learning_rate=0.1)
    run = dataclasses.replace(RUN, schedule=schedule)
    layer = keras.layers.Dense(1, use_bias=False)
    network = keras.Sequential([keras.layers.InputLayer((2,)), layer])
    adam = Adam(beta_1=0.8, beta_2=0.9, floor=1e-3)
    updater = adam.start(network, run, 4, xla=False)
    weights = layer.get_weights()[0].astype(np.float64)
    mean = square = np.zeros((2, 1))
    gradient = np.array([[1.0], [-3.0]])

    def objective():
        scaled = tf.reduce_sum(layer.kernel * tf.constant(gradient, tf.float32))
        return scaled[None], tf.zeros([1, 1])

    for step in range(1, 4):
        updater.update(objective, None, None)
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.9 * square + 0.1 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.9**step) / (1 - 0.8**step)
        weights = weights - rate * mean / (np.sqrt(square) + 1e-3)
        np.testing.assert_allclose(layer.get_weights()[0], weights, rtol=1e-5)


def test_adam_has_a_momentum_of_its_own():
    network = keras.Sequential([keras.layers.InputLayer((2,)), keras.layers.Dense(1)])
    with pytest.raises(BadInput, match="Expected momentum 0 with Adam"):
        Adam().start(network, RUN, 4, xla=False)


@pytest.mark.parametrize("wrong", [{"beta_1": 1}, {"beta_2": -0.1}, {"floor": 0}])
def test_what_adam_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        Adam(**wrong)
