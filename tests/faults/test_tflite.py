"""A network in TensorFlow Lite: the same flips as in Keras, in nothing but its parameters."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults import tflite
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault, rate_of
from ftnoise.faults.tflite import Deployed, interpreted
from tests.faults.test_storage import flips

L = keras.layers


def network(*more):
    """A convolution that is not square, and dense layers of which one kernel is."""
    keras.utils.set_random_seed(0)
    layers = [L.Conv2D(4, (3, 2), activation="relu"), L.DepthwiseConv2D(2), L.Flatten(), *more]
    layers += [L.Dense(12, "relu"), L.Dense(12, "relu"), L.Dense(3)]
    found = keras.Sequential([L.InputLayer((6, 5, 2)), *layers], name="small")
    noise = np.random.default_rng(0)
    found.set_weights([w + noise.normal(0, 0.1, w.shape) for w in found.get_weights()])
    return found


@pytest.fixture(scope="module")
def campaigns():
    made = network()
    x = np.random.default_rng(1).normal(size=(130, 6, 5, 2)).astype(np.float32)
    y = made.predict(x, verbose=0).argmax(axis=1)
    return {one: Campaign(made, x, y, flips(one), seed=3) for one in ("int8", "float16")}


@pytest.fixture(scope="module", params=["int8", "float16"])
def pair(request, campaigns):
    """A campaign and its network as a file."""
    with Deployed(campaigns[request.param]) as deployed:
        yield campaigns[request.param], deployed


def test_the_file_computes_what_the_keras_way_does(pair):
    campaign, deployed = pair
    apart = np.abs(deployed.golden - campaign.golden).max() / np.abs(campaign.golden).max()
    assert apart < (0.1 if campaign.fault.where.stored == "int8" else 1e-3)
    np.testing.assert_array_equal(deployed.golden, interpreted(bytes(deployed.file), campaign.x[0]))
    assert deployed.correct.mean() > 0.95


def test_a_flip_is_one_of_the_same_bit_of_the_same_element(pair):
    campaign, deployed = pair
    before = np.frombuffer(bytes(deployed.file), np.uint8)
    (target_codes,) = [[one[1] for one in deployed._buffers]]
    clean, seen = [codes.copy() for codes in target_codes], set()
    files = []
    original = deployed._outputs
    deployed._outputs = lambda: files.append(
        (bytes(deployed.file), [codes.copy() for codes in target_codes])
    )
    for number in range(40):
        deployed.outputs(number, rate_of("n=1"))
        file, codes = files[-1]
        changed = np.bitwise_xor(before, np.frombuffer(file, np.uint8))
        assert np.unpackbits(changed).sum() == 1
        (hit,) = [n for n, one in enumerate(codes) if (one != clean[n]).any()]
        seen.add(hit)
        # What the Keras way reads back: its codes, in the axes of the parameter.
        values, _ = campaign._inputs_of(campaign.sampler.trial(number, rate_of("n=1")))
        target, places = campaign.targets[hit], deployed._buffers[hit][2]
        theirs = target.code.encode(values[hit]).numpy().ravel()
        theirs ^= target.code.encode(target.variable).numpy().ravel()
        ours = (codes[hit] ^ clean[hit])[places].view(theirs.dtype)
        if target.code.integer == "int32":  # float32 does not hold all of its bits
            np.testing.assert_array_equal(ours != 0, theirs != 0)
        else:
            np.testing.assert_array_equal(ours, theirs)
    assert len(seen) > 3
    deployed._outputs = original
    assert bytes(deployed.file) == before.tobytes()


def test_results_agree_with_the_keras_way_on_the_same_flips(pair):
    campaign, deployed = pair
    rate = rate_of("n=8")
    ours, theirs = deployed.run(range(60), rate), campaign.run(range(60), rate)
    np.testing.assert_array_equal(ours.faults, theirs.faults)
    apart = ours.correct.mean(axis=1) - theirs.correct.mean(axis=1)
    int8 = campaign.fault.where.stored == "int8"
    assert abs(apart.mean()) < (0.03 if int8 else 0.005)
    assert ours.correct.mean() < 0.99
    correlation = np.corrcoef(ours.correct.mean(axis=1), theirs.correct.mean(axis=1))[0, 1]
    assert correlation > (0.8 if int8 else 0.99)
    if not int8:
        np.testing.assert_array_equal(ours.values_not_finite, theirs.values_not_finite)
        np.testing.assert_allclose(ours.outcomes, theirs.outcomes, atol=4)
    again = deployed.run([5, 2], rate)
    np.testing.assert_array_equal(again.correct, ours.correct[[5, 2]])


def test_parameters_that_the_file_does_not_hold_or_holds_twice_are_refused(pair):
    campaign, deployed = pair
    made = network()
    made.set_weights([w + 0.01 * (w.shape == (3,)) for w in made.get_weights()])
    other = Campaign(made, campaign.x[0], campaign.y, flips(campaign.fault.where.stored))
    with pytest.raises(BadInput, match=r"/bias of small to be one constant .* matches=0"):
        tflite._buffers(deployed.file, other)
    merged = SimpleNamespace(network=made, fault=campaign.fault, targets=[campaign.targets[0]] * 2)
    merged.fault = SimpleNamespace(where=SimpleNamespace(targets=lambda _: merged.originals))
    merged.originals = [campaign.fault.where.targets(campaign.network)[0]] * 2
    with pytest.raises(BadInput, match="1, shared"):
        tflite._buffers(deployed.file, merged)


def test_the_end_of_the_process_or_a_damaged_file_is_a_failed_run(pair):
    # The last test of the pair.
    campaign, deployed = pair
    if campaign.fault.where.stored == "int8":
        os.kill(deployed._process.pid, signal.SIGSEGV)
        received = "the end of its process, with exit code -11"
    else:
        deployed.file[:] = bytes(len(deployed.file))
        received = "ValueError"
    with pytest.raises(RunFailed, match=f"to compute the file. Received: {received}"):
        deployed.run([0], rate_of("n=0"))
    deployed.close()
    assert not deployed._process.is_alive()


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_places_follow_the_values(axes):
    value = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    stored = value.transpose(axes).ravel()
    places = tflite._places((stored, np.zeros(16)), value)
    np.testing.assert_array_equal(stored[places], value.ravel())
    assert tflite._places((stored[::-1], np.zeros(16)), value) is None


def test_several_inputs_are_refused():
    inputs = [keras.Input((3,)), keras.Input((3,))]
    made = keras.Model(inputs, L.Dense(2)(L.Concatenate()(inputs)), name="two")
    x = [np.ones((4, 3), np.float32)] * 2
    fault = parse_fault("parameters,stored=float16:bit_flip:n=1")
    with pytest.raises(BadInput, match="two to have one input, to deploy it"):
        Deployed(Campaign(made, x, np.zeros(4, int), fault))
