"""A campaign that computes something else than Keras is not believed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.agreement import agreement, expect_unchanged
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from tests.faults.networks import bits, made

HALF = Share(rate=0.5)


def campaign(text, name="dense", **options) -> Campaign:
    network, x, y = made(name, **options)
    return Campaign(network, x, y, parse_fault(text))


@pytest.mark.parametrize("name", ["dense", "residual", "attention", "nested", "binary"])
@pytest.mark.parametrize("where", ["weights", "neurons"])
def test_a_campaign_agrees_with_keras(name, where):
    right = campaign(f"{where}:stuck_at=0:0.5", name)
    before = bits(right.network)
    found = agreement(right, HALF)
    assert found.exceptions == 0
    assert found.examples == len(right.y)
    assert max(found.golden, found.faulty) < 1e-5
    assert "0 exceptions" in str(found)
    assert bits(right.network) == before


@pytest.mark.parametrize(
    "text",
    [
        "weights:stuck_at=0:0.5:transient",
        "neurons:sign_flip:0.5:transient",
        "neurons:stuck_at=0:0.5:transient",
        "weights:bit_flip=30:n=2",
    ],
)
def test_so_do_transient_and_other_faults(text):
    right = campaign(text, examples=12)
    assert agreement(right, right.fault.rate).faulty < 1e-5


@pytest.mark.parametrize("broken", ["another trial", "golden", "faulty"])
def test_a_broken_campaign_is_noticed(broken, monkeypatch):
    wrong = campaign("weights:stuck_at=0:0.5")
    if broken == "golden":
        wrong.golden = wrong.golden[::-1].copy()
    elif broken == "faulty":
        wrong.network.layers[-1].bias.assign_add([5, 0, 0, 0])
    else:
        trial = wrong.sampler.trial
        monkeypatch.setattr(wrong.sampler, "trial", lambda n, rate: trial(n + 1, rate))
    with pytest.raises(RunFailed, match="to agree with Keras on sequential"):
        agreement(wrong, HALF)


def doubled(outputs, trial):
    return 2 * outputs


def a_little_off(outputs, trial):
    return outputs * 1.01


def doubled_under_faults(outputs, trial):
    hit = tf.reduce_any([tf.reduce_any(one) for one, _ in trial])
    return tf.where(hit, 2 * outputs, outputs)


@pytest.mark.parametrize("broken", [doubled, a_little_off, doubled_under_faults])
def test_outputs_of_another_size_are_noticed_though_all_predictions_agree(broken, monkeypatch):
    outputs = FaultyNetwork.outputs
    monkeypatch.setattr(
        FaultyNetwork,
        "outputs",
        lambda self, before, trial: broken(outputs(self, before, trial), trial),
    )
    # Units that are not removed from a kernel, so that the hits are seen.
    with pytest.raises(RunFailed, match=r"on sequential\. Received: 40 of 40"):
        agreement(campaign("neurons:stuck_at=0.001:0.5"), HALF)


def test_a_changed_network_is_noticed():
    network, *_ = made("dense")
    before = digest(network)
    expect_unchanged(network, before)
    network.layers[-1].bias.assign_add(np.full(4, 1e-7, np.float32))
    with pytest.raises(RunFailed, match="unchanged"):
        expect_unchanged(network, before)


@pytest.mark.parametrize("text", ["weights:bit_flip=30:1", "weights:stuck_at=3e38:0.5"])
@pytest.mark.parametrize("name", ["dense", "residual", "attention"])
def test_infinite_outputs_are_no_failure(name, text):
    right = campaign(text, name)
    before = bits(right.network)
    agreement(right, right.fault.rate)
    assert bits(right.network) == before


def test_rounding_may_decide_where_huge_sums_cancel():
    inputs = keras.Input((6,))
    hidden = layers.Dense(300, activation="relu", name="hidden")(inputs)
    ones = keras.initializers.Constant(1.0)
    sums = [layers.Dense(3, kernel_initializer=ones)(hidden) for _ in range(2)]
    network = keras.Model(inputs, layers.Dense(4)(layers.Subtract()(sums)))
    # Golden outputs that are no rounding errors themselves.
    network.layers[-1].bias.assign([1, 2, 3, 4])
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    fault = parse_fault("neurons=hidden:stuck_at=1e10:0.5")
    agreement(Campaign(network, x, np.arange(40) % 4, fault), HALF)


class Noisy(layers.Layer):
    """Random in inference too, without a key."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


@pytest.mark.parametrize("text", ["weights=last:stuck_at=0:0.5", "weights=first:sign_flip:0.5"])
def test_a_random_layer_without_a_key_is_refused(text):
    first, last = layers.Dense(4, name="first"), layers.Dense(4, name="last")
    network = keras.Sequential([layers.InputLayer((6,)), first, Noisy(), last], name="noisy")
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    noisy = Campaign(network, x, np.arange(40) % 4, parse_fault(text))
    with pytest.raises(BadInput, match="differ from call to call, so that a layer is random"):
        agreement(noisy, HALF)
