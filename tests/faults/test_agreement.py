"""What is checked on a user's model, and that a broken campaign does not pass."""

from __future__ import annotations

import contextlib
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.agreement import Agreement, gates, untouched
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.graph import unfold
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.faults.sites import blind
from tests.faults.networks import bits, made

HALF = Share(rate=0.5)


@pytest.mark.parametrize("name", ["dense", "residual", "attention", "nested", "binary"])
@pytest.mark.parametrize("where", ["weights", "neurons"])
def test_a_sound_campaign_passes(name, where):
    network, x, y = made(name)
    before = bits(network)
    seen = gates(Campaign(network, x, y, parse_fault(f"{where}:stuck_at_zero:0.5")), HALF)
    assert seen.exceptions == 0
    assert seen.sound.images == len(y)
    assert "exceptions" in str(seen)
    assert max(seen.sound.distance, seen.faulty.distance) < 1e-5
    if name in ("dense", "binary"):
        assert seen.constant
    assert bits(network) == before


@pytest.mark.parametrize(
    "text",
    [
        "weights:stuck_at_zero:0.5:transient",
        "neurons:sign_flip:0.5:transient",
        "weights:bit_flip=30:n=2",
    ],
)
def test_so_do_transient_and_other_faults(text):
    network, x, y = made("dense", examples=12)
    campaign = Campaign(network, x, y, parse_fault(text))
    seen = gates(campaign, campaign.fault.rate)
    assert seen.faulty.exact
    assert seen.constant is None


def test_all_transient_faults_of_neurons_leave_the_biases_alone_too():
    network, x, y = made("dense")
    seen = gates(Campaign(network, x, y, parse_fault("neurons:stuck_at_zero:0.5:transient")), HALF)
    assert seen.constant
    assert seen.everywhere.distance < 1e-5


@pytest.mark.parametrize("broken", ["another trial", "golden", "faulty"])
def test_a_broken_campaign_does_not(broken, monkeypatch):
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"))
    if broken == "golden":
        campaign.golden = campaign.golden[::-1].copy()
    elif broken == "faulty":
        network.layers[-1].bias.assign_add([5, 0, 0, 0])
    else:
        trial = campaign.sampler.trial
        monkeypatch.setattr(campaign.sampler, "trial", lambda n, rate: trial(n + 1, rate))
    with pytest.raises(RunFailed, match="Expected"):
        gates(campaign, HALF)


def test_a_changed_network_is_noticed():
    network, *_ = made("dense")
    before = digest(network)
    untouched(network, before)
    network.layers[-1].bias.assign_add(np.full(4, 1e-7, np.float32))
    with pytest.raises(RunFailed, match="unchanged"):
        untouched(network, before)


@contextlib.contextmanager
def planted(monkeypatch, broken):
    """Campaigns that are made in the block compute something else."""
    outputs = FaultyNetwork.outputs
    with monkeypatch.context() as patch:
        patch.setattr(
            FaultyNetwork, "outputs", lambda self, *given: broken(outputs(self, *given), *given)
        )
        yield


def doubled(outputs, before, trial):
    return 2 * outputs


def a_little_off(outputs, before, trial):
    return outputs * 1.001


def doubled_under_faults(outputs, before, trial):
    hit = tf.reduce_any([tf.reduce_any(one) for one, _ in trial])
    return tf.where(hit, 2 * outputs, outputs)


@pytest.mark.parametrize("broken", [doubled, a_little_off, doubled_under_faults])
def test_outputs_of_another_size_do_not_pass_though_all_bits_of_correctness_agree(
    broken, monkeypatch
):
    network, x, y = made("dense")
    with planted(monkeypatch, broken):
        # Units that are not taken out of a kernel, so that the trial is seen.
        campaign = Campaign(network, x, y, parse_fault("neurons:stuck_at=0.001:0.5"))
        with pytest.raises(RunFailed, match=r"on sequential\. Received: 40 of 40"):
            gates(campaign, HALF)


ALL = [
    *itertools.product(["dense", "residual", "nested", "convolutions"], ["weights", "neurons"]),
    ("attention", "weights"),
    ("dense", "parameters"),
]


@pytest.mark.parametrize(("name", "where"), ALL)
def test_all_faults_must_leave_the_biases_alone(name, where):
    network, x, y = made(name)
    fault = parse_fault(f"{where}:stuck_at_zero:0.5")
    campaign = Campaign(network, x, y, fault)
    assert blind(campaign.faulty.graph, campaign.targets)
    seen = gates(campaign, HALF)
    assert seen.constant
    assert seen.everywhere.distance < 1e-5
    with injected(network, fault.at(Share(rate=1.0))):
        biases = network.predict(x, verbose=0)
    np.testing.assert_allclose(campaign.outputs(0, Share(rate=1.0)), biases, rtol=1e-4, atol=1e-6)
    assert "all faults: the same answer for every image (" in str(seen)


def test_faults_everywhere_that_are_not_everywhere_do_not_pass(monkeypatch):
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"))
    outputs = campaign.outputs

    def half_of_all(trial, rate=None, images=None):
        return outputs(trial, Share(rate=min(0.5, rate.rate)), images)

    monkeypatch.setattr(campaign, "outputs", half_of_all)
    with pytest.raises(RunFailed, match="Expected"):
        gates(campaign, HALF)
    # Even if the injected ones are wrong in the same way.
    monkeypatch.setattr("ftnoise.faults.agreement.agreement", lambda *given: SEEN)
    with pytest.raises(RunFailed, match="all weights stuck at 0 to say of every image what its b"):
        gates(campaign, HALF)


SEEN = Agreement(images=40, exact=True, exceptions=0, distance=0.0)


def around():
    """A network whose inputs find a way around all weights."""
    x = inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Add()([layers.Dense(4)(x), x]))


@pytest.mark.parametrize(
    ("network", "text", "sure"),
    [
        (around, "weights:stuck_at_zero:0.5", False),
        (around, "neurons,output_layer=true:stuck_at_zero:0.5", False),
        (lambda: made("dense")[0], "weights,layers=dense_1:stuck_at_zero:0.5", True),
        (lambda: made("residual")[0], "channels,layers=depthwise_conv2d:stuck_at_zero:0.5", False),
        (lambda: made("recurrent")[0], "neurons:stuck_at_zero:0.5", False),
        (lambda: made("attention")[0], "neurons:stuck_at_zero:0.5", False),
        (lambda: made("attention")[0], "weights:stuck_at_zero:0.5", True),
        (lambda: made("dense")[0], "biases:stuck_at_zero:0.5", False),
    ],
)
def test_it_is_known_beforehand_whether_all_faults_leave_the_biases_alone(network, text, sure):
    network = network()
    assert blind(unfold(network), parse_fault(text).where.targets(network)) == sure


def test_images_that_find_a_way_around_are_no_failure():
    network = around()
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    seen = gates(
        Campaign(network, x, np.arange(40) % 4, parse_fault("weights:stuck_at_zero:0.5")), HALF
    )
    assert seen.constant is False
    assert "all faults: answers differ" in str(seen)


def cancelling():
    """Under a fault, two units get huge, and the difference of their sums is taken."""
    inputs = keras.Input((6,))
    hidden = layers.Dense(300, activation="relu", name="hidden")(inputs)
    ones = keras.initializers.Constant(1.0)
    sums = [layers.Dense(3, kernel_initializer=ones)(hidden) for _ in range(2)]
    return keras.Model(inputs, layers.Dense(4)(layers.Subtract()(sums)), name="cancelling")


def test_where_rounding_decides_images_are_exceptions(monkeypatch):
    network = cancelling()
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    y = np.arange(40) % 4

    def rounded(outputs, before, trial):
        # As a sum in another order would be.
        hit = tf.reduce_any(trial[0][0])
        return outputs + tf.where(hit, tf.reshape(tf.range(4.0), [1, 4]) * 1e3, 0.0)

    with planted(monkeypatch, rounded):
        campaign = Campaign(network, x, y, parse_fault("neurons,layers=hidden:stuck_at=1e10:0.5"))
        seen = gates(campaign, HALF)
    assert seen.faulty.exceptions > 20
    assert not seen.faulty.exact
    assert seen.sound.exceptions == 0
    # The same difference in a network that is sure of what it says.
    with planted(monkeypatch, rounded):
        campaign = Campaign(network, x, y, parse_fault("neurons,layers=hidden:stuck_at=1:0.5"))
        with pytest.raises(RunFailed, match="agree with Keras"):
            gates(campaign, HALF)
    assert np.isfinite(network.get_weights()[0]).all()


@pytest.mark.parametrize("text", ["weights:bit_flip=30:1", "weights:stuck_at=3e38:0.5"])
@pytest.mark.parametrize("name", ["dense", "residual", "attention"])
def test_infinite_outputs_are_no_failure(name, text):
    network, x, y = made(name)
    before = bits(network)
    campaign = Campaign(network, x, y, parse_fault(text))
    seen = gates(campaign, campaign.fault.rate)
    assert seen.sound.exceptions == 0
    assert bits(network) == before


class Noisy(layers.Layer):
    """Random in inference too."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


@pytest.mark.parametrize(
    "text", ["weights,layers=last:stuck_at_zero:0.5", "weights,layers=first:sign_flip:0.5"]
)
def test_a_network_that_is_random_is_said_to_be(text):
    first, last = layers.Dense(4, name="first"), layers.Dense(4, name="last")
    network = keras.Sequential([layers.InputLayer((6,)), first, Noisy(), last], name="noisy")
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    campaign = Campaign(network, x, np.arange(40) % 4, parse_fault(text))
    with pytest.raises(BadInput, match="differ from call to call, so that a layer is random"):
        gates(campaign, HALF)
