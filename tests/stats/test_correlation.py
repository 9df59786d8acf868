"""Rank correlation: SciPy's number, and an interval that knows of clusters."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from ftnoise.core.errors import BadInput
from ftnoise.stats.correlation import _correlation, rank_correlation


@pytest.mark.parametrize("seed", range(5))
def test_it_is_scipys_with_ties_too(seed):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 6, size=40).astype(float)
    y = x + generator.integers(-3, 4, size=40)
    found = rank_correlation(x, y, range(40), resamples=100)
    assert found.mean == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.low <= found.mean <= found.high


def test_a_draw_counts_pairs_as_often_as_they_are_drawn():
    generator = np.random.default_rng(0)
    xs, ys = generator.integers(0, 6, size=(2, 40))
    times = generator.integers(0, 4, size=40)
    repeated = scipy.stats.spearmanr(np.repeat(xs, times), np.repeat(ys, times)).statistic
    assert _correlation(xs, ys, times.astype(float)) == pytest.approx(repeated, abs=1e-12)


def test_a_rising_function_has_the_correlation_1_whatever_is_drawn():
    x = np.arange(12.0)
    found = rank_correlation(x, x**3, range(12), resamples=100)
    assert (found.mean, found.high) == (1, 1)


def test_the_interval_covers_the_correlation_of_clusters():
    """Copies of a pair are no further pairs: as single ones they would make it too short."""
    generator = np.random.default_rng(0)
    true, hits, naive = 6 / np.pi * np.arcsin(0.5 / 2), 0, 0
    campaigns = 200
    for _ in range(campaigns):
        pairs = generator.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=60)
        x, y = np.repeat(pairs, 5, axis=0).T
        clusters = np.repeat(np.arange(60), 5)
        found = rank_correlation(x, y, clusters, resamples=200)
        hits += found.low <= true <= found.high
        wrong = rank_correlation(x, y, range(300), resamples=100)
        naive += wrong.low <= true <= wrong.high
    assert hits / campaigns > 0.9
    assert naive / campaigns < 0.75


def test_it_is_the_same_at_each_call():
    x, y = np.random.default_rng(1).normal(size=(2, 30))
    assert rank_correlation(x, y, range(30)) == rank_correlation(x, y, range(30))


@pytest.mark.parametrize(
    "arguments",
    [
        ([1, 2], [1, 2], [0, 1]),
        ([1, 2, 3], [1, 2, 3, 4], [0, 1, 2]),
        ([1, 2, 3], [1, 2, 3], [0, 1]),
        ([1, 1, 1], [1, 2, 3], [0, 1, 2]),
        ([1, 2, np.nan], [1, 2, 3], [0, 1, 2]),
        ([1, 2, 3, 4], [1, 2, 3, 5], [0, 0, 1, 1]),
    ],
)
def test_bad_input(arguments):
    with pytest.raises(BadInput):
        rank_correlation(*arguments)


@pytest.mark.parametrize("change", [{"confidence": 1.0}, {"resamples": 10}])
def test_bad_settings(change):
    with pytest.raises(BadInput):
        rank_correlation([1, 2, 3], [1, 3, 2], range(3), **change)
