"""A mean over seeds that all met the same draws, such as networks under the same fault masks.

Source: the random-effects analysis of variance of a crossed design (Searle, Casella and McCulloch
(1992), "Variance Components", chapter 4); each part with the t quantile of its own degrees of
freedom, combined as squares (Graybill and Wang (1980), "Confidence intervals on nonnegative linear
combinations of variances", Journal of the American Statistical Association 75).

values[s, d] = mean + seed_s + draw_d + rest. The seeds' means share the draws, so their spread says
nothing of what other draws would do: an interval over seeds alone misses the mean over both. The
variance of the grand mean is estimated by (MS_seed + MS_draw - MS_rest) / (S D), of which
MS_seed / (S D) is what an interval over seeds alone has.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.stats.interval import Interval
from ftnoise.stats.values import check_confidence, finite_array

if TYPE_CHECKING:
    from ftnoise.stats.values import Numbers

CROSSED = "t interval over seeds and draws"


def crossed_interval(values: Numbers, confidence: float = 0.95) -> Interval:
    """The two-sided interval of the mean over new seeds and new draws.

    Args:
        values: [seeds, draws], at least 2 of each, the same draws for all seeds.
        confidence: in (0, 1).

    Raises:
        BadInput: there are fewer, one is not finite, or `confidence` is out of range.
    """
    from scipy.special import stdtrit

    check_confidence(confidence)
    array = finite_array(values, "values", dimensions=2, least=2)
    seeds, draws = array.shape
    expect(seeds > 1, "at least two seeds", seeds=seeds)
    mean = array.mean()
    of_seed, of_draw = array.mean(axis=1), array.mean(axis=0)
    rest = array - of_seed[:, None] - of_draw + mean
    seed_square = draws * float(((of_seed - mean) ** 2).sum()) / (seeds - 1)
    draw_square = seeds * float(((of_draw - mean) ** 2).sum()) / (draws - 1)
    rest_square = float((rest**2).sum()) / ((seeds - 1) * (draws - 1))
    parts = ((seed_square, seeds - 1), (max(0.0, draw_square - rest_square), draws - 1))
    squares = (
        float(stdtrit(freedom, (1 + confidence) / 2)) ** 2 * part / array.size
        for part, freedom in parts
    )
    half = math.sqrt(sum(squares))
    low, high = float(mean) - half, float(mean) + half
    return Interval(float(mean), low, high, seeds * draws, float(confidence), CROSSED)
