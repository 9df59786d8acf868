"""Mean and spread of a few values, and how uncertain an estimate is.

The interval is Student's (1908): mean -+ t * s / sqrt(n), where s is the sample standard deviation
of n values and t the quantile of the t distribution with n - 1 degrees of freedom. It assumes
independent values that are about normal, as runs with different seeds are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ftnoise.core import checks
from ftnoise.core.checks import expect, fraction
from ftnoise.core.lazy import special
from ftnoise.stats.certificates import vote_bounds
from ftnoise.stats.values import is_finite


@dataclass(frozen=True)
class Summary:
    """A summary of `count` values, in their own unit.

    `spread` is the sample standard deviation (n - 1 in the denominator), `low` and `high` are the
    ends of the interval of the mean. All three are None for a single value.
    """

    mean: float
    spread: float | None
    low: float | None
    high: float | None
    count: int


def summarize(values: Sequence[float], confidence: float = 0.95) -> Summary:
    """Mean, sample standard deviation and two-sided t interval of the mean.

    Args:
        values: at least one finite number.
        confidence: coverage of the interval, in (0, 1).

    Raises:
        BadInput: there is no value, one is not finite, or `confidence` is out of range.
    """
    expect(len(values) > 0, "at least one value to summarize", values=values)
    expect(all(map(is_finite, values)), "finite numbers to summarize", values=values)
    fraction(zero=False, one=False, confidence=confidence)
    # Exact sums, so that equal values have exactly their own mean and a spread of 0.
    exact = [float(value) for value in values]
    mean, count = statistics.mean(exact), len(exact)
    if count == 1:
        return Summary(mean, None, None, None, count)
    spread = statistics.stdev(exact)
    half = float(special.stdtrit(count - 1, (1 + confidence) / 2)) * spread / math.sqrt(count)
    return Summary(mean, spread, mean - half, mean + half, count)


def proportion_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's (1934) exact interval of a proportion, `hits` out of `count`.

    Args:
        hits: in 0 to `count`.
        count: at least 1; independent trials.
        confidence: least coverage of the interval, in (0, 1).
    """
    checks.count(count=count)
    expect(checks.is_count(hits, least=0) and hits <= count, f"hits in 0 to {count}", hits=hits)
    fraction(zero=False, one=False, confidence=confidence)
    low, high = vote_bounds(hits, count, (1 - confidence) / 2)
    return float(low), float(high)
