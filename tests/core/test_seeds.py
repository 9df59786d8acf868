from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core import seeds

# Stored runs rest on these: a change here means that every run of the past is a different one.
GOLDEN = {
    (0, ("order",)): 5_231_958_647_509_549_229,
    (0, ("inputs",)): 4_323_607_761_959_219_714,
    (0, ("initialization",)): 5_431_634_947_355_624_840,
    (7, ("order",)): 5_699_829_741_021_045_618,
    (7, ("subset", "train", 2000)): 1_013_085_879_429_172_768,
}


@pytest.mark.parametrize(("arguments", "value"), GOLDEN.items(), ids=str)
def test_keys_never_change(arguments, value):
    seed, purpose = arguments
    assert seeds.key(seed, *purpose) == value


def test_keys_differ_by_seed_and_by_purpose_and_fit_in_63_bits():
    keys = {
        seeds.key(seed, *purpose)
        for seed in range(50)
        for purpose in (("order",), ("inputs",), ("order", 1), ("order", 2), ("1", "order"))
    }
    assert len(keys) == 250
    assert all(0 <= key < 2**63 for key in keys)
    assert max(keys) > 2**62


def test_at_step_is_the_pair_of_key_and_step_eagerly_and_in_a_graph():
    key = seeds.key(3, "inputs")
    eager = seeds.at_step(key, 2**40 + 5)
    assert eager.dtype == tf.int64
    assert eager.numpy().tolist() == [key, 2**40 + 5]

    in_graph = tf.function(lambda step: seeds.at_step(key, step))
    for step in (tf.constant(9), tf.constant(9, tf.int64)):
        assert in_graph(step).numpy().tolist() == [key, 9]


def test_draws_differ_between_steps_and_repeat_at_the_same_step():
    def draw(step):
        return tf.random.stateless_normal([100], seeds.at_step(seeds.key(0, "a"), step)).numpy()

    assert np.array_equal(draw(4), draw(4))
    assert np.abs(np.corrcoef(draw(4), draw(5))[0, 1]) < 0.5


def test_subset_is_sorted_without_repetition_and_the_same_each_time():
    chosen = seeds.subset(1000, 300, "train")
    assert len(chosen) == 300
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0
    assert chosen[-1] < 1000
    assert np.array_equal(chosen, seeds.subset(1000, 300, "train"))
    assert not np.array_equal(chosen, seeds.subset(1000, 300, "test"))
    assert np.array_equal(seeds.subset(12, 12, "train"), np.arange(12))


def test_subset_takes_every_example_equally_often():
    # Over many purposes each of 40 examples is in half of the subsets: 400 +- 14 (one sigma).
    counts = np.zeros(40)
    for purpose in range(800):
        counts[seeds.subset(40, 20, str(purpose))] += 1
    assert counts.sum() == 800 * 20
    assert np.abs(counts - 400).max() < 5.5 * np.sqrt(800 / 4)


def test_initialization_depends_on_the_seed_alone():
    def first_weights(seed, disturb):
        seeds.fix_initialization(seed)
        network = keras.Sequential([keras.layers.Dense(5, input_shape=(7,))])
        if disturb:
            np.random.default_rng().random()
            tf.random.normal([3])
        return network.layers[0].kernel.numpy()

    assert np.array_equal(first_weights(1, disturb=True), first_weights(1, disturb=False))
    assert not np.array_equal(first_weights(1, disturb=False), first_weights(2, disturb=False))
