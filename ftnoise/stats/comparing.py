"""Two models on the same fault trials, and many such comparisons at once.

Sources: Student (1908) for the paired t test; Holm (1979), "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6.

On the same trial two accuracies vary together, so their difference has a smaller spread than
either: fewer trials show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftnoise.core.checks import expect
from ftnoise.core.lazy import np, special
from ftnoise.stats.interval import student_interval
from ftnoise.stats.summary import summarize
from ftnoise.stats.values import Numbers, finite_array


@dataclass(frozen=True)
class Comparison:
    """The mean of first - second over pairs, in their unit.

    Attributes:
        difference: positive where the first values are larger.
        low, high: Student's interval of the mean difference, widened for skewness (`interval`).
        p_value: two-sided, of a mean difference of 0. Where all pairs differ by the same amount,
            the test cannot estimate chance: it is 1 if that amount is 0 and else 0, which only
            means that no pair contradicts a difference.
        count: number of pairs.
    """

    difference: float
    low: float
    high: float
    p_value: float
    count: int


def paired(
    first: Numbers, second: Numbers, confidence: float = 0.95, width: float = math.inf
) -> Comparison:
    """Mean of first - second, with its interval and p-value.

    It assumes independent pairs, and a mean of their differences that is about normal.

    Args:
        first: [trials], at least 2 finite numbers.
        second: [trials], in the same unit and on the same trials.
        confidence: in (0, 1).
        width: of the range of the values (100 for percentages): no difference is larger.

    Raises:
        BadInput: the lengths differ, there are fewer pairs, or a number is out of range.
    """
    one = finite_array(first, "first values", least=2)
    two = finite_array(second, "second values", least=2)
    expect(len(one) == len(two), "as many first as second values", first=len(one), second=len(two))
    interval = student_interval(one - two, confidence, -width, width)
    summary = summarize((one - two).tolist())
    mean, spread, count = summary.mean, summary.spread or 0.0, summary.count
    p_value = 1.0 if mean == 0 else 0.0
    if spread > 0:
        p_value = float(2 * special.stdtr(count - 1, -abs(mean) / spread * math.sqrt(count)))
    return Comparison(mean, interval.low, interval.high, p_value, count)


def holm(p_values: Numbers) -> list[float]:
    """Holm's adjusted p-values, in the same order.

    Rejecting those up to a level keeps the probability of any false rejection within it; no
    independence is assumed. The k-th smallest of n is multiplied by n - k + 1, is at least the one
    before, and at most 1.

    Raises:
        BadInput: a p-value is not in [0, 1].
    """
    given = finite_array(p_values, "p-values", low=0, high=1)
    order, adjusted = np.argsort(given, kind="stable"), np.empty_like(given)
    factors = np.arange(len(given), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, factors * given[order]))
    return adjusted.tolist()
