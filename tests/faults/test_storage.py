"""Formats of stored parameters: codes against NumPy, one bit of the code in every trial."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.faults.agreement import agreement
from ftnoise.faults.callback import FaultInjection
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.outcomes import OUTCOMES, Outcomes
from ftnoise.faults.parsing import parse_fault, rate_of
from ftnoise.faults.storage import Code, Storage
from ftnoise.faults.where import FORMATS, Neurons
from ftnoise.stats.interval import student_interval
from ftnoise.training.weights.faults_in_training import FaultsInTraining
from ftnoise.user.inject import inject
from ftnoise.user.result import InjectionResult
from ftnoise.user.settings import CampaignSettings
from tests.faults.networks import made, right_now

BITS = {"float32": 32, "bfloat16": 16, "float16": 16}


def flips(stored: str, where: str = "parameters", bit: str = "", rate: str = "n=1"):
    return parse_fault(f"{where},stored={stored}:bit_flip{bit}:{rate}")


def popcount(one, other, kind):
    """Number of different bits of the two arrays' representations."""
    bits = one.view(kind) ^ other.view(kind)
    return int(np.unpackbits(np.ascontiguousarray(bits).view(np.uint8)).sum())


@pytest.mark.parametrize(
    ("name", "stored"),
    [*(("dense", stored) for stored in FORMATS), ("convolutions", "int8"), ("residual", "int8")],
)
def test_one_bit_of_the_code_differs_in_every_trial(name, stored):
    network, x, y = made(name)
    campaign = Campaign(network, x, y, flips(stored))
    agreement(campaign)
    golden = {target.name: target.variable.numpy() for target in campaign.targets}
    seen = set()
    for trial in range(30):
        values, _ = campaign._inputs_of(campaign.sampler.trial(trial, rate_of("n=1")))
        bits = 0
        for target, value in zip(campaign.targets, values, strict=True):
            code, old, new = target.code, golden[target.name], value.numpy()
            if code.number:
                kind = {"float32": np.float32, "float16": np.float16}.get(code.number)
                if kind is None:  # bfloat16 is the upper half of float32
                    bits += popcount(old, new, np.uint32)
                    assert not (new.view(np.uint32) & 0xFFFF).any()
                else:
                    view = np.uint32 if kind is np.float32 else np.uint16
                    bits += popcount(old.astype(kind), new.astype(kind), view)
            else:
                # Not by the code of the package: a value is a whole number of scales.
                steps = [
                    np.round(part.astype(np.float64) / code.scale).astype(np.int64)
                    for part in (old, new)
                ]
                changed = np.flatnonzero(steps[0] != steps[1])
                for at in changed:
                    pair = [np.int64(part.ravel()[at]) for part in steps]
                    # Codes near 2 ** 31 are rounded to a float32.
                    apart = float(abs(pair[1] - pair[0]))
                    power = 2.0 ** round(np.log2(apart))
                    assert apart == pytest.approx(power, rel=1e-5)
                    bits += 1
            if (old != new).any():
                seen.add(target.name)
        assert bits == 1
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("name", "stored", "rate"),
    [
        ("dense", "int8", "n=2"),
        ("dense", "float16", "0.3"),
        ("convolutions", "bfloat16", "n=2"),
        ("convolutions", "int8", "0.3"),
        ("residual", "float32", "n=2"),
        ("residual", "int8", "0.3"),
    ],
)
def test_the_campaign_and_the_injected_model_agree(name, stored, rate):
    network, x, y = made(name)
    fault = flips(stored, rate=rate)
    before = network.get_weights()
    ours = Campaign(network, x, y, fault, seed=3).outputs(1, fault.rate)
    with injected(network, fault, seed=3, trial=1, examples=x) as trial:
        assert trial.count == sum(len(at) for _, at in trial.sites)
        theirs = right_now(network, x, y)[0]
    np.testing.assert_array_equal(ours, theirs)
    for one, same in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def test_int8_has_a_scale_for_each_channel_and_biases_of_32_bits():
    network, x, _ = made("convolutions")
    for layer in network.layers:  # channels of very different sizes; a channel without weights
        if layer.weights:
            kernel, bias = layer.get_weights()
            kernel *= 10.0 ** -np.arange(kernel.shape[-1])
            kernel[..., -1] = 0
            layer.set_weights([kernel, bias + 0.1])
    storage = Storage(network, "int8", [np.asarray(x)])
    for target, original in zip(storage.targets, storage.originals, strict=True):
        stored, value = target.variable.numpy(), original.variable.numpy()
        if target.kind == "kernel":
            most = np.abs(value).max(axis=tuple(range(value.ndim - 1)))
            assert target.code.integer == "int8"
            assert (np.abs(stored - value) <= most / 127 * 0.5001)[..., :3].all()
            codes = target.code.encode(stored).numpy()
            np.testing.assert_array_equal(
                np.abs(codes).reshape(-1, codes.shape[-1]).max(axis=0)[:3], 127
            )
        else:
            assert target.code.integer == "int32"
            np.testing.assert_allclose(stored, value, atol=1e-3)
    first = network.layers[0]
    scale = np.abs(first.get_weights()[0]).max(axis=(0, 1, 2)) / 127
    width = (max(np.max(x), 0) - min(np.min(x), 0)) / 255
    (bias,) = [target for target in storage.targets if target.name == f"{first.name}/bias"]
    np.testing.assert_allclose(bias.code.scale[:-1], scale[:-1] * width, rtol=1e-5)


def test_depthwise_channels_and_batch_normalization():
    network, x, _ = made("residual")
    found = {target.name: target for target in Storage(network, "int8", [np.asarray(x)]).targets}
    depthwise = found["depthwise_conv2d/depthwise_kernel"]
    assert depthwise.code.scale.shape == (1, 1, 5, 1)
    assert depthwise.code.scale.ravel().shape == found["depthwise_conv2d/bias"].code.scale.shape
    assert found["batch_normalization/gamma"].code.number == "float32"


@pytest.mark.parametrize("stored", BITS)
def test_sites_are_bits_and_a_bit_has_its_value(stored):
    network, x, y = made("dense")
    parameters = sum(variable.numpy().size for variable in network.trainable_variables)
    assert Campaign(network, x, y, flips(stored)).site_count == parameters * BITS[stored]
    assert Campaign(network, x, y, flips(stored, bit="=3")).site_count == parameters
    code = Campaign(network, x, y, flips(stored)).targets[0].code
    one = tf.ones([1])
    sign = code.flipped(one, code.masks(tf.constant([True]), BITS[stored] - 1))
    assert sign.numpy().tolist() == [-1.0]
    lowest = code.flipped(one, code.masks(tf.constant([True]), 0)).numpy()[0]
    assert lowest - 1 == {"float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}[stored]


def test_int8_codes_wrap_as_twos_complement():
    code = Code("int8", scale=np.float32(1.0))
    values = np.array([0, 1, -1, 127, -127, 5], np.float32)
    for bit in range(8):
        found = code.flipped(values, code.masks(np.ones(6, bool), bit)).numpy()
        expected = (values.astype(np.int8).view(np.uint8) ^ np.uint8(1 << bit)).view(np.int8)
        np.testing.assert_array_equal(found, expected)
    both = code.masks(np.array([[True, *[False] * 6, True]]), None).numpy()
    assert both.tolist() == [-127]


def outputs_at(campaign, sites):
    """The outputs with faults at given sites, `[n, classes]`."""
    calls = campaign._calls_at([np.array(sites)] * campaign.trials_per_call)
    return np.concatenate([found["outputs"].numpy() for found, _ in calls])


def test_flips_at_given_sites_are_those_of_the_trial():
    network, x, y = made("dense")
    fault = flips("int8", rate="n=3")
    campaign = Campaign(network, x, y, fault)
    trial = campaign.sampler.trial(2, fault.rate)
    flat = np.flatnonzero(np.concatenate([hit.ravel() for hit in trial.hits]))
    np.testing.assert_array_equal(outputs_at(campaign, flat), campaign.outputs(2, fault.rate))
    ours, theirs = campaign.run_at([flat, flat[:1]]), campaign.run([2], fault.rate)
    np.testing.assert_array_equal(ours.correct[0], theirs.correct[0])
    assert ours.faults.tolist() == [3, 1]


@pytest.mark.parametrize("bit", ["", "=7"])
def test_few_and_many_flips_are_of_the_same_arithmetic(bit):
    network, x, y = made("dense")
    fault = flips("int8", bit=bit, rate="n=40")
    campaign = Campaign(network, x, y, fault)
    dense = campaign.sampler.trial(0, fault.rate)
    flat = np.flatnonzero(np.concatenate([hit.ravel() for hit in dense.hits]))
    for one, other in zip(
        campaign._inputs_of(dense)[0],
        campaign._parameters_with(campaign.sampler.few(flat, None))[0],
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_indices_are_those_of_parameters():
    network, x, y = made("dense")
    fault = parse_fault("weights,stored=int8,layers=1,indices=9+11:bit_flip:n=3")
    campaign = Campaign(network, x, y, fault)
    assert campaign.site_count == 16
    for trial in range(9):
        ((_, places),) = campaign.sampler.trial(trial, fault.rate).sites
        elements = np.ravel_multi_index(places[:, :2].T, campaign.targets[0].variable.shape)
        assert {*elements.tolist()} <= {9, 11}


def test_other_effects_hit_what_is_read_back():
    network, x, y = made("dense")
    fault = parse_fault("weights,stored=int8:stuck_at_zero:0.5")
    campaign = Campaign(network, x, y, fault)
    values, _ = campaign._inputs_of(campaign.sampler.trial(0, fault.rate))
    for target, value in zip(campaign.targets, values, strict=True):
        kept = value.numpy() != 0
        np.testing.assert_array_equal(value.numpy()[kept], target.variable.numpy()[kept])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameters,stored=int4:bit_flip:n=1", "stored to be one of float32, bfloat16"),
        ("neurons,stored=int8:bit_flip:n=1", "stored to be None for outputs of neurons"),
    ],
)
def test_wrong_formats_are_refused(text, expected):
    with pytest.raises(BadInput, match=expected):
        parse_fault(text)


def test_what_cannot_be_stored_is_refused():
    network, x, y = made("dense")
    with pytest.raises(BadInput, match=r"a bit from 0 to 7 for dense/kernel.*int8.*bit=8"):
        Campaign(network, x, y, flips("int8", bit="=8"))
    with (
        pytest.raises(BadInput, match="Expected examples for int8"),
        injected(network, flips("int8")),
    ):
        pass
    network, x, y = made("recurrent")
    with pytest.raises(BadInput, match=r"dense and convolutional layers for int8.*embedding"):
        Campaign(network, x, y, flips("int8"))
    wrapped = keras.layers.TimeDistributed(keras.layers.Dense(5))
    layers = [keras.layers.InputLayer((3, 4)), wrapped, keras.layers.Flatten()]
    network = keras.Sequential([*layers, keras.layers.Dense(2)])
    with pytest.raises(BadInput, match=r"layers for int8. Received: .*, a TimeDistributed"):
        Campaign(network, np.zeros((2, 3, 4)), np.zeros(2, int), flips("int8"))
    with pytest.raises(BadInput, match="a fault in training without a stored format"):
        FaultsInTraining(fault=flips("int8"))
    with pytest.raises(BadInput, match="a fault in training without a stored format"):
        FaultInjection(flips("int8"), schedule=0.1)
    with pytest.raises(BadInput, match="stored"):
        Neurons(stored="int8")


def test_sums_saturate_at_their_range_on_examples():
    """A flipped high bit of a bias moves a logit to the end of its range, and no further."""
    network, x, y = made("dense")
    logits = network.predict(x, verbose=0)
    for layer in range(3):
        campaign = Campaign(network, x, y, flips("int8", f"biases,layers={layer}", "=30"))
        for site in range(3):
            outputs = outputs_at(campaign, [site])
            assert outputs.max() <= logits.max() + 1e-6
            assert outputs.min() >= logits.min() - 1e-6
    for site in range(4):
        outputs = outputs_at(campaign, [site])
        ends = [logits.min(), logits.max()]
        assert np.min(np.abs(outputs[:, site, None] - ends), axis=1).max() < 1e-5
    # With the highest bit the sum of a negative logit leaves 32 bits, and wraps to the upper end.
    campaign = Campaign(network, x, y, flips("int8", "biases,layers=2", "=31"))
    for site in range(4):
        wrapped = np.where(logits[:, site] < 0, logits.max(), logits.min())
        np.testing.assert_allclose(outputs_at(campaign, [site])[:, site], wrapped, 1e-5)
    with injected(network, flips("int8", "biases,layers=2", "=30"), examples=x):
        assert network.predict(x, verbose=0).max() <= logits.max() + 1e-6
    np.testing.assert_array_equal(network.predict(x, verbose=0), logits)


def campaigns_of(results, generator, trials=40, campaigns=200, **settings):
    """Results of campaigns that draw their trials from those of an enumeration."""
    checked = CampaignSettings.of(flips("int8"), trials=trials, **settings)
    arrays = results.to_arrays()
    for _ in range(campaigns):
        drawn = generator.integers(len(results.correct), size=trials)
        outcomes = Outcomes(
            checked.rates,
            np.ones(results.correct.shape[1], bool),
            np.arange(results.correct.shape[1]) % 4,
            [{name: array[drawn] for name, array in arrays.items()}],
        )
        yield InjectionResult(
            model="own",
            settings=checked,
            sites=len(results.correct),
            checks="",
            weights="",
            outcomes=outcomes,
            float32_accuracy=100.0,
        )


@pytest.mark.parametrize("stored", ["int8", "bfloat16", "float16"])
def test_intervals_of_outcomes_and_fit_hold_the_mean_over_all_flips(stored):
    """All single flips of a small network are the truth, and campaigns draw some of them."""
    network, x, y = made("dense")
    kernel = network.layers[-1].kernel
    kernel.assign(3 * kernel)  # a flip in the exponent of some makes them infinite or NaN
    campaign = Campaign(network, x, y, flips(stored))
    every = campaign.run_at([np.array([site]) for site in range(campaign.site_count)])
    true = dict(zip(OUTCOMES, 100 * every.outcomes.mean(axis=0) / len(y), strict=True))
    held = dict.fromkeys(("sdc_1_rate", "due_rate", "fit", "student"), 0)
    generator, campaigns = np.random.default_rng(0), 200
    for found in campaigns_of(every, generator, campaigns=campaigns, fit_per_mbit=2**20):
        for name in ("sdc_1_rate", "due_rate"):
            outcome = found.rows[0].outcomes[name]
            held[name] += outcome.low <= true[name] <= outcome.high
        _, low, high = found.fit
        held["fit"] += low <= true["sdc_1_rate"] / 100 * campaign.site_count <= high
        rates = found.outcomes.outcome_rates(0)["sdc_1_rate"]
        student = student_interval(rates, 0.95, 0.0, 100.0)
        held["student"] += student.low <= true["sdc_1_rate"] <= student.high
    shares = {name: count / campaigns for name, count in held.items()}
    assert min(shares[name] for name in ("sdc_1_rate", "due_rate", "fit")) >= 0.95
    assert stored == "int8" or true["due_rate"] > 0
    # Few flips do all the harm.
    assert shares["student"] < 0.95


def test_the_interval_of_fit_is_valid_where_trials_stop_at_a_half_width():
    network, x, y = made("dense")
    found = inject(
        network, x, y, flips("bfloat16"), half_width=8.0, max_trials=400, fit_per_mbit=100
    )
    sequence = found.settings.precision.sequence()
    sequence.update(found.outcomes.outcome_rates(0)["sdc_1_rate"])
    factor = 100 * found.sites / 2**20 / 100
    ends = factor * np.array([sequence.interval.low, sequence.interval.high])
    np.testing.assert_allclose(found.fit[1:], ends)
