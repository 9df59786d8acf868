"""The two lines of an activation: sound for every interval and every parameter."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ftnoise.verify.activations import Rectifier, Sigmoid, Softplus, Tanh

ACTIVATIONS = [Rectifier(), Rectifier(0.2), Rectifier(1.0), Softplus(), Tanh(), Sigmoid()]
each = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)


def off(activation, low, high, t) -> float:
    """By how much a line is on the wrong side somewhere, or 0."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    usual, lines = activation.relaxation(tf.constant(low), tf.constant(high))
    below, under, above, over = (np.asarray(v) for v in lines(usual if t is None else t))
    z = low + (high - low) * np.linspace(0, 1, 301)[:, None]
    values = activation(tf.constant(z)).numpy()
    return max((below * z + under - values).max(), (values - above * z - over).max(), 0.0)


@each
@pytest.mark.parametrize("t", [None, 0.0, 0.3, 1.0])
def test_lines_of_random_intervals(activation, t):
    generator = np.random.default_rng(0)
    centers = generator.normal(0, 3, 2000)
    widths = 10 ** generator.uniform(-9, 1.5, 2000)
    assert off(activation, centers - widths, centers + widths, t) < 1e-12


@each
@settings(max_examples=100)
@given(
    low=st.floats(-300, 300),
    width=st.floats(0, 300) | st.sampled_from([0.0, 1e-300, 1e-15]),
    t=st.floats(0, 1),
)
def test_lines_of_any_interval(activation, low, width, t):
    assert off(activation, [low], [low + width], t) < 1e-10


@pytest.mark.parametrize(
    "activation", [Tanh(), Sigmoid(), Softplus()], ids=lambda a: type(a).__name__
)
def test_lines_touch_the_function(activation):
    low, high = np.array([-3.0, -0.5, 0.5, -4.0]), np.array([-1.0, 1.5, 2.0, 0.1])
    usual, lines = activation.relaxation(tf.constant(low), tf.constant(high))
    below, under, above, over = (np.asarray(v) for v in lines(usual))
    z = low + (high - low) * np.linspace(0, 1, 5001)[:, None]
    values = activation(tf.constant(z)).numpy()
    np.testing.assert_allclose((values - below * z - under).min(0), 0, atol=1e-6)
    np.testing.assert_allclose((above * z + over - values).min(0), 0, atol=1e-6)


def test_the_chord_of_a_relu_is_closed_form():
    _, lines = Rectifier().relaxation(tf.constant([-1.0, 1.0, -2.0]), tf.constant([3.0, 2.0, 0.0]))
    below, under, above, over = (np.asarray(v) for v in lines(tf.constant([0.25, 0.25, 0.25])))
    np.testing.assert_allclose(above, [0.75, 1, 0])
    np.testing.assert_allclose(over, [0.75, 0, 0])
    np.testing.assert_allclose(below, [0.25, 1, 0])
    np.testing.assert_allclose(under, 0)


class Steep(Rectifier):
    """A ReLU whose line above is too low in the middle of the interval."""

    def relaxation(self, low, high):
        usual, lines = super().relaxation(low, high)

        def wrong(t):
            below, under, above, over = lines(t)
            return below, under, above, over / 2

        return usual, wrong


def test_a_planted_line_that_is_unsound_is_caught():
    assert off(Steep(), [-1.0], [1.0], None) > 0.1
