"""DropConnect: the hidden weights, and what is refused."""

from __future__ import annotations

import keras
import pytest

from ftnoise.architectures import CirclesNet, MnistMLP
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.layers.drawing import StochasticLayer
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.gradients.plain import Adam
from ftnoise.training.penalties import L2
from ftnoise.training.weights.dropconnect import DropConnect


def test_the_output_layer_does_not_draw_also_before_a_layer_without_weights():
    layers = DropConnect().rebuild(CirclesNet().build()).layers
    assert [isinstance(layer, StochasticLayer) for layer in layers] == [True, False, False]


def test_the_set_up_of_the_paper_is_a_run():
    # Adam of 1e-3 whose weight decay of 1e-4 adds 1e-4 * w to each gradient, batches of 64.
    run = Run(
        architecture=MnistMLP(signed=True),
        data=MNIST(),
        training=Training(
            weights=DropConnect(), gradients=Adam(), penalty=L2(weight=5e-5, biases=True)
        ),
        schedule=Schedule(epochs=15, batch_size=64, learning_rate=1e-3),
    )
    assert run.slug.startswith("mnist-mnist_mlp-l2+adam+drop_connect")


@pytest.mark.parametrize("rate", [1, -0.1, 1.5])
def test_a_rate_outside_0_to_1_is_refused_in_one_line(rate):
    with pytest.raises(BadInput, match=rf"^Expected rate in \[0, 1\)\. Received: rate={rate}\.$"):
        DropConnect(rate=rate)


def test_a_network_that_cannot_draw_and_private_gradients_are_refused():
    linear = keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(3)])
    with pytest.raises(BadInput, match="with a hidden Dense or Conv2D layer"):
        DropConnect().rebuild(linear)
    with pytest.raises(BadInput, match="`weights` to be empty"):
        Training(weights=DropConnect(), gradients=DPSGD(noise_multiplier=1.0))
