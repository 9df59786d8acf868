"""Which networks DP-SGD refuses: by their layers, and by a trial of a few examples."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.architectures import FmnistCNN1, FmnistDNN
from ftnoise.core.errors import BadInput
from ftnoise.training.gradients import checks
from ftnoise.training.gradients.checks import check
from ftnoise.training.gradients.recording import RecordingTape
from tests.training.gradients.test_clipping import NETWORKS, sequential


class Unknown(layers.Layer):
    """A trainable layer of somebody's own."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=shape[-1:])

    def call(self, inputs):
        return inputs * self.scale


class Own(layers.Dense):
    """A subclass may do anything with what it inherits."""


def shared():
    x, twice = keras.Input((4,)), layers.Dense(4, name="twice")
    return keras.Model(x, layers.Dense(2)(twice(twice(x))))


def sharing_a_kernel():
    x, one, other = keras.Input((4,)), layers.Dense(4, name="one"), layers.Dense(4, name="other")
    network = keras.Model(x, other(one(x)))
    other.kernel = one.kernel
    other._trainable_weights[0] = one.kernel
    return network


def with_a_loss():
    dense = layers.Dense(3, kernel_regularizer="l2")
    return keras.Sequential([layers.InputLayer((4,)), dense])


def mixing():
    return sequential((4,), layers.Lambda(lambda x: x - tf.reduce_mean(x, axis=0)))


class Statistics(layers.Layer):
    """Keeps a running mean of what it sees, as normalization layers do."""

    def build(self, shape):
        self.seen = self.add_weight("seen", shape[-1:], initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.seen.assign_add(tf.reduce_mean(inputs, axis=0))
        return inputs - self.seen


class Training(layers.Layer):
    """Does something with a batch in training only."""

    def __init__(self, does, **kwargs):
        super().__init__(**kwargs)
        self.does = does

    def call(self, inputs, training=False):
        return self.does(inputs) if training else inputs


class Tally(layers.Layer):
    """Adds what `count` gives for a batch to an integer, tracked by Keras or not."""

    def __init__(self, count, tracked=True, read=False, dtype=tf.int64, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        variable = tf.Variable(tf.zeros([], dtype), trainable=False, name="tally")
        if tracked:
            self.seen = variable
        else:
            # Neither a list nor a dictionary of its own would be out of Keras' sight.
            self.seen = lambda: variable
        self.tracked = tracked

    def call(self, inputs, training=False):
        seen = self.seen if self.tracked else self.seen()
        if training:
            seen.assign_add(tf.cast(self.count(inputs), seen.dtype))
        return inputs


def positive(x):
    return tf.math.count_nonzero(x > 0)


def size(x):
    return tf.shape(x)[0]


def with_dropout(*before, shape=(4,)):
    """Layers, and then one that draws, between two that are trained."""
    return sequential(shape, *before, layers.Dense(6), layers.Dropout(0.5))


def inside(layer):
    """A layer between two that are trained, beside one that draws."""
    return sequential((4,), layers.Dense(6), layers.Dropout(0.5), layer)


def roll(count):
    return lambda x: (x + tf.roll(x, count, axis=0)) / 2


def mean(x):
    return x - tf.reduce_mean(x, axis=0, keepdims=True)


class Subclassed(keras.Model):
    """Has no graph of layers."""


def two_inputs():
    ends = [keras.Input((3,)), keras.Input((3,))]
    return keras.Model(ends, layers.Dense(2)(layers.Add()(ends)))


def complain(x):
    if tf.executing_eagerly():
        raise ValueError("no such thing\nat all")
    return x


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sequential((4,), layers.BatchNormalization(name="bn")), ["bn", "GroupNorm"]),
        (
            lambda: sequential((4,), layers.BatchNormalization(name="bn", trainable=False)),
            ["bn", "mixes the examples"],
        ),
        (lambda: sequential((4,), Unknown(name="mine")), ["mine (Unknown)", "none of", "Dense"]),
        (lambda: sequential((4,), Own(3, name="own")), ["own (Own)", "none of"]),
        (lambda: sequential((4, 2), layers.LSTM(3, name="lstm")), ["LSTMCell", "none of"]),
        (lambda: sequential((4, 2), layers.Conv1D(3, 2, name="row")), ["row (Conv1D)", "none of"]),
        (
            lambda: sequential((3,), layers.Embedding(6, 4, name="words")),
            ["words (Embedding)", "none of"],
        ),
        (
            lambda: keras.Sequential(
                [layers.InputLayer((4,), dtype="int32"), layers.Rescaling(0.1), layers.Dense(2)]
            ),
            ["floating-point inputs", "int32"],
        ),
        (shared, ["twice, called 2 times", "a layer of its own"]),
        (sharing_a_kernel, ["belong to one layer", "one/kernel:0, which belongs to 2"]),
        (
            lambda: sequential((4, 2), layers.TimeDistributed(layers.Dense(3, name="each"))),
            ["each", "positions as examples"],
        ),
        (with_a_loss, ["losses of its own", "Training(penalty=...)"]),
        (
            lambda: sequential((4, 4, 4), layers.Conv2D(4, 2, groups=2, name="split")),
            ["split", "2 groups", "groups=1"],
        ),
        (
            lambda: sequential((4,), layers.Dense(2, dtype="float16", name="half")),
            ["half", "float16", "use float32"],
        ),
        (mixing, ["by itself", "differ by"]),
        (lambda: sequential((4,), layers.Softmax(axis=0)), ["by itself", "look at the whole"]),
        (
            lambda: sequential(
                (4,), layers.BatchNormalization(name="sync", synchronized=True, center=False)
            ),
            ["sync", "mixes the examples"],
        ),
        (lambda: sequential((4,), Statistics(name="mean")), ["mean/seen", "keep no statistics"]),
        (two_inputs, ["one input and one output", "2 inputs, 1 outputs"]),
        (lambda: Subclassed(name="mine"), ["mine", "Sequential or functional", "0 inputs"]),
        (lambda: keras.Sequential([layers.InputLayer((4,))]), ["trainable weights"]),
        (lambda: sequential((4,), layers.Lambda(complain, name="bad")), ["no such thing"]),
        (
            lambda: keras.Sequential(
                [layers.InputLayer((None, 3)), layers.Dense(2), layers.GlobalMaxPool1D()]
            ),
            ["fixed size", "(None, None, 3)"],
        ),
    ],
)
def test_what_cannot_be_clipped_right_is_refused_by_name(make, words):
    with pytest.raises(BadInput) as failure:
        check(make())
    for word in words:
        assert word in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("place", [with_dropout, inside])
@pytest.mark.parametrize(
    "mix",
    [
        mean,
        roll(1),
        lambda x: x + tf.stop_gradient(x - x) + 1e-4 * tf.reduce_sum(x, axis=0),
        lambda x: tf.reverse(x, [0]),
        lambda x: tf.nn.softmax(x, axis=0),
    ],
)
def test_mixing_in_training_is_caught_beside_a_layer_that_draws(place, mix):
    with pytest.raises(BadInput, match=r"itself in training.*of one example that depends on"):
        check(place(Training(mix)))


# 2520 is a multiple of 5 and 7, 3960 of 5 and 11, 5544 of 7 and 11: each hides in two of the sizes
# that are tried. 2520 also hides in all others up to 10.
@pytest.mark.parametrize("count", [1, 250, 2520, 3960, 5544])
@pytest.mark.parametrize("wrap", [layers.Lambda, Training])
def test_no_shift_of_a_batch_hides_that_it_mixes(wrap, count):
    for place in (with_dropout, lambda layer: sequential((4,), layer)):
        with pytest.raises(BadInput, match="by itself"):
            check(place(wrap(roll(count))))


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("count", [positive, size])
@pytest.mark.parametrize("dtype", [tf.int64, tf.int32, tf.float32])
@pytest.mark.parametrize("place", [with_dropout, lambda layer: sequential((4,), layer)])
def test_variables_that_accumulate_examples_are_refused(place, dtype, count, tracked):
    layer = Tally(count, tracked, dtype=dtype)
    with pytest.raises(BadInput, match=r"keep no statistics of the examples.*tally:0, which"):
        check(place(layer))
    variable = layer.seen if tracked else layer.seen()
    assert variable.numpy() == 0


def test_variables_that_count_passes_are_not_refused_and_are_put_back():
    layer = Tally(lambda x: 1)
    network = sequential((4,), layer)
    assert check(network) is False
    assert layer.seen.numpy() == 0
    flip = layers.RandomFlip()
    network = sequential((4, 4, 1), flip)
    state = flip._random_generator._generator.state
    before = state.numpy()
    assert check(network) is True
    assert np.array_equal(state, before)


@pytest.mark.parametrize("length", [1, 2, 8])
@pytest.mark.parametrize("words", [2, 100])
def test_a_frozen_embedding_of_short_sequences_is_not_refused(length, words):
    for pool in (layers.GlobalAveragePooling1D(), layers.Flatten()):
        network = keras.Sequential(
            [
                layers.InputLayer((length,)),
                layers.Embedding(words, 4, mask_zero=True, trainable=False),
                pool,
                layers.Dense(5, activation="relu"),
                layers.Dense(2),
            ]
        )
        assert check(network) is False


def test_an_embedding_hides_no_mixing():
    network = keras.Sequential(
        [
            layers.InputLayer((3,)),
            layers.Embedding(9, 4, mask_zero=True, trainable=False),
            layers.Lambda(mean),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    with pytest.raises(BadInput, match="by itself"):
        check(network)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_can_be_clipped_is_left_as_it_was(name):
    network = NETWORKS[name]()
    before = network.get_weights()
    assert check(network) is False
    assert all(map(np.array_equal, before, network.get_weights()))


def test_the_papers_networks_can_be_clipped():
    assert not any(check(architecture.build()) for architecture in (FmnistDNN(), FmnistCNN1()))


def test_a_network_that_is_random_in_training_is_told_apart():
    assert check(sequential((4,), layers.Dense(5), layers.Dropout(0.5))) is True


@pytest.mark.parametrize("rate", [1e-3, 0.02])
def test_a_layer_that_seldom_shows_that_it_is_random_is_known_by_its_generator(rate):
    for _ in range(5):
        assert check(sequential((4,), layers.Dense(10), layers.Dropout(rate))) is True
    assert check(sequential((4, 4, 1), layers.RandomFlip())) is True


def test_statistics_are_put_back():
    network = sequential((4,), Statistics())
    with pytest.raises(BadInput):
        check(network)
    assert not network.non_trainable_weights[0].numpy().any()


def test_the_trial_catches_a_rule_that_is_wrong(monkeypatch):
    right = checks.clipped_sum

    def wrong(*args):
        sums, refused = right(*args)
        return [1.01 * total for total in sums], refused

    monkeypatch.setattr(checks, "clipped_sum", wrong)
    with pytest.raises(BadInput, match="by itself"):
        check(sequential((4,)))


def test_a_tape_refuses_unknown_layers_without_a_trial():
    with pytest.raises(BadInput, match="bn"):
        RecordingTape(sequential((4,), layers.BatchNormalization(name="bn")))
