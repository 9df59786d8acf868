"""The summary against NumPy and SciPy, and how often its interval holds the true mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from ftnoise.core.errors import BadInput
from ftnoise.stats import proportion_interval, summarize

FLOATS = st.integers(-(10**6), 10**6).map(lambda number: number / 1000)


@settings(deadline=None)
@given(st.lists(FLOATS, min_size=2, max_size=30), st.floats(0.01, 0.999))
def test_agrees_with_numpy_and_scipy(values, confidence):
    summary = summarize(values, confidence)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    half = scipy_stats.t.ppf((1 + confidence) / 2, len(values) - 1) * error
    assert summary.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert summary.spread == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-9)
    assert summary.high - summary.mean == pytest.approx(half, rel=1e-6, abs=1e-8)
    assert summary.mean - summary.low == pytest.approx(half, rel=1e-6, abs=1e-8)
    assert summary.count == len(values)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 21, 200])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_interval_is_scipys_to_ten_digits(count, confidence):
    values = np.arange(count, dtype=float)
    summary = summarize(values, confidence)
    expected = scipy_stats.t.interval(
        confidence, count - 1, loc=values.mean(), scale=scipy_stats.sem(values)
    )
    assert (summary.low, summary.high) == pytest.approx(expected, rel=1e-10)


def test_interval_holds_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, [2000, 3])
    found = [summarize(draw) for draw in draws]

    def coverage(scale):
        return np.mean([abs(s.mean - 3.0) <= scale * (s.high - s.mean) for s in found])

    bound = 4 * np.sqrt(0.95 * 0.05 / len(draws))
    assert abs(coverage(1) - 0.95) < bound
    assert abs(coverage(2 / 3) - 0.95) > bound
    assert abs(coverage(3 / 2) - 0.95) > bound


def test_a_single_value_has_no_spread():
    summary = summarize([0.1])
    assert (summary.mean, summary.count) == (0.1, 1)
    assert summary.spread is summary.low is summary.high is None


@settings(deadline=None)
@given(FLOATS, st.integers(2, 7))
def test_equal_values_have_their_own_mean_and_no_spread(value, count):
    summary = summarize([value] * count)
    assert (summary.mean, summary.spread) == (value, 0.0)
    assert summary.low == summary.high == value


def test_takes_numbers_of_numpy():
    assert summarize(np.float32([0.5, 1.5])) == summarize([0.5, 1.5])


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")], ["1"], [True]])
def test_refuses_what_is_no_finite_number(values):
    with pytest.raises(BadInput, match="values="):
        summarize(values)


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 95, True, "0.9", None, float("nan")])
def test_refuses_confidence_out_of_range(confidence):
    with pytest.raises(BadInput, match=f"confidence={confidence!r}"):
        summarize([1.0, 2.0], confidence)


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0, 1), st.floats(0.5, 0.999))
def test_the_interval_of_a_proportion_is_scipys(count, share, confidence):
    hits = round(share * count)
    known = scipy_stats.binomtest(hits, count).proportion_ci(confidence, method="exact")
    assert proportion_interval(hits, count, confidence) == pytest.approx(known, abs=1e-9)


@pytest.mark.parametrize(("hits", "count"), [(-1, 5), (6, 5), (0, 0), (1.5, 5), (True, 5)])
def test_a_proportion_that_is_none(hits, count):
    with pytest.raises(BadInput, match="Expected"):
        proportion_interval(hits, count)
