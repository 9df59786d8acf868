"""Two models under the same fault masks, and many such comparisons at once.

Sources: Student (1908) for the paired t test; Holm (1979), "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6.

Under the same mask two accuracies go up and down together, so their difference spreads less than
either: fewer masks show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.stats.interval import of_summary
from ftnoise.stats.summary import summarize
from ftnoise.stats.values import check_confidence, finite_array

if TYPE_CHECKING:
    from ftnoise.stats.values import Numbers


@dataclass(frozen=True)
class Comparison:
    """The mean of first - second over pairs, in their unit.

    Attributes:
        difference: positive where the first values are the larger ones.
        spread: standard deviation of the differences (n - 1 in the denominator).
        low, high: Student's interval of the mean difference, widened for skewness (`interval`).
        p_value: two-sided, of a mean difference of 0. With a spread of 0 it is 1 if the difference
            is 0 too and else 0. Then all pairs differ by exactly the same amount and the test has
            nothing to measure chance with: 0 says that no pair speaks against a difference, not
            that there must be one.
        count: pairs.
        confidence: of the interval, in (0, 1).
    """

    difference: float
    spread: float
    low: float
    high: float
    p_value: float
    count: int
    confidence: float


def paired(first: Numbers, second: Numbers, confidence: float = 0.95) -> Comparison:
    """Mean of first - second, with its interval and p-value.

    It supposes that the pairs are independent and the mean of their differences is about normal.

    Args:
        first: [masks], at least 2 finite numbers.
        second: [masks], in the same unit; the same place is the same mask.
        confidence: in (0, 1).

    Raises:
        BadInput: the lengths differ, there are fewer pairs, or a number is out of range.
    """
    check_confidence(confidence)
    one = finite_array(first, "first values", least=2)
    two = finite_array(second, "second values", least=2)
    expect(len(one) == len(two), "as many first as second values", first=len(one), second=len(two))
    summary = summarize((one - two).tolist(), confidence)
    interval = of_summary(summary, one - two, confidence)
    assert summary.spread is not None  # there are two pairs
    return Comparison(
        summary.mean,
        summary.spread,
        interval.low,
        interval.high,
        _p_value(summary.mean, summary.spread, summary.count),
        summary.count,
        float(confidence),
    )


def _p_value(difference: float, spread: float, count: int) -> float:
    if spread == 0:
        return 1.0 if difference == 0 else 0.0
    from scipy.special import stdtr

    return float(2 * stdtr(count - 1, -abs(difference) / spread * math.sqrt(count)))


def holm(p_values: Numbers) -> list[float]:
    """Holm's adjusted p-values: reject those up to a level, and all errors together stay within it.

    The k-th smallest of n is multiplied by n - k + 1, is at least the one before, and at most 1. No
    independence is supposed.

    Args:
        p_values: any number, each in [0, 1].

    Returns:
        The adjusted ones, in the same order.

    Raises:
        BadInput: one is out of range.
    """
    given = finite_array(p_values, "p-values", low=0, high=1).tolist()
    adjusted, least = [0.0] * len(given), 0.0
    for rank, place in enumerate(sorted(range(len(given)), key=given.__getitem__)):
        least = max(least, min(1.0, (len(given) - rank) * given[place]))
        adjusted[place] = least
    return adjusted
