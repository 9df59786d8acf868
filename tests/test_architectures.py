from __future__ import annotations

import numpy as np
import pytest

from ftnoise.architectures import (
    Cifar10CNN,
    FmnistCNN1,
    FmnistCNN2,
    FmnistDNN,
    MnistMLP,
    SequentialNetwork,
)
from ftnoise.core.errors import BadInput

# Parameter counts of Table 2, with the three readings of CNN 2 that its deviations name, and of the
# network of Khan et al.
COUNTS = [
    (FmnistDNN(), 669_706),
    (FmnistCNN1(), 431_080),
    (FmnistCNN2(padding=("valid", "valid")), 75_162),
    (FmnistCNN2(padding=("same", "valid")), 133_530),
    (FmnistCNN2(padding=("same", "valid"), first_stride=2), 26_010),
    (Cifar10CNN(), 1_981_258),
    (MnistMLP(), 99_710),
    (MnistMLP(signed=True), 99_710),
]


@pytest.mark.parametrize(("architecture", "count"), COUNTS, ids=str)
def test_parameter_counts_of_the_papers(architecture, count):
    network = architecture.build()
    assert network.count_params() == count
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == count
    assert network.input_shape == (None, *architecture.input_shape)
    assert network.output_shape == (None, 10)


@pytest.mark.parametrize(
    "architecture", [FmnistDNN(), FmnistCNN1(), FmnistCNN2(), Cifar10CNN(), MnistMLP()]
)
def test_the_end_is_logits_and_hidden_layers_are_rectified(architecture):
    network = architecture.build()
    activations = [
        layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")
    ]
    assert activations == ["relu"] * (len(activations) - 1) + ["linear"]

    x = np.random.default_rng(0).random((4, *architecture.input_shape), np.float32)
    logits = network(x).numpy()
    assert np.any(logits < 0)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_layers_of_cnn_2_stand_in_the_order_of_the_table():
    kinds = [layer.__class__.__name__ for layer in FmnistCNN2().build().layers]
    order = "ImageConv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense"
    assert " ".join(kinds) == order


def test_signed_pixels_go_from_minus_1_to_1():
    plain, signed = MnistMLP().build(), MnistMLP(signed=True).build()
    signed.set_weights(plain.get_weights())
    x = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    np.testing.assert_allclose(signed(x), plain(2 * x - 1), rtol=1e-5, atol=1e-6)


def test_building_twice_gives_two_networks():
    first, second = FmnistDNN().build(), FmnistDNN().build()
    assert first is not second
    assert first.name == second.name == "fmnist_dnn"
    second.layers[1].kernel.assign_add(np.ones((784, 512), np.float32))
    assert not np.allclose(first.layers[1].kernel, second.layers[1].kernel)


def test_shape_and_classes_are_fields():
    network = FmnistDNN(input_shape=(5, 4, 3), classes=7).build()
    assert network.input_shape == (None, 5, 4, 3)
    assert network.output_shape == (None, 7)


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        (FmnistDNN, {"input_shape": ()}, "input_shape"),
        (FmnistDNN, {"input_shape": (28, 0, 1)}, "input_shape"),
        (FmnistDNN, {"input_shape": [28, 28, 1]}, "input_shape"),
        (FmnistDNN, {"input_shape": (28.0, 28, 1)}, "input_shape"),
        (FmnistDNN, {"classes": 1}, "classes"),
        (FmnistDNN, {"classes": 2.0}, "classes"),
        (FmnistDNN, {"classes": True}, "classes"),
        (FmnistCNN2, {"padding": ("same",)}, "padding"),
        (FmnistCNN2, {"padding": "same"}, "padding"),
        (FmnistCNN2, {"padding": ("same", "full")}, "padding"),
        (FmnistCNN2, {"first_stride": 3}, "first_stride"),
        (FmnistCNN2, {"classes": 0}, "classes"),
        (MnistMLP, {"signed": 1}, "signed"),
    ],
)
def test_a_bad_field_is_named_in_one_line(kind, fields, named):
    with pytest.raises(BadInput, match=rf"Received: {named}=") as failure:
        kind(**fields)
    assert "\n" not in str(failure.value)


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="layers"):
        SequentialNetwork()
