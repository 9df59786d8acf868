from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.training.gradients.dpsgd import Poisson, Shuffled

EXAMPLES, SIZE, STEPS = 200, 30, 600


def draw(sampler, step, key=5, multiple=1, size=SIZE, examples=EXAMPLES):
    order = tf.constant(np.random.default_rng(0).permutation(examples), tf.int32)
    updater = SimpleNamespace(
        batch_size=size,
        steps_per_epoch=-(-examples // size),
        batch_key=tf.constant(key, tf.int64),
        multiple=multiple,
    )
    return sampler.batch(order, tf.constant(step, tf.int64), updater)


@pytest.fixture(scope="module")
def drawn():
    """Which examples are in which batch, `[steps, examples]`."""
    inside = np.zeros((STEPS, EXAMPLES), bool)
    for step in range(STEPS):
        indices, present = draw(Poisson(), step)
        inside[step, indices.numpy()[present]] = True
    return inside


def is_binomial(counts, trials, probability):
    """Chi-square of counts against a binomial's mean and variance, within five sigma."""
    variance = trials * probability * (1 - probability)
    squares = np.sum((counts - trials * probability) ** 2 / variance)
    return abs(squares - counts.size) < 5 * np.sqrt(2 * counts.size)


def test_each_example_is_in_each_batch_with_the_same_probability(drawn):
    rate = SIZE / EXAMPLES
    assert is_binomial(drawn.sum(axis=0), STEPS, rate)
    assert not is_binomial(drawn.sum(axis=0), STEPS, rate * 2 / 3)
    assert not is_binomial(drawn.sum(axis=0), STEPS, rate * 3 / 2)


def test_the_probability_is_right_to_half_a_percent():
    examples, size, steps = 20_000, 3_000, 600
    total = sum(
        int(tf.math.count_nonzero(draw(Poisson(), step, size=size, examples=examples)[1]))
        for step in range(steps)
    )
    deviation = np.sqrt(steps * size * (1 - size / examples))
    assert deviation < 0.001 * steps * size
    assert abs(total - steps * size) < 5 * deviation


def test_the_size_of_a_batch_varies_as_that_of_independent_examples(drawn):
    assert is_binomial(drawn.sum(axis=1), EXAMPLES, SIZE / EXAMPLES)
    # Fixed batches have the mean, not the variance.
    assert not is_binomial(np.full(STEPS, SIZE), EXAMPLES, SIZE / EXAMPLES)


def test_examples_and_steps_are_independent(drawn):
    centered = drawn - drawn.mean()
    for axis in (0, 1):
        for gap in (1, 2, 7):
            rolled = np.roll(centered, gap, axis)
            correlation = np.mean(centered * rolled) / np.mean(centered**2)
            assert abs(correlation) < 5 / np.sqrt(drawn.size)


def test_what_is_drawn_is_a_function_of_key_and_step():
    one, other = draw(Poisson(), 3), draw(Poisson(), 3)
    assert np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0], draw(Poisson(), 4)[0])
    assert not np.array_equal(one[0], draw(Poisson(), 3, key=6)[0])


def test_an_empty_batch_has_one_example_that_does_not_count():
    sizes = []
    for step in range(300):
        indices, present = draw(Poisson(), step, size=1, examples=2**10)
        assert len(indices) == len(present) >= 1
        sizes.append(int(tf.math.count_nonzero(present)))
    assert sizes.count(0) == pytest.approx(300 * np.exp(-1), abs=5 * np.sqrt(300 * 0.25))


def test_padding_adds_nothing_that_counts():
    bare, _ = draw(Poisson(), 3)
    indices, present = draw(Poisson(), 3, multiple=32)
    assert len(indices) % 32 == 0
    assert np.array_equal(indices.numpy()[present], bare)


def test_a_batch_of_everything_is_everything():
    indices, present = draw(Poisson(), 3, size=EXAMPLES)
    assert np.array_equal(indices, np.arange(EXAMPLES))
    assert np.all(present)


def test_shuffled_batches_are_slices_of_the_order():
    drawn = [draw(Shuffled(), step) for step in range(7)]
    assert all(present is None for _, present in drawn)
    assert [len(indices) for indices, _ in drawn] == [30] * 6 + [20]
    assert sorted(np.concatenate([indices for indices, _ in drawn])) == list(range(EXAMPLES))
