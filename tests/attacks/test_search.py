"""What all searches have in common: when they stop, what they return, what they refuse."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.deep_fool import DeepFool
from ftnoise.attacks.fgsm_search import FGSMSearch
from ftnoise.attacks.local_search import LocalSearch
from ftnoise.attacks.search import Search, until_wrong
from ftnoise.attacks.target import Compiled
from ftnoise.core.errors import BadInput
from ftnoise.layers.drawing import forward
from tests.attacks.small import (
    SEED,
    SHAPE,
    Around,
    data,
    network_of,
    noisy,
    predicted,
    trained,
    two_layers,
)

SEARCHES = [
    FGSMSearch(radii=100),
    DeepFool(),
    DeepFool(steps=100, overshoot=0.05, overshoot_steps=True),
    LocalSearch(),
    LocalSearch(lowest=True, rounds=20),
]
EACH = pytest.mark.parametrize("search", SEARCHES, ids=lambda search: repr(search)[:30])


def examples(count=40):
    x, y = data(count)
    return tf.constant(x), tf.constant(y, tf.int32)


@EACH
def test_what_is_found_is_wrong_and_what_is_not_found_is_as_it_was(search):
    network, (x, y) = trained(), examples()
    moved, found = search.search(network, x, y, SEED)
    assert moved.shape == x.shape
    assert moved.numpy().min() >= 0
    assert moved.numpy().max() <= 1
    assert np.array_equal(found, predicted(network, moved) != y)
    assert found.numpy().mean() > (0.2 if search == SEARCHES[-1] else 0.9)
    same = np.all(moved == x, axis=(1, 2, 3))
    # The first pass of these errs.
    wrong = predicted(network, x).numpy() != y.numpy()
    assert 0 < wrong.sum() < 10
    assert np.array_equal(same, wrong | ~found.numpy())


@pytest.mark.parametrize("search", SEARCHES[:3], ids=lambda search: repr(search)[:30])
def test_an_example_does_not_depend_on_those_beside_it(search):
    network, (x, y) = trained(), examples(12)
    together, _ = search.search(network, x, y, SEED)
    alone = [search.search(network, x[n : n + 1], y[n : n + 1], SEED)[0][0] for n in range(12)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@EACH
def test_a_network_that_draws_is_found_wrong_in_some_draw_and_repeats_with_the_seed(search):
    network, (x, y) = noisy(), examples()
    moved, found = search.search(network, x, y, SEED)
    again, also = search.search(network, x, y, SEED)
    assert np.array_equal(moved, again)
    assert np.array_equal(found, also)
    other, _ = search.search(network, x, y, SEED + 1)
    assert not np.array_equal(moved, other)
    # A fresh draw gets some of them right, which no search of a deterministic network allows.
    fresh = tf.argmax(forward(network, moved, [5, 6]), axis=1, output_type=tf.int32) == y
    assert fresh.numpy()[found.numpy()].any()


@EACH
def test_the_network_stays_as_it_is_and_is_in_inference_mode(search):
    layers = keras.layers
    network = network_of(layers.BatchNormalization(), layers.Dense(6, "relu"), layers.Dropout(0.5))
    before = [w.tobytes() for w in network.get_weights()]
    x, _ = examples(5)
    y = predicted(network, x)
    first, _ = search.search(network, x, y, SEED)
    assert np.array_equal(first, search.search(network, x, y, SEED)[0])
    assert [w.tobytes() for w in network.get_weights()] == before


@EACH
def test_where_every_first_pass_errs_there_is_nothing_to_search(search):
    network, (x, _) = trained(), examples(4)
    moved, found = search.search(network, x, (predicted(network, x) + 1) % 3, SEED)
    assert np.array_equal(moved, x)
    assert found.numpy().all()


@pytest.mark.parametrize("search", SEARCHES[:3], ids=lambda search: repr(search)[:30])
def test_gradients_that_are_no_number_find_nothing(search):
    network, (x, y) = trained(), examples(6)

    @tf.custom_gradient
    def astray(x):
        return tf.zeros([tf.shape(x)[0], 1]), lambda upstream: math.nan * x

    y = predicted(network, x)
    moved, found = search.search(Around(lambda x: network(x) + astray(x)), x, y, SEED)
    assert np.array_equal(moved, x)
    assert not found.numpy().any()


@EACH
def test_it_is_compiled_once_for_all_batches(search):
    network, traced = two_layers(), []

    def look(x):
        traced.append(x.shape)
        return network(x)

    target, (x, _) = Compiled(Around(look), SHAPE), examples(9)
    y = predicted(network, x)
    search.search(target, x, y, SEED)
    count = len(traced)
    search.search(target, x[:4], y[:4], SEED)
    assert len(traced) == count


@EACH
def test_what_cannot_be_searched_is_refused(search):
    x, y = examples(2)
    ends = keras.layers.Dense(3, activation="softmax")
    network = keras.Sequential([keras.layers.InputLayer(SHAPE), keras.layers.Flatten(), ends])
    with pytest.raises(BadInput, match="take the softmax off"):
        search.search(network, x, y, SEED)
    with pytest.raises(BadInput, match=r"Expected examples in \[0, 1\]"):
        search.search(trained(), 2 * x, y, SEED)


def test_rounds_end_for_each_example_when_it_is_wrong():
    seen = []

    def take(number, state):
        (last,) = state
        seen.append(last.numpy().tolist())
        return state, 10 * last + number, last == number

    results, found = until_wrong(
        take, (tf.constant([2, 0, 9, 2, 1]),), tf.constant([-1, -2, -3, -4, -5]), 4
    )
    assert results.numpy().tolist() == [22, 0, -3, 22, 11]
    assert found.numpy().tolist() == [True, True, False, True, True]
    assert seen == [[2, 0, 9, 2, 1], [2, 9, 2, 1], [2, 9, 2], [9]]


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (FGSMSearch, {"radii": 0}, "radii to be an integer >= 1. Received: radii=0"),
        (FGSMSearch, {"finer": 0}, "finer to be an integer >= 1"),
        (DeepFool, {"steps": 0}, "steps to be an integer >= 1"),
        (DeepFool, {"classes": 1}, "classes to be an integer >= 2. Received: classes=1"),
        (DeepFool, {"overshoot": -0.1}, "overshoot >= 0"),
        (LocalSearch, {"rounds": 0}, "rounds to be an integer >= 1"),
        (LocalSearch, {"pixels": 0}, "pixels to be an integer >= 1"),
        (LocalSearch, {"variants": 0}, "variants to be an integer >= 1"),
        (LocalSearch, {"half_side": 0}, "half_side to be an integer >= 1"),
        (LocalSearch, {"push": 0}, "push > 0"),
        (LocalSearch, {"change": 2.5}, "change in (0, 2]. Received: change=2.5"),
    ],
)
def test_bad_fields_are_named(kind, fields, message):
    with pytest.raises(BadInput) as failure:
        kind(**fields)
    assert message in str(failure.value)


def test_large_images_come_in_small_batches():
    assert FGSMSearch().at_a_time((28, 28, 1)) == 1000
    assert FGSMSearch().at_a_time((224, 224, 3)) == 13
    assert DeepFool().at_a_time((28, 28, 1)) == 1000
    assert DeepFool().at_a_time((224, 224, 3)) == 5
    assert DeepFool().at_a_time((9000, 9000)) == 1


def test_the_base_is_no_search():
    with pytest.raises(TypeError, match="abstract"):
        Search()
