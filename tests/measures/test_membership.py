"""Membership attacks on networks whose leak is known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.measures.membership import Membership, by_threshold, features
from tests.attacks.small import data, noisy
from tests.measures.given import evaluate

CLASSES = 4


def measured(network, arrays):
    return evaluate(Membership(), network, **arrays).scalars


def data_of(count, seed=0):
    """Members have a first feature above zero, others below, whatever their label."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, CLASSES, 2 * count)
    x = generator.normal(size=(2 * count, 3)).astype(np.float32)
    x[:, 0] = np.repeat([1, -1], count)
    x[:, 1] = y
    return {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}


def leaking(share):
    """Logits that are surer of a member, for that share of them; noise otherwise."""

    def network(x, training):
        assert training is False
        x = tf.convert_to_tensor(x)
        truth = tf.one_hot(tf.cast(x[:, 1], tf.int32), CLASSES)
        known = (x[:, 0] > 0) & (tf.math.floormod(100 * tf.abs(x[:, 2]), 1.0) < share)
        sure = tf.where(known, 9.0, 1.0 + 0.1 * x[:, 2])
        return sure[:, None] * truth

    return network


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_known_leak_is_measured(share):
    found = measured(leaking(share), data_of(4000, seed=1))
    low, high = found["membership_advantage_low"], found["membership_advantage_high"]
    assert low <= 100 * share <= high
    assert low <= found["membership_advantage"] <= high
    assert high - low < 8
    # Two-sided: a leak of another size is not within it.
    if share:
        assert not low <= 100 * share * 2 / 3 <= high
        assert not low <= min(100 * share * 3 / 2, 150) <= high


def test_no_leak_is_found_where_there_is_none_as_often_as_stated():
    """The choice of the strongest of three attacks adds no bias."""
    missed = 0
    for seed in range(60):
        found = measured(leaking(0.0), data_of(200, seed))
        low, high = found["membership_advantage_low"], found["membership_advantage_high"]
        missed += not low <= 0 <= high
    assert missed <= 8


def test_the_regression_finds_what_thresholds_do_not():
    """Members are either very sure or not sure at all; others are in between."""

    def network(x, training):
        x = tf.convert_to_tensor(x)
        truth = tf.one_hot(tf.cast(x[:, 1], tf.int32), CLASSES)
        wrong = tf.roll(truth, 1, axis=1)
        # A member is wrong for sure as often as right for sure, so the loss tells little.
        right = x[:, 2] > 0
        logits = tf.where(right[:, None], 6.0 * truth, 6.0 * wrong)
        return tf.where((x[:, 0] > 0)[:, None], logits, 0.2 * logits)

    found = measured(network, data_of(2000))
    assert found["membership_by_entropy"] > 95
    assert found["membership_by_loss"] < 60
    assert found["membership_advantage"] > 95


def test_features_by_hand():
    logits = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]])
    found = features(lambda x, training: tf.constant(logits), np.zeros((2, 1)), np.array([0, 1]))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = p[[0, 1], [0, 1]]
    np.testing.assert_allclose(found[:, 0], -np.log(true))
    np.testing.assert_allclose(found[:, 1], -np.sum(p * np.log(p), axis=1))
    np.testing.assert_allclose(found[:, 2], np.log(true / (1 - true)))
    assert found[:, 3].tolist() == [1, 0]


def test_features_of_sure_networks_are_finite():
    logits = np.array([[800.0, 0.0, 0.0]])
    for label in (0, 1):
        found = features(
            lambda x, training: tf.constant(logits), np.zeros((1, 1)), np.array([label])
        )
        assert np.isfinite(found).all()


def test_the_best_threshold_does_not_part_equal_scores():
    scores = np.array([3.0, 1.0, 1.0, 1.0, 0.0])
    member = np.array([True, True, False, False, False])
    value, guesses = by_threshold(scores, member, np.array([0.5, 1.0, 2.0]))
    # At 3: half of the members, none of the others; at 1: all, and two thirds of the others.
    assert value == pytest.approx(50)
    assert guesses.tolist() == [False, False, False]


def test_a_network_that_draws_is_measured_the_same_again():
    network, (x, y) = noisy(), data(400)
    arrays = {"x_train": x[:200], "y_train": y[:200], "x_test": x[200:], "y_test": y[200:]}
    assert measured(network, arrays) == measured(network, arrays)


@pytest.mark.parametrize("examples", [0, 3, 2, 7, 10.0])
def test_a_number_of_examples_without_two_equal_halves(examples):
    with pytest.raises(BadInput, match="examples"):
        Membership(examples=examples)
