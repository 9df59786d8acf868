"""Which sites a network has: layers with units, kinds of parameters, names, what is left out."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.faults.where import Biases, Channels, Filters, Neurons, Parameters, Weights
from tests.faults.networks import CLASSES, made


def sites(where, network):
    return {target.name: target.grid for target in where.targets(network)}


def sequential(*inner, shape=(8, 8, 3)):
    return keras.Sequential([layers.InputLayer(shape), *inner])


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("dense", {"dense": 8, "dense_1": 7}),
        ("convolutions", {"image_conv2d": 5, "conv2d": 6, "dense": 9}),
        ("residual", {"conv2d": 5, "depthwise_conv2d": 5}),
        ("recurrent", {"bidirectional": 6, "gru": 5}),
        ("attention", {"multi_head_attention": 3, "time_distributed": 8, "dense_1": 6}),
        ("nested", {"dense_1": 4, "dense": 6}),
        ("binary", {"dense": 6}),
        ("transposed", {"conv2d": 5, "conv2d_transpose": 5}),
    ],
)
def test_the_units_of_a_network(name, units):
    network, *_ = made(name)
    assert {target.name: target.size for target in Neurons().targets(network)} == units
    # The output layer comes last, and only if it is asked for.
    *hidden, output = Neurons(output_layer=True).targets(network)
    assert [target.name for target in hidden] == list(units)
    assert output.size == network.output_shape[-1]


def test_normalization_and_activation_belong_to_the_unit_before_them():
    network, *_ = made("residual")
    conv, depthwise = Neurons().targets(network)
    assert conv.layer.name == "conv2d"
    assert isinstance(conv.tapped, layers.Activation)
    # After the second normalization comes a sum, which is nobody's unit.
    assert isinstance(depthwise.tapped, layers.BatchNormalization)


@pytest.mark.parametrize("last", [layers.Activation("softmax"), layers.Softmax(), layers.ReLU()])
def test_an_output_that_passes_through_an_activation_is_the_output_layer(last):
    last = type(last).from_config(last.get_config())
    network = sequential(layers.Dense(4, name="one"), layers.Dense(3, name="two"), last, shape=(2,))
    assert list(sites(Neurons(), network)) == ["one"]
    assert list(sites(Parameters(output_layer=False), network)) == ["one/kernel", "one/bias"]
    assert list(sites(Weights(), network)) == ["one/kernel", "two/kernel"]


def test_channels_first_units_lie_on_the_first_axis():
    conv = layers.Conv2D(5, 3, data_format="channels_first", name="conv")
    normalized = layers.BatchNormalization(axis=1)
    network = sequential(
        conv, normalized, layers.ReLU(), layers.Flatten(), layers.Dense(2), shape=(3, 8, 8)
    )
    assert sites(Neurons(), network) == {"conv": (5, 1, 1)}
    assert sites(Channels(), network) == {"conv": (5, 1, 1)}
    (target,) = Neurons().targets(network)
    assert isinstance(target.tapped, layers.ReLU)


CONVOLUTIONS = [
    (layers.Conv1D(4, 3), (8, 3), {"kernel": (1, 1, 4)}),
    (layers.Conv2D(4, 3), (8, 8, 3), {"kernel": (1, 1, 1, 4)}),
    (layers.Conv3D(4, 2), (4, 4, 4, 3), {"kernel": (1, 1, 1, 1, 4)}),
    (layers.Conv1DTranspose(4, 3), (8, 3), {"kernel": (1, 4, 1)}),
    (layers.Conv2DTranspose(4, 3), (8, 8, 3), {"kernel": (1, 1, 4, 1)}),
    (layers.Conv3DTranspose(4, 2), (4, 4, 4, 3), {"kernel": (1, 1, 1, 4, 1)}),
    (layers.DepthwiseConv1D(3, depth_multiplier=2), (8, 3), {"depthwise_kernel": (1, 3, 2)}),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 3), {"depthwise_kernel": (1, 1, 3, 2)}),
    (
        layers.SeparableConv2D(4, 3),
        (8, 8, 3),
        {"depthwise_kernel": (1, 1, 3, 1), "pointwise_kernel": (1, 1, 1, 4)},
    ),
    (layers.TimeDistributed(layers.Conv2D(4, 3)), (2, 8, 8, 3), {"kernel": (1, 1, 1, 4)}),
]


@pytest.mark.parametrize(("layer", "shape", "filters"), CONVOLUTIONS, ids=lambda v: str(v)[:40])
def test_a_filter_is_all_weights_that_make_one_channel(layer, shape, filters):
    layer = type(layer).from_config(layer.get_config())
    network = sequential(layer, layers.Flatten(), layers.Dense(2), shape=shape)
    found = Filters().targets(network)
    assert {target.name.split("/")[-1]: target.grid for target in found} == filters
    for target in found:
        ones = np.ones(target.variable.shape)
        assert np.sum(ones * np.ones(target.grid)) == ones.size, "the grid broadcasts"
    channels = layer.output_shape[-1]
    assert sites(Channels(), network) == {layer.name: (channels,)}
    assert found[-1].size == channels


class Scaled(layers.Layer):
    """A layer of a user's own, with a matrix and a vector."""

    def build(self, shape):
        self.matrix = self.add_weight("matrix", (shape[-1], 4))
        self.scale = self.add_weight("scale", (4,))
        self.bias = self.add_weight("bias", (4,))
        self.count = self.add_weight("count", (), dtype="int32", trainable=False)

    def call(self, inputs):
        return inputs @ self.matrix * self.scale + self.bias


# For a layer: its weights, its biases and its other parameters.
KINDS = [
    (layers.Dense(2), (3,), "kernel", "bias", ""),
    (layers.LSTM(2), (4, 3), "kernel recurrent_kernel", "bias", ""),
    (layers.GRU(2), (4, 3), "kernel recurrent_kernel", "bias", ""),
    (layers.SimpleRNN(2), (4, 3), "kernel recurrent_kernel", "bias", ""),
    (layers.SeparableConv2D(2, 3), (8, 8, 3), "depthwise_kernel pointwise_kernel", "bias", ""),
    (layers.BatchNormalization(), (3,), "", "", "gamma beta"),
    (layers.LayerNormalization(), (3,), "", "", "gamma beta"),
    (layers.LayerNormalization(axis=[1, 2]), (4, 3), "", "", "gamma beta"),
    (layers.PReLU(), (4, 4, 3), "", "", "alpha"),
    (layers.Embedding(5, 2), (4,), "embeddings", "", ""),
    (layers.EinsumDense("abc,cd->abd", (4, 2), bias_axes="d"), (4, 3), "kernel", "bias", ""),
    (Scaled(), (3,), "matrix", "bias", "scale"),
]


@pytest.mark.parametrize(
    ("layer", "shape", "weights", "biases", "rest"), KINDS, ids=lambda v: str(getattr(v, "name", v))
)
def test_what_is_a_weight_a_bias_and_a_parameter(layer, shape, weights, biases, rest):
    layer = type(layer).from_config(layer.get_config())
    network = sequential(layer, layers.Flatten(), layers.Dense(2, name="out"), shape=shape)

    def names(where):
        found = [name for name in sites(where, network) if not name.startswith("out/")]
        assert all(name.startswith(f"{layer.name}/") for name in found)
        return {name.split("/")[-1] for name in found}

    assert names(Weights()) == {*weights.split()}
    assert names(Biases()) == {*biases.split()}
    assert names(Parameters()) == {*f"{weights} {biases} {rest}".split()}


def test_the_parameters_of_attention():
    network, *_ = made("attention")
    mine = [name for name in sites(Weights(), network) if name.startswith("multi_head")]
    parts = ("query", "key", "value", "attention_output")
    assert mine == [f"multi_head_attention/{part}/kernel" for part in parts]
    found = sites(Biases(), network)
    assert [found[f"multi_head_attention/{part}/bias"] for part in parts] == [(3, 4)] * 3 + [(6,)]


@pytest.mark.parametrize("name", ["dense", "convolutions", "residual", "attention", "nested"])
def test_every_trained_number_of_a_network_is_one_place(name):
    network, *_ = made(name)
    found = Parameters().targets(network)
    assert sum(target.size for target in found) == sum(
        int(np.prod(variable.shape)) for variable in network.trainable_variables
    )
    assert {id(target.variable) for target in found} == {id(v) for v in network.trainable_variables}
    # The last variable, too.
    assert found[-1].variable is network.trainable_variables[-1]


@pytest.mark.parametrize("before", [True, False])
def test_a_frozen_layer_still_has_its_parameters(before):
    layer = layers.Dense(3, trainable=not before, name="frozen")
    network = sequential(layer, layers.Dense(2), shape=(3,))
    layer.trainable = False
    assert sites(Weights(layers=("frozen",)), network) == {"frozen/kernel": (3, 3)}


class Counting(layers.Layer):
    """Weights that are trained, and called like statistics; and one that is not."""

    def build(self, shape):
        self.count = self.add_weight("count", (shape[-1], 4))
        self.mean = self.add_weight("mean", (4,))
        self.offset = self.add_weight("offset", (4,), trainable=False)

    def call(self, inputs):
        return inputs @ self.count + self.mean + self.offset


def test_what_is_trained_is_a_parameter_whatever_its_name():
    network = sequential(Counting(name="own"), layers.Dense(2, name="out"), shape=(3,))
    named = {name for name in sites(Parameters(), network) if name.startswith("own")}
    assert named == {"own/count", "own/mean"}


@pytest.mark.parametrize(
    "function", [tf.nn.relu, tf.tanh, tf.nn.gelu, keras.activations.elu, tf.nn.silu]
)
def test_an_activation_may_be_a_function(function):
    inputs = keras.Input((3,))
    normal = layers.BatchNormalization(name="normal")(layers.Dense(4, name="hidden")(inputs))
    hidden = function(normal)
    network = keras.Model(inputs, function(layers.Dense(2, name="out")(hidden)))
    (target,) = Neurons().targets(network)
    assert (target.name, target.tapped.name) == ("hidden", hidden.node.layer.name)
    assert sites(Parameters(output_layer=False), network).keys() == {
        "hidden/kernel",
        "hidden/bias",
        "normal/gamma",
        "normal/beta",
    }


def test_a_function_that_is_no_activation_belongs_to_nobody():
    inputs = keras.Input((3,))
    hidden = tf.abs(layers.Dense(4, name="hidden")(inputs))
    network = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    (target,) = Neurons().targets(network)
    assert target.tapped is target.layer


def test_a_layer_that_is_called_twice_is_one_layer():
    network, *_ = made("nested")
    assert [target.name for target in Weights().targets(network)].count("dense_1/kernel") == 1
    assert sum(target.size for target in Neurons().targets(network)) == 10


def test_layers_by_name_and_by_position_among_those_that_have_such_sites():
    network, *_ = made("convolutions")
    assert list(sites(Weights(layers=("conv2d",)), network)) == ["conv2d/kernel"]
    assert list(sites(Weights(layers=(1,)), network)) == ["conv2d/kernel"]
    both = ["image_conv2d/kernel", "dense_1/kernel"]
    # In the network's order, whatever the order asked.
    assert list(sites(Weights(layers=(3, "image_conv2d")), network)) == both
    assert list(sites(Channels(layers=(1,)), network)) == ["conv2d"]
    attention, *_ = made("attention")
    assert len(sites(Weights(layers=(0,)), attention)) == 4


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            Weights(layers=("dens",)),
            "Expected a layer of sequential with weights (image_conv2d, conv2d, dense, dense_1). "
            "Received: 'dens'.",
        ),
        (Channels(layers=(2,)), "with channels (image_conv2d, conv2d). Received: 2."),
        (Neurons(layers=("dense_1",)), "(image_conv2d, conv2d, dense). Received: 'dense_1'."),
        (
            Weights(indices=(1,)),
            "one layer named, whose weights they choose. Received: targets=['image_conv2d/",
        ),
        (
            Parameters(layers=("dense",), indices=(1,)),
            "Received: targets=['dense/kernel', 'dense/bias'].",
        ),
        (
            Biases(layers=("conv2d",), indices=(2, 6)),
            "Expected biases of conv2d/bias from 0 to 5. Received: indices=(2, 6).",
        ),
    ],
)
def test_places_that_there_are_not_are_refused_naming_those_that_there_are(where, said):
    network, *_ = made("convolutions")
    with pytest.raises(BadInput) as refused:
        where.targets(network)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", [Biases, Channels, Filters, Neurons, Parameters, Weights])
def test_a_network_without_any_such_place_is_refused(kind):
    output = layers.Dense(CLASSES, name="out")
    network = keras.Sequential([layers.InputLayer((3,)), output], name="one")
    with pytest.raises(BadInput, match=r"^Expected .+ in one\. Received: none\.$"):
        kind(output_layer=False).targets(network)
    with pytest.raises(BadInput, match=r"\(it has none\)\. Received: 'out'\.$"):
        kind(output_layer=False, layers=("out",)).targets(network)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": ["dense"]}, "layers to be names or positions >= 0. Received: layers=['dense']"),
        ({"layers": (-1,)}, "layers to be names or positions >= 0. Received: layers=(-1,)"),
        ({"layers": (True,)}, "layers to be names or positions >= 0. Received: layers=(True,)"),
        ({"indices": (1, 1)}, "indices to be different integers >= 0. Received: indices=(1, 1)"),
        ({"indices": (0.5,)}, "indices to be different integers >= 0. Received: indices=(0.5,)"),
        ({"output_layer": 1}, "output_layer to be a bool. Received: output_layer=1"),
    ],
)
def test_where_that_cannot_be_right_is_refused(options, said):
    with pytest.raises(BadInput) as refused:
        Weights(**options)
    assert str(refused.value) == f"Expected {said}."


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def two_outputs():
    inputs = keras.Input((3,))
    return keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)], name="forked")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: keras.Sequential([layers.Dense(3)]), "that is built. Received: Sequential"),
        (lambda: Subclassed(name="own"), "Sequential or functional .* Received: Subclassed own"),
        (two_outputs, "Expected forked with one output. Received: 2."),
    ],
)
def test_a_network_whose_layers_are_not_known_is_refused(network, said):
    with pytest.raises(BadInput, match=said):
        Weights().targets(network())
