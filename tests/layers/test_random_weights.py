"""Layers that draw their weights: keyed, of the right distribution, and themselves in the mean."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.architectures import Cifar10CNN, FmnistCNN1, FmnistCNN2, MnistMLP
from ftnoise.core.errors import BadInput
from ftnoise.faults.injection import injected
from ftnoise.faults.where import Parameters, Weights
from ftnoise.layers import convolution
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.layers.drawing import StochasticLayer, forward, is_stochastic, mean, standard_normals
from ftnoise.layers.random_weights import (
    DROP_CONNECT,
    GAUSSIAN,
    gaussian_layers,
    with_random_weights,
)
from tests.samples import spread_is

OPTIONS = {
    "drop": (DROP_CONNECT, {"rate": 0.2}),
    "normal": (GAUSSIAN, {"start": 0.5, "learnable": True}),
}
each_kind = pytest.mark.parametrize("kind", OPTIONS)


def images(shape, count=3):
    return tf.constant(np.random.default_rng(0).random((count, *shape), np.float32))


def noisy(network, kind, **more):
    kinds, options = OPTIONS[kind]
    return with_random_weights(network, kinds, **options, **more)


def small(*, inner=False):
    """A convolution of images, a usual one and a dense layer before the output."""
    keras.utils.set_random_seed(0)
    body = [ImageConv2D(4, 3, activation="relu"), layers.Conv2D(5, 2, use_bias=False)]
    if inner:
        body = [keras.Sequential([layers.InputLayer((7, 6, 1)), *body], name="inner")]
    head = [layers.Flatten(), layers.Dense(6, activation="tanh", name="own"), layers.Dense(3)]
    return keras.Sequential([layers.InputLayer((7, 6, 1)), *body, *head], name="small")


def draws_at_test_time(network, x):
    """Whether an inference pass draws: two differ, those of one key agree."""
    one, again, other = (forward(network, x, [1, key]).numpy() for key in (2, 2, 3))
    np.testing.assert_array_equal(one, again)
    return bool((one != other).any() and (network(x).numpy() != network(x).numpy()).any())


@each_kind
@pytest.mark.parametrize(
    "architecture",
    [MnistMLP(), FmnistCNN1(), FmnistCNN2(), Cifar10CNN()],
    ids=lambda architecture: architecture.slug,
)
def test_every_architecture_draws_and_is_itself_in_the_mean(architecture, kind):
    plain = architecture.build()
    network, x = noisy(plain, kind), images(architecture.input_shape)
    assert is_stochastic(network)
    assert not is_stochastic(plain)
    for new, old in zip(network.layers, plain.layers, strict=True):
        assert new.name == old.name
        assert isinstance(new, type(old))
        assert isinstance(new, StochasticLayer) == bool(old.weights)
    assert draws_at_test_time(network, x)
    with mean():
        np.testing.assert_array_equal(network(x), plain(x))
        np.testing.assert_array_equal(forward(network, x, [1, 2]), plain(x))


@each_kind
def test_noise_that_is_off_at_test_time_is_caught(kind, monkeypatch):
    network, x = noisy(small(), kind), images((7, 6, 1))
    assert draws_at_test_time(network, x)
    # As in Keras' dropout, where inference has no noise.
    monkeypatch.setattr(StochasticLayer, "is_mean", True)
    assert not draws_at_test_time(network, x)


@each_kind
def test_it_is_found_inside_a_model_and_stored_by_keras(kind, tmp_path):
    plain = small(inner=True)
    network, x = noisy(plain, kind, output_layer=False), images((7, 6, 1))
    kinds = [type(layer).__name__ for layer in network.layers[0].layers]
    prefix = {"drop": "DropConnect", "normal": "Gaussian"}[kind]
    assert kinds == [f"{prefix}ImageConv2D", f"{prefix}Conv2D"]
    assert type(network.layers[-1]) is layers.Dense
    with mean():
        np.testing.assert_array_equal(network(x), plain(x))
    network.save(tmp_path / "own.keras")
    stored = keras.models.load_model(tmp_path / "own.keras", compile=False)
    assert [weight.shape for weight in stored.weights] == [w.shape for w in network.weights]
    np.testing.assert_array_equal(forward(stored, x, [1, 2]), forward(network, x, [1, 2]))


@each_kind
def test_another_name_draws_the_same_by_its_position(kind):
    one, two = noisy(small(), kind), noisy(small(), kind)
    assert one.layers[0].name != two.layers[0].name
    two.set_weights(one.get_weights())
    x = images((7, 6, 1))
    np.testing.assert_array_equal(forward(one, x, [1, 2]), forward(two, x, [1, 2]))


@each_kind
def test_the_fast_gradient_in_images_stays(kind, monkeypatch):
    counted = []
    gradient = convolution.gradient_in_input
    monkeypatch.setattr(
        convolution, "gradient_in_input", lambda *args: counted.append(1) or gradient(*args)
    )
    network, x = noisy(small(), kind), images((7, 6, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = forward(network, x, [1, 2])
    assert np.abs(tape.gradient(outputs, x)).max() > 0
    assert counted == [1]


def test_drop_connect_keeps_its_share_and_its_mean():
    network = noisy(keras.Sequential([layers.InputLayer((200,)), layers.Dense(300)]), "drop")
    (layer,) = network.layers
    layer.kernel.assign(tf.ones_like(layer.kernel))
    drawn = np.stack([forward(network, tf.eye(200), [key, 0]).numpy() for key in range(5)])
    np.testing.assert_allclose(np.unique(drawn), [0, 1.25], rtol=1e-4)
    assert abs((drawn > 0).mean() - 0.8) < 5 * np.sqrt(0.16 / drawn.size)
    assert abs(drawn.mean() - 1) < 5 * 1.25 * np.sqrt(0.16 / drawn.size)
    # Independent from one element to the next, which share 32 bits, and from draw to draw.
    pairs = (drawn.reshape(-1, 2) > 0).astype(float)
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 5 / np.sqrt(len(pairs))
    flat = (drawn[:2].reshape(2, -1) > 0).astype(float)
    assert abs(np.corrcoef(flat)[0, 1]) < 5 / np.sqrt(flat.shape[1])


def test_normals_are_standard_and_differ_in_their_halves():
    drawn = standard_normals(200_001, tf.constant([1, 2], tf.int64)).numpy()
    assert drawn.shape == (200_001,)
    assert np.isfinite(drawn).all()
    assert spread_is(drawn, 1.0)
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size)
    assert abs((drawn > 1.96).mean() - 0.025) < 5 * np.sqrt(0.025 / drawn.size)
    assert abs((drawn < -1.96).mean() - 0.025) < 5 * np.sqrt(0.025 / drawn.size)
    assert abs((drawn**4).mean() - 3) < 5 * np.sqrt(96 / drawn.size)
    halves = drawn[:100_000], drawn[100_001:]
    assert abs(np.corrcoef(*halves)[0, 1]) < 5 / np.sqrt(100_000)
    assert abs(np.corrcoef(*np.square(halves))[0, 1]) < 5 / np.sqrt(100_000)


@dataclass
class Normal:
    """A dense layer of many units, all with these means and standard deviations of the kernel."""

    means: np.ndarray
    stds: np.ndarray
    units: int = 20_000

    def __post_init__(self):
        model = keras.Sequential(
            [layers.InputLayer((len(self.means),)), layers.Dense(self.units, use_bias=False)]
        )
        self.network = noisy(model, "normal")
        (self.layer,) = gaussian_layers(self.network)
        whole = np.ones((1, self.units), np.float32)
        self.layer.kernel.assign(self.means[:, None] * whole)
        self.layer.kernel_std.assign(self.stds[:, None] * whole)


def test_the_gradient_of_the_standard_deviation_is_2_s_x_squared():
    mu, s, x = 0.3, 0.2, 1.5
    one = Normal(np.array([mu], np.float32), np.array([s], np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(forward(one.network, tf.constant([[x]]), [1, 2]) ** 2)
    slopes = tape.gradient(loss, one.layer.kernel_std).numpy()
    # The slope 2 (mu + s xi) xi x^2 of a draw has the variance 4 x^4 (mu^2 + 2 s^2).
    error = 2 * x**2 * np.sqrt((mu**2 + 2 * s**2) / slopes.size)
    assert abs(slopes.mean() - 2 * s * x**2) < 5 * error


def test_the_squared_error_of_a_linear_model_is_that_of_equation_6():
    generator = np.random.default_rng(1)
    X, y = generator.normal(size=(7, 4)).astype(np.float32), generator.normal(size=(7, 1))
    means, stds = generator.normal(size=4).astype(np.float32), np.float32([0.1, 0.5, 1.0, 0.0])
    drawn = forward(Normal(means, stds).network, X, [1, 2]).numpy()
    errors = np.square(y - drawn).sum(0)
    known = np.square(y[:, 0] - X @ means).sum() + np.square(X * stds).sum()
    assert abs(errors.mean() - known) < 5 * errors.std() / np.sqrt(errors.size)


def test_no_two_layers_nor_kernel_and_bias_share_noise():
    model = keras.Sequential([layers.InputLayer((50,)), layers.Dense(50), layers.Dense(50)])
    network = noisy(model, "normal")
    drawn = []
    for layer in gaussian_layers(network):
        layer.set_weights([np.zeros((50, 50)), np.zeros(50), np.ones((50, 50)), np.ones(50)])
        bias = forward(layer, tf.zeros([1, 50]), [1, 2]).numpy()
        drawn.append(np.concatenate([forward(layer, tf.eye(50), [1, 2]).numpy() - bias, bias]))
    assert spread_is(np.stack(drawn), 1.0)
    assert len(np.unique(np.round(np.stack(drawn), 5))) > 0.98 * 2 * 51 * 50
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 5 / np.sqrt(51 * 50)


def test_the_standard_deviations_start_where_they_should():
    network = noisy(keras.Sequential([layers.InputLayer((300,)), layers.Dense(100)]), "normal")
    std, most = gaussian_layers(network)[0].kernel_std.numpy(), 0.5 * np.sqrt(2 / 30_000)
    assert std.min() >= 0
    assert 0.999 * most < std.max() <= most
    assert abs(std.mean() - most / 2) < 5 * most / np.sqrt(12 * std.size)


def test_a_fault_hits_the_mean_for_the_time_of_a_block():
    network, x = noisy(small(), "normal"), images((7, 6, 1))
    golden = forward(network, x, [1, 2]).numpy()
    with injected(network, "weights=own:sign_flip:1.0"):
        assert np.abs(forward(network, x, [1, 2]).numpy() - golden).max() > 1e-3
    np.testing.assert_array_equal(forward(network, x, [1, 2]), golden)


def test_standard_deviations_are_no_sites_of_faults():
    network = noisy(small(), "normal")
    names = [target.name for target in Weights(layers=("own",)).targets(network)]
    assert names == ["own/kernel"]
    names = [target.name for target in Parameters(layers=("own",)).targets(network)]
    assert names == ["own/kernel", "own/bias"]


def test_a_network_without_such_layers_is_refused():
    no_hidden = keras.Sequential([layers.InputLayer((4,)), layers.Dense(3)], name="linear")
    with pytest.raises(BadInput, match=r"linear with a hidden Dense or Conv2D layer\. Received"):
        noisy(no_hidden, "drop", output_layer=False)
    other = keras.Sequential([layers.InputLayer((4, 4)), layers.LSTM(3)], name="recurrent")
    with pytest.raises(BadInput, match="recurrent with a Dense or Conv2D layer"):
        noisy(other, "normal")


def test_a_layer_without_a_mean_is_refused_in_the_mean_network():
    class Rough(StochasticLayer):
        def call(self, inputs):
            return inputs + tf.random.stateless_normal(tf.shape(inputs), self.seed())

    layer = Rough(name="rough")
    assert layer(tf.zeros([2])).shape == (2,)
    with mean(), pytest.raises(BadInput, match="layer='rough'"):
        layer.seed()
