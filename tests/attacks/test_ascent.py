from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ftnoise.attacks.ascent import L2Ball, LinfBall, input_gradient
from tests.samples import spread_is

SEED = (3, 4)
BALLS = pytest.mark.parametrize("ball", [LinfBall(), L2Ball()], ids=["linf", "l2"])
GENERATOR = np.random.default_rng(0)
DIRECTION = GENERATOR.normal(size=(5, 4, 2)).astype(np.float32)


def linear(x):
    """Grows along `DIRECTION`; its gradient is the same everywhere."""
    return tf.reduce_sum(x * DIRECTION, axis=[1, 2, 3])


def bowl(x):
    """A curved function with no two examples alike."""
    return tf.reduce_sum(tf.sin(7 * x) * DIRECTION, axis=[1, 2, 3])


def images(count=6, low=0.0, high=1.0):
    return tf.constant(GENERATOR.uniform(low, high, (count, 5, 4, 2)).astype(np.float32))


def climb(ball, objective, x, start, **arguments):
    return ball.ascend(objective, x, start, **{"seed": SEED} | arguments)


def lengths(x):
    return np.sqrt(np.sum(np.square(x, dtype=np.float64), axis=(1, 2, 3)))


def test_a_linear_function_is_highest_in_the_corner_of_the_box():
    x = images()
    found = climb(LinfBall(), linear, x, x, attack_epsilon=0.2, step_size=0.07, steps=4)
    corner = np.clip(x + 0.2 * np.sign(DIRECTION), 0, 1)
    np.testing.assert_allclose(found, corner, atol=1e-6)
    too_few = climb(LinfBall(), linear, x, x, attack_epsilon=0.2, step_size=0.07, steps=2)
    np.testing.assert_allclose(too_few, np.clip(x + 0.14 * np.sign(DIRECTION), 0, 1), atol=1e-6)


def test_a_linear_function_is_highest_where_its_gradient_leaves_the_ball():
    x = images(low=0.3, high=0.7)
    unit = DIRECTION / np.sqrt(np.sum(DIRECTION**2))
    arguments = {"attack_epsilon": 0.2, "step_size": 0.07, "seed": SEED}
    for steps, length in ((2, 0.14), (3, 0.2), (9, 0.2)):
        found = climb(L2Ball(), linear, x, x, steps=steps, **arguments)
        np.testing.assert_allclose(found, x + length * unit, atol=1e-6)


@BALLS
@settings(max_examples=30)
@given(
    epsilon=st.floats(0, 2),
    step_size=st.floats(0.001, 2),
    steps=st.integers(1, 3),
    offset=st.floats(-0.5, 0.5),
)
def test_the_result_is_in_the_ball_and_in_the_image_range(ball, epsilon, step_size, steps, offset):
    # Many pixels at 0 and at 1, and a start that may be outside of both.
    x = tf.constant(np.linspace(-1, 2, 80, dtype=np.float32).clip(0, 1).reshape(2, 5, 4, 2))
    found = climb(
        ball, bowl, x, x + offset, attack_epsilon=epsilon, step_size=step_size, steps=steps
    ).numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    difference = found.astype(np.float64) - x.numpy()
    size = lengths(difference) if isinstance(ball, L2Ball) else np.abs(difference)
    assert size.max() <= epsilon + 1e-6


@BALLS
def test_examples_do_not_influence_each_other(ball):
    x = images(low=0.2, high=0.8)
    arguments = {"attack_epsilon": 0.3, "step_size": 0.05, "steps": 4}
    together = climb(ball, bowl, x, x + 0.01, **arguments)
    summed = climb(ball, lambda x: tf.reduce_sum(bowl(x)), x, x + 0.01, **arguments)
    assert np.array_equal(together, summed)
    for n in range(len(x)):
        alone = climb(ball, bowl, x[n : n + 1], x[n : n + 1] + 0.01, **arguments)
        np.testing.assert_allclose(together[n : n + 1], alone, atol=1e-6)


def test_the_start_is_where_it_begins_neither_projected_nor_clipped():
    x = images(low=0.4, high=0.6)
    seen = []

    def objective(candidate):
        seen.append(candidate.numpy())
        return linear(candidate)

    for ball in (LinfBall(), L2Ball()):
        seen.clear()
        climb(ball, objective, x, x + 3, attack_epsilon=0.1, step_size=0.05, steps=2)
        np.testing.assert_allclose(seen[0], x + 3, atol=1e-6)
        assert len(seen) == 2
    assert np.array_equal(
        climb(LinfBall(), linear, x, x + 3, attack_epsilon=0.1, step_size=0.05, steps=0), x + 3
    )


def test_a_zero_gradient_takes_a_random_direction_in_l2_only():
    # Two-sided: a standard normal direction times the step, not of unit length, not another scale.
    x = tf.fill([40, 10, 10, 1], 0.5)
    flat = tf.function(lambda x: tf.reduce_sum(0 * x, axis=[1, 2, 3]))
    arguments = {"attack_epsilon": 100.0, "step_size": 0.01, "steps": 1}
    moved = (climb(L2Ball(), flat, x, x, **arguments) - x).numpy()
    assert abs(moved.mean()) < 5 * 0.01 / np.sqrt(moved.size)
    assert spread_is(moved, 0.01)
    assert not spread_is(moved, 0.01 * 2 / 3)
    assert not spread_is(moved, 0.01 * 3 / 2)
    other = climb(L2Ball(), flat, x, x, seed=(3, 5), **arguments) - x
    assert abs(np.corrcoef(moved.ravel(), np.ravel(other))[0, 1]) < 0.1
    assert np.array_equal(climb(LinfBall(), flat, x, x, **arguments), x)


def test_random_directions_differ_from_step_to_step():
    x = tf.fill([5, 10, 10, 1], 0.5)
    seen = []

    def flat(candidate):
        seen.append(candidate.numpy())
        return tf.reduce_sum(0 * candidate, axis=[1, 2, 3])

    climb(L2Ball(), flat, x, x, attack_epsilon=100.0, step_size=0.001, steps=3)
    first, second = seen[1] - seen[0], seen[2] - seen[1]
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2


@BALLS
def test_nothing_flows_back_through_the_result(ball):
    x, scale = images(), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = climb(
            ball,
            lambda x: scale * bowl(x),
            x,
            x + 0.01,
            attack_epsilon=0.1,
            step_size=0.05,
            steps=2,
        )
        loss = tf.reduce_sum(found)
    assert tape.gradient(loss, [x, scale]) == [None, None]


@BALLS
def test_a_graph_gives_what_eager_steps_give(ball):
    x = images()
    arguments = {"attack_epsilon": 0.1, "step_size": 0.03, "steps": 3}

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 4, 2])])
    def compiled(x):
        return climb(ball, bowl, x, x + 0.01, **arguments)

    eager = climb(ball, bowl, x, x + 0.01, **arguments)
    np.testing.assert_allclose(compiled(x), eager, atol=1e-6)


def test_input_gradient_is_of_the_inputs_alone():
    x = images()
    np.testing.assert_allclose(
        input_gradient(bowl, x), 7 * np.cos(7 * x) * DIRECTION, rtol=1e-4, atol=1e-5
    )
