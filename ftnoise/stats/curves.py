"""An accuracy against the fault rate in a few numbers.

Sources: the trapezoid rule for the area; for the largest rate that is tolerated the fixed-sequence
test (Maurer, Hothorn and Lehmacher (1995); Westfall and Krishen (2001), "Optimally weighted, fixed
sequence and gatekeeper multiple testing procedures"): hypotheses in an order that is fixed in
advance, each at the full level, up to the first that is not rejected.

The golden accuracy, that of the fault-free network on the same examples, is known and not random;
only trials are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect
from ftnoise.core.lazy import np
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.interval import Interval
from ftnoise.stats.summary import summarize
from ftnoise.stats.values import finite_array

LOST = (1, 5, 50)  # points
TOLERATED = (1, 5)
ROUNDING = 1e-9  # of a drop: 90 - 85 is a drop of 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Accuracies under faults at rising rates, and without faults, in percent.

    Args:
        rates: [rates], rising, from 0 or above, at least one above 0, in any unit.
        accuracies: [rates, trials], at least 2 trials, in [0, 100]. A column is one trial,
            independent of the other columns; from rate to rate it has more faults (nested trials)
            or is drawn anew.
        golden: the accuracy at rate 0. Where 0 is among the rates, all accuracies there equal it.

    Raises:
        BadInput: shapes, ranges or the order are wrong.
    """

    rates: Sequence[float]
    accuracies: Any
    golden: float

    def __post_init__(self) -> None:
        rates = finite_array(self.rates, "rates", least=1, low=0)
        expect(
            rates[-1] > 0 and all(low < high for low, high in itertools.pairwise(rates)),
            "rates that rise, the last above 0",
            rates=rates.tolist(),
        )
        accuracies = finite_array(
            self.accuracies, "accuracies", dimensions=2, least=2, low=0, high=100
        )
        shape = accuracies.shape
        expect(len(accuracies) == len(rates), f"accuracies [{len(rates)}, trials]", shape=shape)
        expect(0 <= self.golden <= 100, "golden in [0, 100]", golden=self.golden)
        object.__setattr__(self, "rates", tuple(rates.tolist()))
        object.__setattr__(self, "accuracies", accuracies)
        object.__setattr__(self, "golden", float(self.golden))

    def area(self) -> float:
        """Area under the curve from rate 0 to the last, over its length: a mean accuracy.

        Each trial has its own area, by trapezoids from the golden accuracy on.
        """
        rates, accuracies = self._from_zero()
        steps = np.diff(rates)[:, None]
        areas = (steps * (accuracies[1:] + accuracies[:-1]) / 2).sum(axis=0) / rates[-1]
        return summarize(np.clip(areas, 0, 100).tolist()).mean

    def rate_at_drop(self, points: float) -> float | None:
        """The first rate at which the mean accuracy lies `points` below the golden one.

        Linear between tested rates; None if it never falls so far.
        """
        drop = points * (1 - ROUNDING)
        rates, accuracies = self._from_zero()
        drops = (self.golden - accuracies.mean(axis=1)).tolist()
        for index in range(1, len(drops)):
            if drops[index] >= drop:
                share = (drop - drops[index - 1]) / (drops[index] - drops[index - 1])
                return float(rates[index - 1] + share * (rates[index] - rates[index - 1]))
        return None

    def lower_bounds(self, confidence: float = 0.95) -> list[float]:
        """A one-sided lower bound of the mean accuracy at each rate, for any distribution.

        It is that of the betting interval in `bounded`, which only assumes the range of the
        accuracies: a few trials of a network that loses everything in one trial of fifty look
        alike, and Student's interval would be far too narrow.

        Args:
            confidence: of each bound, in (0.5, 1).
        """
        # Each end of a two-sided interval is a one-sided bound at half the error probability.
        two_sided = 2 * confidence - 1
        return [bounded_interval(row, two_sided, 0.0, 100.0).low for row in self.accuracies]

    def tolerated_rate(self, points: float, lows: Sequence[float]) -> float | None:
        """The largest tested rate with a mean drop below `points`, by lower bounds of the mean.

        From the lowest rate above 0 upward, each is tested by its bound, and the first that fails
        ends the search. So the whole statement, of this and all lower rates, has the confidence of
        one test. Rate 0 is not tested; None if the lowest fails.

        Args:
            points: percentage points.
            lows: a one-sided lower bound of the mean accuracy at each rate.
        """
        least, tolerated = self.golden - points * (1 - ROUNDING), None
        for rate, low in zip(self.rates, lows, strict=True):
            if rate > 0:
                if low <= least:
                    break
                tolerated = rate
        return tolerated

    def _from_zero(self) -> tuple[np.ndarray, np.ndarray]:
        """Rates from 0 on, and accuracies at them."""
        if self.rates[0] == 0:
            return np.array(self.rates), self.accuracies
        first = np.full((1, self.accuracies.shape[1]), self.golden)
        return np.array([0.0, *self.rates]), np.concatenate([first, self.accuracies])


def with_width(interval: tuple[float, float], free: tuple[float, float]) -> tuple[float, float]:
    """The ends of an interval, or those of the distribution-free one where it has no width.

    Student's has none where all trials agree, but the next trial may differ.
    """
    return interval if interval[1] > interval[0] else free


def is_unclear(interval: Interval, free: Interval, golden: float) -> bool:
    """Whether an interval of the mean accuracy is wider than the drop that faults cause.

    Args:
        interval: of the mean accuracy under faults.
        free: one without assumptions on the distribution, for `with_width`.
        golden: the accuracy without faults.
    """
    low, high = with_width((interval.low, interval.high), (free.low, free.high))
    return high - low > abs(golden - (interval.mean or 0.0))


def summaries(
    curve: Curve, confidence: float = 0.95, lows: Sequence[float] | None = None
) -> dict[str, float | None]:
    """A curve in a few numbers by their names, in percent and in the unit of its rates.

    `area_under_curve`, a mean accuracy; `rate_<...>_lost`, where the mean accuracy has dropped by
    that many points (None if it never does); `largest_rate_surely_under_<...>_lost`, the largest
    tested rate with a smaller drop, with `confidence` (None if there is none, missing where
    `confidence` is 0.5 or less). It uses `lows`, lower bounds of the mean accuracy at each rate;
    None takes `Curve.lower_bounds`. With a single rate above 0 the area and the interpolated rates
    are missing: one point makes no curve.
    """
    values: dict[str, float | None] = {}
    if sum(rate > 0 for rate in curve.rates) > 1:
        values["area_under_curve"] = curve.area()
        values |= {f"rate_{_lost(points)}": curve.rate_at_drop(points) for points in LOST}
    if confidence > 0.5:
        lows = curve.lower_bounds(confidence) if lows is None else lows
        values |= {tolerated_name(p): curve.tolerated_rate(p, lows) for p in TOLERATED}
    return values


def _lost(points: int) -> str:
    """`1_point_lost`, `5_points_lost`."""
    return f"{points}_point{'' if points == 1 else 's'}_lost"


def tolerated_name(points: int) -> str:
    """The scalar name of the largest rate with a drop below this number of points."""
    return f"largest_rate_surely_under_{_lost(points)}"
