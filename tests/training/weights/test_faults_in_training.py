"""Faults in training: in each step and nowhere else, at sites of their own, with exact counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import SignFlip, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.keyed import smallest
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Count, Share
from ftnoise.faults.where import Neurons, Weights
from ftnoise.layers.drawing import forward
from ftnoise.training import Training
from ftnoise.training.weights.faults_in_training import FaultsInTraining, drawn

STUCK = Fault(where=Weights(), what=StuckAt(), rate=Share(rate=1))


def member(text):
    return FaultsInTraining(fault=parse_fault(text))


def test_a_stuck_weight_keeps_its_stored_value_and_the_biases_learn(run_of, images):
    training = Training(weights=FaultsInTraining(fault=STUCK))
    network = training.train(run_of(training, epochs=1), images())
    # The rate is too small to change a weight.
    start = Training().train(run_of(epochs=1, learning_rate=1e-30), images())
    for layer in (0, -1):
        np.testing.assert_array_equal(network.layers[layer].kernel, start.layers[layer].kernel)
    assert np.abs(network.layers[-1].bias).max() > 0


@pytest.mark.parametrize(
    "text", ["neurons:stuck_at=0:0.5", "weights:sign_flip:0.5", "biases:random_value=1,high=2:1.0"]
)
def test_the_loss_of_a_step_is_that_of_the_faults_and_that_of_the_test_is_not(
    text, run_of, images, memory
):
    data, found = images(), []
    for slots in ({}, {"weights": member(text)}):
        # The rate is too small to change a weight.
        training, checkpointing = Training(**slots), memory()
        run = run_of(training, epochs=2, batch_size=37, learning_rate=1e-30, momentum=0.0)
        training.train(run, data, checkpointing)
        found.append(checkpointing.history)
    (clean, same), (one, two) = found
    assert clean["loss"] == same["loss"]
    # Anew in each step, and never in the tests.
    assert len({clean["loss"], one["loss"], two["loss"]}) == 3
    assert clean["val_loss"] == one["val_loss"] == two["val_loss"]


@pytest.mark.parametrize("where", [Neurons(), Weights()])
def test_the_pass_is_that_of_the_drawn_sites_and_leaves_no_trace(where, run_of, images):
    fault = Fault(where=where, what=SignFlip(), rate=Share(rate=0.5))
    spec = FaultsInTraining(fault=fault)
    network = spec.rebuild(run_of().architecture.build())
    x, seed = tf.constant(images().x_test), tf.constant([3, 4], tf.int64)
    golden, before = network(x).numpy(), network.get_weights()
    with spec.during_pass(network, seed):
        found = forward(network, x, [1, 2]).numpy()
    np.testing.assert_array_equal(network(x), golden)
    pairs = drawn(fault, fault.where.targets(network), seed)
    convolution, output = network.layers[0], network.layers[-1]
    signs = [np.where(hit, -1.0, 1.0).astype(np.float32) for hit, _ in pairs]
    if where == Neurons():
        hidden = convolution(x).numpy() * signs[0]
        known = hidden.reshape(len(x), -1) @ output.kernel.numpy() + output.bias.numpy()
    else:
        for layer, sign in zip((convolution, output), signs, strict=True):
            layer.kernel.assign(layer.kernel * sign)
        known = network(x).numpy()
        network.set_weights(before)
    np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-5)
    assert np.abs(found - golden).max() > 1e-3


def test_chosen_sites_are_hit_and_no_others(run_of):
    network = run_of().architecture.build()
    where = Weights(layers=(1,), indices=(0, 5, 9))
    fault = Fault(where=where, what=StuckAt(), rate=Count(faults=2))
    counts = np.zeros(64 * 3)
    for key in range(60):
        ((hit, draw),) = drawn(fault, where.targets(network), tf.constant([key, 0], tf.int64))
        assert draw is None
        assert np.count_nonzero(hit) == 2
        counts += np.ravel(hit)
    assert list(np.flatnonzero(counts)) == [0, 5, 9]
    assert np.abs(counts[[0, 5, 9]] - 40).max() < 5 * np.sqrt(60 * 2 / 9)


@pytest.mark.parametrize(
    ("sites", "count"), [(1, 1), (7, 0), (7, 3), (7, 7), (300, 30), (20_000, 6_000)]
)
def test_counts_are_exact_and_every_site_is_as_likely(sites, count):
    repetitions = 200
    hits = np.zeros(sites)
    function = tf.function(lambda seed: smallest(sites, count, seed))
    for key in range(repetitions):
        hit = function(tf.constant([key, 1], tf.int64)).numpy()
        assert hit.shape == (sites,)
        assert np.count_nonzero(hit) == count
        hits += hit
    share = count / sites
    deviation = np.square(hits - repetitions * share).sum()
    known = repetitions * share * (1 - share) * sites
    # Two-sided: a chi-squared statistic with about `sites` degrees of freedom.
    assert abs(deviation - known) <= 5 * np.sqrt(2 / sites) * known


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda network: FaultsInTraining(fault="weights"), "fault to be a Fault"),
        (
            lambda network: FaultsInTraining(fault=dataclasses.replace(STUCK, transient=True)),
            "not transient",
        ),
        (lambda network: member("weights:stuck_at=0:n=999").rebuild(network), "at most 228 faults"),
        (lambda network: member("channels=9:stuck_at=0:0.5").rebuild(network), "Received: '?9"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make, line, run_of):
    with pytest.raises(BadInput, match=line) as failure:
        make(run_of().architecture.build())
    assert "\n" not in str(failure.value)
