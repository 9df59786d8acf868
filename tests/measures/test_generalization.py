from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import logsumexp

from ftnoise.layers import prediction
from ftnoise.measures.generalization import Generalization, accuracy_and_loss
from tests.attacks.small import data, noisy
from tests.measures.given import evaluate


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.layers.Flatten(input_shape=(3, 2, 1)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(4),
        ]
    )


def examples(count, seed):
    generator = np.random.default_rng(seed)
    x = generator.random((count, 3, 2, 1), np.float32)
    return x, generator.integers(0, 4, count)


def expected(network, x, y):
    """Accuracy (percent) and loss in plain NumPy, from the weights."""
    gamma, beta, mean, variance, kernel, bias = network.get_weights()
    flat = x.reshape(len(x), -1).astype(np.float64)
    normal = (flat - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    logits = normal @ kernel + bias
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]
    return 100 * np.mean(logits.argmax(axis=1) == y), losses.mean()


@pytest.mark.parametrize("count", [1, 1000, 1001, 2345])
def test_accuracy_and_loss_are_numpys_for_any_number_of_examples(network, count):
    x, y = examples(count, seed=count)
    accuracy, loss = accuracy_and_loss(network, x, y)
    known_accuracy, known_loss = expected(network, x, y)
    assert accuracy == pytest.approx(known_accuracy, abs=1e-9)
    assert loss == pytest.approx(known_loss, rel=1e-5)


def test_the_size_of_the_batches_does_not_matter(network, monkeypatch):
    x, y = examples(50, seed=3)
    whole = accuracy_and_loss(network, x, y)
    monkeypatch.setattr(prediction, "BATCH", 7)
    assert accuracy_and_loss(network, x, y) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_labels_may_be_any_integers(network, kind):
    x, y = examples(20, seed=4)
    assert accuracy_and_loss(network, x, y.astype(kind)) == accuracy_and_loss(network, x, y)


def test_both_splits_and_their_difference(network):
    (x_train, y_train), (x_test, y_test) = examples(90, seed=5), examples(31, seed=6)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    scalars = evaluate(Generalization(), network, **arrays).scalars
    train_accuracy, train_loss = expected(network, x_train, y_train)
    test_accuracy, test_loss = expected(network, x_test, y_test)
    assert train_accuracy != test_accuracy
    assert scalars == pytest.approx(
        {
            "train_accuracy": train_accuracy,
            "test_accuracy": test_accuracy,
            "generalization_error": train_accuracy - test_accuracy,
            "train_loss": train_loss,
            "test_loss": test_loss,
        },
        rel=1e-5,
    )
    assert all(type(value) is float for value in scalars.values())


def test_a_network_that_draws_repeats_and_differs_in_another_draw():
    network, (x, y) = noisy(), data(300)
    first = accuracy_and_loss(network, x, y)
    assert accuracy_and_loss(network, x, y) == first
    assert accuracy_and_loss(network, x, y, draw=1) != first


def test_ties_and_sure_mistakes():
    network = keras.Sequential([keras.layers.Dense(2, input_shape=(1,))])
    network.set_weights([np.array([[0.0, 1000.0]], np.float32), np.zeros(2, np.float32)])
    x = np.array([[1.0], [-1.0]], np.float32)
    assert accuracy_and_loss(network, x, np.array([0, 1])) == (0.0, 1000.0)
    assert accuracy_and_loss(network, x, np.array([1, 0])) == (100.0, 0.0)
