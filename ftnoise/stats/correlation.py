"""Rank correlation with a bootstrap interval for values in clusters.

Sources: Spearman (1904), "The proof and measurement of association between two things"; Efron
(1979), "Bootstrap methods"; whole clusters are drawn, as in Davison and Hinkley (1997), "Bootstrap
Methods and their Application", section 3.8: members of a cluster, such as the stages of one
training, are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from ftnoise.core.checks import count, expect, fraction
from ftnoise.core.lazy import np
from ftnoise.stats.interval import Interval
from ftnoise.stats.values import Numbers, finite_array

METHOD = "percentile interval of a bootstrap of clusters"
RESAMPLES = 2000


def rank_correlation(
    x: Numbers,
    y: Numbers,
    clusters: Sequence[Hashable],
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Spearman's rank correlation of pairs, and a percentile interval over draws of clusters.

    The draws are the same at each call. Draws in which all x or all y are equal have no
    correlation, and count as 0.

    Args:
        x: at least three finite numbers, of which some differ.
        y: as many, of which some differ.
        clusters: the cluster of each pair, of which there are at least three.
        confidence: in (0, 1).
        resamples: number of draws, at least 100.

    Raises:
        BadInput: an argument is out of range, or all x or all y are equal.
    """
    fraction(zero=False, one=False, confidence=confidence)
    count(least=100, resamples=resamples)
    first, second = finite_array(x, "x", least=3), finite_array(y, "y", least=3)
    sizes = {"x": len(first), "y": len(second), "clusters": len(clusters)}
    expect(len({*sizes.values()}) == 1, "x, y and clusters of one length", **sizes)
    ids: dict[Hashable, int] = {}
    members = np.array([ids.setdefault(cluster, len(ids)) for cluster in clusters])
    expect(len(ids) >= 3, "at least three clusters", clusters=len(ids))
    (_, xs), (_, ys) = (np.unique(values, return_inverse=True) for values in (first, second))
    estimate = _correlation(xs, ys, np.ones(len(members)))
    expect(math.isfinite(estimate), "x and y that differ", x=float(first[0]), y=float(second[0]))
    generator = np.random.default_rng(0)
    draws = np.empty(resamples)
    for number in range(resamples):
        drawn = np.bincount(generator.integers(len(ids), size=len(ids)), minlength=len(ids))
        draws[number] = _correlation(xs, ys, drawn[members].astype(float))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.nan_to_num(draws), (tail, 1 - tail))
    return Interval(estimate, float(low), float(high), METHOD)


def _correlation(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> float:
    """Pearson's correlation of the ranks of pairs weighted by `times`; NaN if all x or y are equal.

    x and y are the places of their values among the sorted distinct ones.
    """
    first, second = (_ranks(places, times) for places in (x, y))
    total = times.sum()
    first, second = first - times @ first / total, second - times @ second / total
    scale = math.sqrt(float(times @ first**2) * float(times @ second**2))
    return float(np.clip(times @ (first * second) / scale, -1, 1)) if scale > 0 else math.nan


def _ranks(places: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The ranks, equal values sharing the mean of theirs; `scipy.stats` takes a second to load."""
    counts = np.bincount(places, times)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
