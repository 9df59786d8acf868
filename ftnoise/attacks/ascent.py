"""Projected gradient ascent on a function of the inputs, inside an l_inf or l_2 ball.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks";
the l_2 form follows Zhang et al. (2019), "Theoretically Principled Trade-off between Robustness
and Accuracy". Steps are unrolled: a `tf.while_loop` is slower on CPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def linf_ascent(
    objective: Callable[[Any], Any],
    x: Any,
    start: Any,
    *,
    attack_epsilon: float,
    step_size: float,
    steps: int,
) -> Any:
    """Signed-gradient ascent in the l_inf ball around `x`, clipped to [0, 1].

    Args:
        objective: `[batch, ...] -> [batch]` or scalar; what is to grow. Its sum's gradient is
            taken, so examples do not influence each other.
        x: the centers, `[batch, ...]` in [0, 1].
        start: where to begin; neither projected nor clipped before the first step.
        attack_epsilon: radius, in units of the input.
        step_size: length of a step, in units of the input.
        steps: number of steps, >= 0.

    Returns:
        The last iterate, `[batch, ...]`, in the ball and in [0, 1] (if `steps` > 0).
    """
    # Both bounds in one, so that a step costs one clip.
    low = tf.maximum(x - attack_epsilon, 0.0)
    high = tf.minimum(x + attack_epsilon, 1.0)
    adversarial = start
    for _ in range(steps):
        gradient = input_gradient(objective, adversarial)
        adversarial = tf.clip_by_value(adversarial + step_size * tf.sign(gradient), low, high)
    return tf.stop_gradient(adversarial)


def l2_ascent(
    objective: Callable[[Any], Any],
    x: Any,
    start: Any,
    *,
    attack_epsilon: float,
    step_size: float,
    steps: int,
    seed: Any,
) -> Any:
    """Normalized-gradient ascent in the l_2 ball around `x`, clipped to [0, 1].

    Each step adds `step_size` times the gradient of unit l_2 norm per example (a random direction
    where the gradient is zero, drawn from `seed`), clips the image to [0, 1] and then shrinks the
    perturbation into the ball. Arguments and result are those of `linf_ascent`.
    """
    delta = start - x
    for step in range(steps):
        gradient = input_gradient(objective, x + delta)
        norms = _norms(gradient)
        noise = tf.random.stateless_normal(
            tf.shape(x), tf.random.experimental.stateless_fold_in(seed, step), dtype=x.dtype
        )
        direction = tf.where(norms > 0, tf.math.divide_no_nan(gradient, norms), noise)
        delta = tf.clip_by_value(x + delta + step_size * direction, 0.0, 1.0) - x
        delta *= tf.minimum(1.0, tf.math.divide_no_nan(attack_epsilon, _norms(delta)))
    return tf.stop_gradient(tf.clip_by_value(x + delta, 0.0, 1.0))


def input_gradient(objective: Callable[[Any], Any], x: Any) -> Any:
    """Gradient of the summed objective with respect to `x` alone, `[batch, ...]`."""
    x = tf.stop_gradient(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = objective(x)
    return tape.gradient(value, x)


def _norms(x: Any) -> Any:
    axes = list(range(1, x.shape.rank))
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=axes, keepdims=True))
