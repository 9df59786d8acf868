"""PixelDP: the noise layer in training, what holds its sensitivity, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.architectures import CirclesNet, FmnistCNN1, MnistMLP, PixelDPCNN
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.layers.mechanisms import Gaussian, Laplace
from ftnoise.layers.noisy import noisy_layer
from ftnoise.layers.sensitivity import sensitivity
from ftnoise.stats.certificates import gaussian_std
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.weights import pixeldp
from ftnoise.training.weights.pixeldp import PixelDP


def projected(member, architecture, steps=300, scale=3.0):
    """The network after steps that only project, from kernels that are too large."""
    network = member.rebuild(architecture.build())
    layers = [layer for layer in network.layers if layer.weights][:1]
    for layer in layers:
        layer.kernel.assign(scale * layer.kernel)
    step = tf.function(lambda n: member.after_step(network, [], tf.stack([0, n])))
    for n in range(steps):
        step(tf.constant(n, tf.int64))
    return network


@pytest.mark.parametrize(
    ("member", "norms"),
    [
        (PixelDP(), ("l_2", "l_2")),
        (PixelDP(norm="l_1"), ("l_1", "l_2")),
        (PixelDP(norm="l_1", mechanism=Laplace()), ("l_1", "l_1")),
    ],
)
@pytest.mark.parametrize("architecture", [FmnistCNN1(), MnistMLP(), CirclesNet()])
def test_projections_hold_the_sensitivity_near_1(member, norms, architecture):
    network = projected(member, architecture)
    assert sensitivity(network, *norms) == pytest.approx(1, rel=0.01)


def test_projections_make_the_singular_values_of_a_convolution_more_equal():
    networks = [projected(PixelDP(), PixelDPCNN(), steps=n) for n in (1, 300)]
    assert sensitivity(networks[1]) == pytest.approx(1, rel=0.01)
    kernels = [network.layers[0].kernel.numpy() for network in networks]
    spread = [np.linalg.svd(one.reshape(25, 32), compute_uv=False) for one in kernels]
    assert spread[0].max() > 2 * spread[0].min()
    assert spread[1].max() == pytest.approx(spread[1].min(), rel=0.01)


def test_a_kernel_of_one_sign_is_not_turned_around():
    kernel = np.abs(np.random.default_rng(0).normal(size=(64, 32))).astype(np.float32)
    kernel *= np.sqrt(32) / np.linalg.norm(kernel)
    first = np.linalg.svd(kernel)[2][0]
    assert np.linalg.norm(kernel @ first) ** 2 > 11
    wrong = pixeldp.projected(kernel, pixeldp.STEP).numpy()
    right = pixeldp.projected(pixeldp.bounded(kernel), pixeldp.STEP).numpy()
    assert (kernel @ first) @ (wrong @ first) < 0 < (kernel @ first) @ (right @ first)
    small = 0.1 * kernel
    assert np.array_equal(pixeldp.bounded(small), small)


def test_parseval_projections_approach_an_orthogonal_kernel():
    network = projected(PixelDP(parseval=10), FmnistCNN1(), steps=300, scale=1.5)
    kernel = network.layers[0].kernel.numpy().reshape(25, 20)
    singular = np.linalg.svd(kernel, compute_uv=False)
    assert singular.max() < 1.2
    assert sensitivity(network) > 1.2  # of the convolution, whose windows overlap


def test_noise_after_a_hidden_layer_holds_both():
    network = MnistMLP().build()
    name = [layer.name for layer in network.layers if layer.weights][1]
    member = PixelDP(after=name)
    found = member.rebuild(network)
    for layer in found.layers[:3]:
        if layer.weights:
            layer.kernel.assign(3 * layer.kernel)
    step = tf.function(lambda: member.after_step(found, [], tf.constant([0, 0], tf.int64)))
    for _ in range(200):
        step()
    assert sensitivity(found) == pytest.approx(1, rel=0.02)


def test_the_noise_has_the_scale_of_the_mechanism_and_rises():
    member = PixelDP(construction_size=0.3)
    layer = noisy_layer(member.rebuild(FmnistCNN1().build()))
    assert layer.scale == pytest.approx(gaussian_std(0.3))
    network = member.rebuild(FmnistCNN1().build())
    layer = noisy_layer(network)
    for step, share in ((0, 0.1), (1000, 1 - 0.99975**1000), (100_000, 1)):
        member.before_step(network, tf.constant([5, step], tf.int64))
        assert layer.ramp.numpy() == pytest.approx(share, abs=1e-4)
    laplace = PixelDP(mechanism=Laplace(), norm="l_1")
    assert noisy_layer(laplace.rebuild(CirclesNet().build())).scale == 0.1


def test_a_preset_raises_the_noise_within_its_epochs():
    quick = PRESETS["quick"]
    assert PixelDP().scaled(quick).ramp == pytest.approx(0.99975 ** (1 / quick.epochs))


def test_variables_of_the_noise_are_no_sites_of_faults():
    from ftnoise.faults.where import Parameters

    plain, network = FmnistCNN1().build(), PixelDP().rebuild(FmnistCNN1().build())
    sizes = [sum(t.size for t in Parameters().targets(one)) for one in (plain, network)]
    assert sizes[0] == sizes[1] == 431080


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PixelDP(mechanism="gaussian"), "Gaussian"),
        (lambda: PixelDP(construction_size=0.0), "construction_size"),
        (lambda: PixelDP(after=""), "after"),
        (lambda: PixelDP(norm="l_inf"), "norm"),
        (lambda: PixelDP(mechanism=Laplace()), "l_1 with Laplace"),
        (lambda: PixelDP(norm="l_1", parseval=1), "l_2 with parseval"),
        (lambda: PixelDP(ramp=1.5), "ramp"),
        (lambda: Gaussian(delta=1.0), "delta"),
        (lambda: PixelDP(after="none").rebuild(CirclesNet().build()), "to put noise in"),
        (lambda: Training(weights=PixelDP(), gradients=DPSGD(noise_multiplier=1.0)), "`weights`"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(BadInput, match=message):
        make()
