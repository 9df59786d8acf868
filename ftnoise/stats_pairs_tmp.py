"""Paired comparisons: a t interval and test of mean differences, and Holm's correction.

To be replaced by `ftnoise.stats.paired` and `ftnoise.stats.holm`, which have the same form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ftnoise.spec import expect
from ftnoise.stats import summarize


@dataclass(frozen=True)
class Paired:
    """The mean of `count` differences, its t interval from `low` to `high`, and the p-value."""

    mean: float
    low: float
    high: float
    p: float
    count: int


def paired(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Paired:
    """The differences first - second, draw by draw: t interval and two-sided t test of their mean.

    Where all differences are the same, p is 1 if they are 0, and 0 if not.

    Args:
        first: at least two finite numbers.
        second: as many.
        confidence: of the interval, in (0, 1).
    """
    expect(
        len(first) == len(second) > 1,
        "two or more pairs",
        first=len(first),
        second=len(second),
    )
    found = summarize([a - b for a, b in zip(first, second, strict=True)], confidence)
    assert found.spread is not None
    assert found.low is not None
    assert found.high is not None
    if found.spread == 0:
        p = float(found.mean == 0)
    else:
        from scipy.special import stdtr

        t = abs(found.mean) / (found.spread / math.sqrt(found.count))
        p = 2 * float(stdtr(found.count - 1, -t))
    return Paired(found.mean, found.low, found.high, p, found.count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values by Holm (1979), in the order of `p_values`, each in [0, 1]."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
