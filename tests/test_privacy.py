"""Epsilons against values of the literature and of other software, and what bounds what."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import norm

from ftnoise import privacy
from ftnoise.core.errors import BadInput
from ftnoise.privacy import Mechanism, gaussian, noise_for, statement, unamplified

# Tables 7 and 8: 60 epochs of batches of 250 out of 60,000.
TABLE = {"batch_size": 250, "examples": 60_000, "steps": 14_400}


def mechanism(noise, sampler="poisson", **changes):
    return Mechanism(noise_multiplier=noise, sampler=sampler, **TABLE | changes)


@pytest.mark.parametrize(
    ("noise", "paper", "rdp", "pld"),
    [(5.0, 0.4918, 0.381, 0.346), (1.1, 2.9699, 2.562, 2.350), (0.5, 24.6624, 23.202, 20.89)],
)
def test_epsilons_of_poisson_batches(noise, paper, rdp, pld):
    found = statement(mechanism(noise))
    assert found.epsilon_paper == pytest.approx(paper, rel=1e-3)
    assert found.epsilon_rdp == pytest.approx(rdp, rel=1e-3)
    assert found.epsilon_pld == pytest.approx(pld, rel=1e-3)
    assert found.epsilon == found.low == min(found.epsilon_rdp, found.epsilon_pld)


def test_an_epsilon_beyond_a_pld_is_that_of_the_releases():
    found = statement(mechanism(0.05))
    assert found.epsilon_pld is None
    assert found.epsilon_rdp == pytest.approx(2.30e6, rel=1e-3)
    # Next to no noise hides nothing of a batch, so all that counts is in how many one is.
    assert found.epsilon == unamplified(mechanism(0.05)) == pytest.approx(20_269, rel=1e-3)
    assert found.theorem1 == found.theorem1_replace_one == math.inf


def test_an_example_is_in_no_more_batches_than_counted():
    few = dataclasses.replace(mechanism(0.05), batch_size=59_999, steps=2)
    assert unamplified(few) == pytest.approx(gaussian(0.05, 2, 1e-5), rel=1e-6)


def test_next_to_no_loss_is_not_rounded_to_none():
    little = dataclasses.replace(mechanism(100.0), batch_size=1, steps=10**5)
    # By then the examples can be told apart with more than delta.
    assert 0.001 < statement(little).epsilon < 0.01
    assert 0.001 < statement(little).epsilon_rdp < 0.01


@pytest.mark.parametrize(
    ("noise", "low", "high"),
    [(5.0, 0.0, 7.329), (1.1, 10.7, 54.05), (0.5, 170, 185.2), (0.05, 12_600, 12_660)],
)
def test_the_interval_of_shuffled_batches(noise, low, high):
    found = statement(mechanism(noise, "shuffled"))
    assert found.epsilon == pytest.approx(high, rel=1e-3)
    assert found.low >= low * 0.995
    assert found.low <= found.epsilon
    assert found.epsilon_rdp is found.epsilon_pld is None


def test_a_poisson_epsilon_is_no_guarantee_for_shuffled_batches():
    assert statement(mechanism(1.1, "shuffled")).low > 4 * statement(mechanism(1.1)).epsilon


@pytest.mark.parametrize("noise", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("count", [1, 7])
def test_the_gaussian_epsilon_has_the_delta_it_is_for(noise, count):
    epsilon = gaussian(noise, count, 1e-5)
    mu = math.sqrt(count) / noise
    # Independently: the hockey-stick divergence of two Gaussians, by numerical integration.
    x = np.linspace(-40, 40, 400_001)
    gap = norm.pdf(x, mu, 1) - np.exp(epsilon) * norm.pdf(x, 0, 1)
    delta = np.sum(np.maximum(gap, 0)) * (x[1] - x[0])
    assert delta == pytest.approx(1e-5, rel=1e-3)


def test_no_noise_to_speak_of():
    assert gaussian(1e-3, 1, 1e-5) == pytest.approx(5e5, rel=0.02)


def test_the_lower_bound_of_one_pass_is_that_of_two_samples():
    """Independently of any PLD: how well the largest batch tells the pair apart, by simulation."""
    noise, passes, batches = 1.0, 1, 40
    low = privacy.shuffled_lower_bound(
        mechanism(noise, "shuffled", batch_size=10, examples=10 * batches, steps=passes * batches)
    )
    edges = np.linspace(-2, 9, 4001)
    one, two = (norm.cdf(edges - mean) * norm.cdf(edges) ** (batches - 1) for mean in (1.0, 2.0))
    gaps = np.diff(two) - np.exp(low) * np.diff(one)
    assert np.sum(np.maximum(gaps, 0)) == pytest.approx(1e-5, rel=0.1)


def test_more_steps_more_examples_and_more_noise():
    def epsilon(noise=1.1, sampler="poisson", **changes):
        return statement(mechanism(noise, sampler, **changes)).epsilon

    for sampler in privacy.SAMPLERS:
        assert epsilon(sampler=sampler) < epsilon(sampler=sampler, steps=28_800)
        assert epsilon(1.2, sampler) < epsilon(sampler=sampler)
    assert epsilon(examples=120_000) < epsilon()
    # A step more than an epoch is a second use of an example.
    assert mechanism(1, steps=240).epochs == 1
    assert mechanism(1, steps=241).epochs == 2
    assert mechanism(1, examples=60_001, steps=241).epochs == 1


def test_a_pass_that_is_not_completed_bounds_nothing_from_below():
    for steps, low in ((239, 0.0), (240, 2.965), (479, 2.965)):
        found = privacy.shuffled_lower_bound(mechanism(1.1, "shuffled", steps=steps))
        assert found == pytest.approx(low, abs=0.01)


@pytest.mark.parametrize("noise", [*privacy.NOISE, 0.03, 100.0])
@pytest.mark.parametrize("sampler", privacy.SAMPLERS)
def test_the_ends_of_the_range_have_a_statement(noise, sampler):
    found = statement(mechanism(noise, sampler))
    assert 0 <= found.low <= found.epsilon < math.inf


def test_theorem_1_as_printed_and_for_replaced_examples():
    found = statement(mechanism(5.0))
    assert found.theorem1 == pytest.approx(math.exp(0.4918) - 1 + 1e-5, rel=1e-3)
    assert found.theorem1_replace_one == pytest.approx(0.998, abs=0.001)
    assert privacy.bound(math.log(2), 0) == pytest.approx(1)


@pytest.mark.parametrize(("sampler", "target"), [("poisson", 3.0), ("shuffled", 3.0)])
def test_the_noise_for_an_epsilon_is_the_smallest(sampler, target):
    noise = noise_for(target, sampler=sampler, delta=1e-5, **TABLE)
    assert statement(mechanism(noise, sampler)).epsilon <= target
    assert statement(mechanism(noise / 1.002, sampler)).epsilon > target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_multiplier": 0}, "noise_multiplier > 0, in 0.001 to 10000. Received: noise_mul"),
        ({"noise_multiplier": 1e-200}, "noise_multiplier > 0, in 0.001"),
        ({"noise_multiplier": float("nan")}, "noise_multiplier > 0"),
        ({"batch_size": 60_001}, "batch_size in 1 to 60000"),
        ({"batch_size": 0}, "batch_size in 1 to 60000"),
        ({"steps": 0}, "steps in 1 to 10000000"),
        ({"examples": 0}, "examples in 1 to 1000000000000"),
        ({"delta": 0}, "delta in (0, 1)"),
        ({"delta": 1}, "delta in (0, 1)"),
        ({"sampler": "cyclic"}, "sampler in ('poisson', 'shuffled')"),
    ],
)
def test_bad_fields_are_named(changes, message):
    with pytest.raises(BadInput) as failure:
        Mechanism(**{"noise_multiplier": 1.0} | TABLE | changes)
    assert message in str(failure.value)


@pytest.mark.parametrize("target", [0, -1, float("inf")])
def test_a_target_that_is_no_epsilon(target):
    with pytest.raises(BadInput, match="target_epsilon > 0"):
        noise_for(target, sampler="poisson", delta=1e-5, **TABLE)
