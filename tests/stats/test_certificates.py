"""Certified sizes: printed values, closed forms, monotony, and how often bounds hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brute

from ftnoise.core.errors import BadInput
from ftnoise.stats.certificates import (
    bernstein_bounds,
    gaussian_sizes,
    gaussian_std,
    hoeffding_bounds,
    laplace_sizes,
    private_sizes,
    probability_of,
    sequential_bounds,
    vote_bounds,
)

STD = gaussian_std(0.1)
probability = st.floats(0, 1)


def test_values_of_the_authors_code():
    assert pytest.approx(0.253727, abs=1e-6) == STD
    found = private_sizes([0.9, 0.99, 1.0], [0.05, 0.005, 0.0], STD)
    np.testing.assert_allclose(found, [0.1217, 0.1425, 0.1447], atol=1e-4)
    assert laplace_sizes(0.9, 0.05, 0.1) == pytest.approx(0.14452, abs=1e-5)


def test_the_largest_size_fulfills_the_condition_and_no_other_is_larger():
    generator = np.random.default_rng(0)
    for p_a, p_b in generator.uniform(size=(20, 2)):

        def size(point, p_a=p_a, p_b=p_b):
            epsilon, delta = point
            holds = p_a >= math.exp(2 * epsilon) * p_b + (1 + math.exp(epsilon)) * delta
            return -STD * epsilon / math.sqrt(2 * math.log(1.25 / delta)) if holds else 0.0

        least = brute(size, [slice(0, 1.001, 0.01), slice(0.001, 0.299, 0.002)], finish=None)
        found = private_sizes(p_a, p_b, STD)
        assert found >= -size(least) - 1e-12
        assert found <= -size(least) + 0.01


def test_cohens_sizes():
    assert gaussian_sizes(0.9, 0.1, 0.25) == pytest.approx(0.25 * scipy.stats.norm.ppf(0.9))
    two = scipy.stats.norm.ppf(0.8) - scipy.stats.norm.ppf(0.15)
    assert gaussian_sizes(0.8, 0.15, 0.5) == pytest.approx(0.25 * two)
    assert gaussian_sizes(1.0, 0.0, 0.5) == math.inf


def test_the_probability_of_a_size_is_the_inverse():
    for sizes, kind in ((gaussian_sizes, "gaussian"), (laplace_sizes, "laplace")):
        p = probability_of(0.3, 0.5, kind)
        assert sizes(p, 1 - p, 0.5) == pytest.approx(0.3)


SIZES = (private_sizes, laplace_sizes, gaussian_sizes)


@pytest.mark.parametrize("sizes", SIZES)
@given(p_a=probability, p_b=probability, more=st.floats(0, 0.3))
def test_sizes_rise_with_p_a_fall_with_p_b_and_scale_with_the_noise(sizes, p_a, p_b, more):
    here = sizes(p_a, p_b, 0.5)
    assert here >= 0
    if p_a <= p_b:
        assert here == 0
    assert sizes(min(1, p_a + more), p_b, 0.5) >= here - 1e-6
    assert sizes(p_a, min(1, p_b + more), 0.5) <= here + 1e-6
    if math.isfinite(here):
        assert sizes(p_a, p_b, 1.5) == pytest.approx(3 * here)


@given(p_a=probability, p_b=probability, size=st.floats(0.01, 10))
def test_no_private_size_is_above_1447_thousandths_of_the_construction_size(p_a, p_b, size):
    assert private_sizes(p_a, p_b, gaussian_std(size)) <= 1.4475 * size


@given(p=st.floats(0.5, 1))
def test_the_normal_certificate_is_never_below_the_private_one(p):
    assert gaussian_sizes(p, 1 - p, STD) >= private_sizes(p, 1 - p, STD) - 1e-12


@given(votes=st.integers(0, 50), alpha=st.sampled_from([0.001, 0.05, 0.3]))
def test_bounds_of_votes_are_scipys(votes, alpha):
    low, high = vote_bounds(votes, 50, alpha)
    interval = scipy.stats.binomtest(votes, 50).proportion_ci(1 - 2 * alpha, "exact")
    assert (low, high) == (pytest.approx(interval.low), pytest.approx(interval.high))


@pytest.mark.parametrize("p", [0.03, 0.5, 0.9, 0.99])
def test_bounds_are_wrong_at_most_as_often_as_stated(p):
    generator, draws, alpha = np.random.default_rng(0), 60, 0.05
    values = generator.random((4000, draws)) < p
    votes = values.sum(1)
    for low, high in (
        vote_bounds(votes, draws, alpha),
        hoeffding_bounds(votes / draws, draws, alpha),
        bernstein_bounds(votes / draws, values.var(1, ddof=1), draws, alpha),
    ):
        assert np.mean(low > p) <= alpha + 0.01
        assert np.mean(high < p) <= alpha + 0.01
        assert np.all(low <= votes / draws)
    along = np.cumsum(values, 1)
    low, high = sequential_bounds(along, np.arange(1, draws + 1), alpha)
    assert np.mean(np.any((low > p) | (high < p), axis=1)) <= alpha


def test_sequential_bounds_are_roots_of_the_mixture():
    low, high = sequential_bounds(30, 100, 0.01)
    for end in (low, high):
        mixture = scipy.special.beta(31, 71)
        assert end**30 * (1 - end) ** 70 == pytest.approx(0.01 * mixture, rel=1e-6)
    assert sequential_bounds(0, 0, 0.05) == (0, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_std(0.0),
        lambda: gaussian_std(0.1, delta=0.0),
        lambda: private_sizes(0.9, 0.1, 0.0),
        lambda: laplace_sizes(0.9, 0.1, -1.0),
        lambda: gaussian_sizes(0.9, 0.1, math.nan),
        lambda: vote_bounds(3, 10, 0.0),
        lambda: hoeffding_bounds(0.3, 10, 1.0),
        lambda: bernstein_bounds(0.3, 0.1, 10, 2.0),
        lambda: sequential_bounds(3, 10, math.nan),
    ],
)
def test_bad_input(call):
    with pytest.raises(BadInput):
        call()
