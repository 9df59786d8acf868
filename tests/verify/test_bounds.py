"""No bound is tighter than the truth, on networks of every layer; and some are as tight as it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ftnoise.verify import program as programs
from ftnoise.verify.activations import Rectifier
from ftnoise.verify.crown import Boxes, Crown
from ftnoise.verify.verifier import Verifier
from tests.verify.networks import NETWORKS, in_double, logit_bounds, made, mlp, points, smallest

ROUNDING = 1e-9
OPTIMIZED = ("dense", "images", "residual")
each = pytest.mark.parametrize("name", NETWORKS)


def truth(network: Any, x: Any, radius: float) -> np.ndarray:
    """The smallest differences of two logits that a search finds, `[batch, classes^2]`."""
    double, program = in_double(network), programs.program(network)

    def values(z: Any) -> Any:
        outputs = double(z)
        if program.ending == "softmax":
            outputs = tf.math.log(outputs)
            return outputs[:, :, None] - outputs[:, None]
        if program.ending == "sigmoid":
            two = tf.concat([tf.zeros_like(outputs), tf.math.log(outputs / (1 - outputs))], 1)
            return two[:, :, None] - two[:, None]
        return outputs[:, :, None] - outputs[:, None]

    def flat(z: Any) -> Any:
        found = values(z)
        return tf.reshape(found, [-1, found.shape[1] * found.shape[2]])

    center = x.astype(np.float64)
    return smallest(flat, center - radius, center + radius, steps=12, restarts=6)


def bounded(network: Any, x: Any, radius: float, steps: int = 12) -> dict[str, np.ndarray]:
    """Lower bounds on all differences of two logits by each method, `[batch, classes^2]`."""
    crown = Crown(programs.program(network))
    center = x.astype(np.float64)
    boxes = Boxes(tf.constant(center), tf.constant(np.full_like(center, radius)))
    classes = crown.program.classes
    identity = np.eye(classes)
    rows = (identity[:, None] - identity[None]).reshape(-1, classes)
    of, rows = np.repeat(np.arange(len(x)), len(rows)), np.tile(rows, (len(x), 1))
    found = {}
    for name, refine in (("intervals", False), ("CROWN", True)):
        intervals, low, high = crown.intervals(boxes, refine)
        found[name] = crown.combinations(of, rows, boxes, intervals)[0].numpy()
        if not refine:
            by_class = low[:, :, None] - high[:, None]
            found["interval arithmetic"] = np.where(np.eye(classes), 0, by_class).ravel()
    if steps:
        found["optimized"] = optimized(crown, of, rows, boxes, intervals, steps)
    return {name: bounds.reshape(len(x), -1) for name, bounds in found.items()}


def optimized(crown: Crown, of: Any, rows: Any, boxes: Boxes, intervals: Any, steps: int) -> Any:
    """Bounds with optimized slopes, `[n]`."""
    box = boxes[of]
    ends = [[tf.gather(end, of) for end in side] for side in (intervals.lows, intervals.highs)]
    signs = [tf.zeros_like(end) for end in ends[0]]
    args = tf.constant(rows), box.center, box.radius, *ends, signs, tf.constant(steps)
    return crown.optimized(*args)[0].numpy()


def check(network: Any, x: Any, radius: float, steps: int = 12) -> dict[str, np.ndarray]:
    """That no lower bound is above what a search finds."""
    real, found = truth(network, x, radius), bounded(network, x, radius, steps)
    for name, bounds in found.items():
        assert np.all(bounds <= real + ROUNDING), (name, (bounds - real).max())
    return found


@each
def test_no_lower_bound_is_above_the_smallest_difference_found(name):
    network = made(name)
    x = points(network, 2)
    # Slopes of all networks are optimized in the slow test, as their compilation takes seconds.
    found = check(network, x, 0.1, steps=12 if name in OPTIMIZED else 0)
    # Each method is worth its cost.
    if name in OPTIMIZED:
        assert found["optimized"].sum() >= found["CROWN"].sum()
    assert found["CROWN"].sum() >= found["intervals"].sum() - ROUNDING


@pytest.mark.slow
@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    seed=st.integers(0, 10**6),
    radius=st.sampled_from([0.0, 1e-6, 0.01, 0.1, 0.5, 3.0]),
    scale=st.sampled_from([0.3, 1.0, 3.0]),
)
def test_no_lower_bound_is_tighter_than_the_truth(name, seed, radius, scale):
    network = made(name, seed, scale)
    check(network, points(network, 2, seed), radius)


@pytest.mark.parametrize("name", ["dense", "images"])
def test_bounds_of_a_point_are_its_logits(name):
    network = made(name)
    x = points(network)
    verifier = Verifier(network)
    logits = verifier.program.forward(tf.constant(x, tf.float64))[0]
    for crown in (False, True):
        for bound in logit_bounds(verifier, x, 0.0, crown=crown):
            np.testing.assert_allclose(bound, logits, atol=1e-9)


def test_logit_bounds_hold_the_logits_of_the_ball_and_are_wider_by_intervals():
    network = mlp(8, 8, seed=2)
    x, radius = points(network), 0.1
    verifier = Verifier(network)
    low, high = logit_bounds(verifier, x, radius)
    wide = logit_bounds(verifier, x, radius, crown=False)
    double = in_double(network)
    center = x.astype(float)
    least = smallest(double, center - radius, center + radius)
    most = -smallest(lambda z: -double(z), center - radius, center + radius)
    assert np.all(low <= least + ROUNDING)
    assert np.all(high >= most - ROUNDING)
    assert np.mean(high - low) < np.mean(wide[1] - wide[0])
    # Not far off, either.
    assert np.mean(high - low) < 1.5 * np.mean(most - least)


@pytest.mark.parametrize("name", ["dense", "binary"])
def test_variation_bounds_hold_the_largest_change_of_a_probability(name):
    network = made(name)
    x, radius = points(network), 0.05
    verifier = Verifier(network)
    low, high = verifier.probability_bounds(x, radius)
    center = x.astype(float)

    def softmax(z: Any) -> Any:
        return tf.nn.softmax(verifier.program.forward(z)[0])

    least = smallest(softmax, center - radius, center + radius)
    most = -smallest(lambda z: -softmax(z), center - radius, center + radius)
    assert np.all(low <= least + ROUNDING)
    assert np.all(high >= most - ROUNDING)
    now = softmax(tf.constant(center)).numpy()
    real, bound = np.maximum(most - now, now - least).max(1), verifier.variation_bounds(x, radius)
    assert np.all(bound >= real - ROUNDING)
    assert np.all(bound < 3 * real + 0.01)
    np.testing.assert_allclose(verifier.variation_bounds(x, 0.0), 0, atol=1e-9)


def test_bounds_of_a_linear_network_are_exact():
    network = mlp(seed=1)
    weights, bias = (value.astype(float) for value in network.get_weights())
    x, radius = points(network), 0.3
    low, high = logit_bounds(Verifier(network), x, radius)
    logits, reach = x.astype(float) @ weights + bias, radius * np.abs(weights).sum(0)
    np.testing.assert_allclose(low, logits - reach, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(high, logits + reach, rtol=1e-12, atol=1e-12)


def planted_slope(monkeypatch: Any) -> None:
    usual = Rectifier.relaxation

    def relaxation(self, low, high):
        start, lines = usual(self, low, high)
        return start, lambda t: (*lines(t)[:2], 0.8 * lines(t)[2], lines(t)[3])

    monkeypatch.setattr(Rectifier, "relaxation", relaxation)


def planted_mean(monkeypatch: Any) -> None:
    def pooling(self, step):
        from keras import layers as kl

        layer = step.layer
        mean = kl.AveragePooling2D(layer.pool_size, layer.strides, layer.padding, dtype="float64")
        call = self._call(step, mean)
        self._affine(step.inputs, step.outputs[0], call, call)

    monkeypatch.setattr(programs._Builder, "_max_pooling", pooling)


def planted_transposed_kernel(monkeypatch: Any) -> None:
    usual = programs._Builder._twins

    def twins(self, step):
        twin, absolute = usual(self, step)
        for kernel in twin.weights:
            if kernel.shape.rank == 2 and kernel.shape[0] == kernel.shape[1]:
                kernel.assign(tf.transpose(kernel))
        return twin, absolute

    monkeypatch.setattr(programs._Builder, "_twins", twins)


def planted_shorter_product(monkeypatch: Any) -> None:
    usual = programs.Affine.pull
    monkeypatch.setattr(
        programs.Affine, "pull", lambda self, rows: [0.9 * a for a in usual(self, rows)]
    )


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (planted_slope, "dense"),
        (planted_mean, "images"),
        (planted_transposed_kernel, "nested"),
        (planted_shorter_product, "residual"),
    ],
)
def test_a_planted_mistake_is_caught(plant, name, monkeypatch):
    network = made(name)
    x = points(network, 2)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(network, x, 0.3, steps=0)
