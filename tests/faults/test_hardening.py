"""Clamped networks and protected parameters."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.hardening import clamped, gradients, most_sensitive
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault, rate_of
from tests.faults.networks import NETWORKS, made


# The recurrent network takes half a minute; masks have a test of their own.
@pytest.mark.parametrize("name", sorted({*NETWORKS} - {"recurrent"}))
@pytest.mark.parametrize(("per", "to"), [("layer", "bound"), ("channel", "zero")])
def test_nothing_changes_on_the_examples_of_the_ranges(name, per, to):
    network, x, y = made(name)
    hardened = clamped(network, x, per=per, to=to)
    np.testing.assert_allclose(hardened.predict(x, verbose=0), network.predict(x, verbose=0), 1e-5)
    fault = parse_fault("parameters:bit_flip:n=1")
    plain, other = ([t.name for t in fault.where.targets(m)] for m in (network, hardened))
    assert plain == other
    if per == "channel":  # one campaign for each network
        assert [t.name for t in Campaign(hardened, x, y, fault).targets] == plain
    again = keras.Model.from_config(
        hardened.get_config(), custom_objects=dict(keras.saving.get_custom_objects())
    )
    assert len(again.layers) == len(hardened.layers)


def test_keras_masks_pass():
    layers = [
        keras.layers.InputLayer((5,), dtype="int32"),
        keras.layers.Embedding(4, 3, mask_zero=True),
        keras.layers.Dense(4, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(2),
    ]
    network, x = keras.Sequential(layers), np.random.default_rng(0).integers(0, 4, (30, 5))
    hardened = clamped(network, x)
    outputs = network.predict(x, verbose=0)
    np.testing.assert_allclose(hardened.predict(x, verbose=0), outputs, rtol=1e-5)
    other = network.predict(np.where(x == 0, 1, x), verbose=0)
    assert np.abs(outputs - other).max() > 1e-3


def test_values_outside_are_moved_or_zeroed():
    network, x, _ = made("dense")
    first = network.layers[1]
    most = np.maximum(keras.Sequential(network.layers[:2]).predict(x, verbose=0), 0)
    for per, high in (("layer", most.max()), ("channel", most.max(axis=0))):
        for to in ("bound", "zero"):
            hardened = clamped(network, x, per=per, to=to)
            clamp = hardened.get_layer(f"{first.name}_clamp")
            given = np.full((1, 8), 1e9, np.float32)
            expected = np.broadcast_to(high if to == "bound" else 0.0, (1, 8))
            np.testing.assert_allclose(clamp(given), expected, rtol=2e-4)
            nan = clamp(np.full((1, 8), np.nan, np.float32)).numpy()
            assert np.isnan(nan).all() == (to == "bound")


def test_neurons_are_hit_before_they_are_clamped():
    network, x, _ = made("dense")
    hardened = clamped(network, x, to="zero")
    with injected(hardened, "neurons,layers=0:stuck_at=1e9:1.0"):
        ours = hardened.predict(x, verbose=0)
    with injected(network, "neurons,layers=0:stuck_at=0:1.0"):
        theirs = network.predict(x, verbose=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_gradient_is_that_of_keras():
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("parameters,stored=float32:bit_flip:n=1"))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(y, network(x), from_logits=True)
        loss = tf.reduce_mean(loss)
    theirs = tape.gradient(loss, network.trainable_variables)
    for one, other in zip(gradients(campaign), theirs, strict=True):
        np.testing.assert_allclose(one, np.abs(other), rtol=1e-3, atol=1e-6)


def test_other_examples_may_rank_the_parameters():
    network, x, y = made("dense")
    fault = parse_fault("parameters,stored=bfloat16:bit_flip:n=1")
    one = Campaign(network, x[:20], y[:20], fault)
    other = Campaign(network, x[20:], y[20:], fault)
    for ours, theirs in zip(
        most_sensitive(one, 0.3, (x[20:], y[20:])), most_sensitive(other, 0.3), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    own, given = (
        np.concatenate([mask.ravel() for mask in most_sensitive(c, 0.3)]) for c in (one, other)
    )
    assert (own != given).any()


@pytest.mark.parametrize("rate", ["n=20", "0.4"])
def test_protected_parameters_are_not_hit(rate):
    network, x, y = made("dense")
    fault = parse_fault("parameters,stored=int8:bit_flip:n=1")
    campaign = Campaign(network, x, y, fault)
    campaign.protected = most_sensitive(campaign, 0.25)
    total = sum(mask.size for mask in campaign.protected)
    assert sum(mask.sum() for mask in campaign.protected) == round(0.25 * total)
    trial = campaign.sampler.trial(0, rate_of(rate))
    inputs, hits = campaign._drawn(trial)
    assert hits < trial.count
    for mask, target, value in zip(campaign.protected, campaign.targets, inputs[0], strict=True):
        np.testing.assert_array_equal(value.numpy()[mask], target.variable.numpy()[mask])
    campaign.protected = [np.ones_like(mask) for mask in campaign.protected]
    np.testing.assert_array_equal(campaign.outputs(0, rate_of(rate)), campaign.golden)


def test_protection_of_the_most_sensitive_saves_more_than_of_others():
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("parameters,stored=int8:bit_flip:n=1"))
    deviations = []
    masks = most_sensitive(campaign, 0.3)
    for protected in (masks, [~mask for mask in masks]):
        campaign.protected = protected
        deviations.append(campaign.run(range(40), rate_of("n=4")).output_deviation_mean.mean())
    assert deviations[0] < deviations[1]


def test_wrong_arguments_are_refused():
    network, x, y = made("dense")
    with pytest.raises(BadInput, match="per layer or channel"):
        clamped(network, x, per="neuron")
    with pytest.raises(BadInput, match="to bound or zero"):
        clamped(network, x, to="mean")
    with pytest.raises(BadInput, match="examples of shape"):
        clamped(network, np.zeros((3, 5)))
    one = keras.Sequential([keras.layers.InputLayer((3,)), keras.layers.Dense(2)])
    with pytest.raises(BadInput, match="hidden layers with units"):
        clamped(one, np.zeros((3, 3), np.float32))
    campaign = Campaign(network, x, y, parse_fault("parameters:bit_flip:n=1"))
    with pytest.raises(BadInput, match="stored in a format"):
        most_sensitive(campaign, 0.1)
