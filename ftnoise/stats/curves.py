"""What an accuracy against the rate of faults says, in a few numbers with their intervals.

Sources: the trapezoid rule for the area; for the largest rate that is tolerated the fixed-sequence
test (Maurer, Hothorn and Lehmacher (1995); Westfall and Krishen (2001), "Optimally weighted, fixed
sequence and gatekeeper multiple testing procedures"): hypotheses in an order that was fixed
beforehand, each at the full level, up to the first that is not rejected.

The golden accuracy, that of the network without a fault on the same images, is known and not drawn;
only masks are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.comparing import Comparison, paired
from ftnoise.stats.interval import Interval, student_interval
from ftnoise.stats.values import check_confidence, finite_array, is_finite

if TYPE_CHECKING:
    from numpy import ndarray

FALLS = (1, 5, 50)  # points
SURE = (1, 5)
ROUNDING = 1e-9  # of a drop: 0.9 - 0.85 is a drop of 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Accuracies under faults, at rising rates, and without.

    Args:
        rates: [rates], rising, from 0 or above, at least one above 0, in any unit.
        accuracies: [rates, masks], at least 2 masks, as fractions or percent. A column is one mask,
            independent of the other columns; from rate to rate it grows (nested masks) or is drawn
            anew.
        golden: the accuracy at rate 0, in the unit of `accuracies`. Where 0 is among the rates, all
            accuracies there equal it.
        percent: whether accuracies are percent, in [0, 100], and not fractions, in [0, 1].

    Raises:
        BadInput: shapes, ranges or the order are wrong, or accuracies at rate 0 are not golden.
    """

    rates: Sequence[float]
    accuracies: Any
    golden: float
    percent: bool = False

    def __post_init__(self) -> None:
        rates = finite_array(self.rates, "rates", least=1, low=0)
        expect(
            rates[-1] > 0 and all(low < high for low, high in itertools.pairwise(rates)),
            "rates that rise, the last above 0",
            rates=rates.tolist(),
        )
        accuracies = finite_array(
            self.accuracies, "masks' accuracies", dimensions=2, least=2, low=0, high=self.full
        )
        expect(
            len(accuracies) == len(rates),
            f"accuracies [{len(rates)} rates, masks]",
            shape=accuracies.shape,
        )
        expect(
            is_finite(self.golden) and 0 <= self.golden <= self.full,
            f"golden in [0, {self.full:g}]",
            golden=self.golden,
        )
        expect(
            rates[0] > 0 or bool((abs(accuracies[0] - self.golden) <= ROUNDING * self.full).all()),
            f"accuracies at rate 0 to be golden, {self.golden:g}",
            accuracies=sorted(set(accuracies[0].tolist()))[:3],
        )
        for array in (rates, accuracies):
            array.setflags(write=False)
        object.__setattr__(self, "rates", tuple(rates.tolist()))
        object.__setattr__(self, "accuracies", accuracies)
        object.__setattr__(self, "golden", float(self.golden))

    @property
    def full(self) -> float:
        """The accuracy of a network that is always right: 1, or 100 percent."""
        return 100.0 if self.percent else 1.0

    def area(self, confidence: float = 0.95) -> Interval:
        """Area under the curve from rate 0 to the last, over its length: a mean accuracy.

        Each mask has its own area, by trapezoids from the golden accuracy on; the interval is
        Student's, of their mean.

        Args:
            confidence: in (0, 1).
        """
        import numpy as np

        check_confidence(confidence)
        rates, accuracies = self._from_zero()
        steps = np.diff(rates)[:, None]
        areas = (steps * (accuracies[1:] + accuracies[:-1]) / 2).sum(axis=0) / rates[-1]
        return student_interval(np.clip(areas, 0, self.full), confidence)

    def rate_at_drop(self, points: float) -> float | None:
        """The first rate at which the mean accuracy lies `points` below the golden one.

        Linear between rates that were tested; None if it never falls so far.

        Args:
            points: percentage points in (0, 100], whatever the unit of the accuracies.
        """
        drop = self._drop(points) * (1 - ROUNDING)
        rates, accuracies = self._from_zero()
        drops = (self.golden - accuracies.mean(axis=1)).tolist()
        for place in range(1, len(drops)):
            if drops[place] >= drop:
                share = (drop - drops[place - 1]) / (drops[place] - drops[place - 1])
                return float(rates[place - 1] + share * (rates[place] - rates[place - 1]))
        return None

    def tolerated_rate(self, points: float, confidence: float = 0.95) -> float | None:
        """The largest tested rate with a mean drop below `points`, shown with `confidence`.

        From the lowest rate above 0 upward, each is tested by a one-sided lower bound of the mean
        accuracy, and the first that fails ends the search. So the whole statement, of this and all
        lower rates, has the confidence of one test. Rate 0 is not tested; None if the lowest fails.

        The bound is that of the betting interval in `bounded`, which supposes of the accuracies
        only where they lie: a few masks of which one in fifty loses everything look alike, and
        Student's would call them sure.

        Args:
            points: percentage points in (0, 100].
            confidence: of each one-sided bound, in (0.5, 1).
        """
        expect(
            is_finite(confidence) and 0.5 < confidence < 1,
            "confidence in (0.5, 1)",
            confidence=confidence,
        )
        return self.tolerated(points, self.lower_bounds(confidence))

    def lower_bounds(self, confidence: float) -> list[float]:
        """A one-sided lower bound of the mean accuracy at each rate, whatever the distribution."""
        # Each end of a two-sided interval is a one-sided bound at half the doubt.
        two_sided = 2 * confidence - 1
        return [bounded_interval(row, two_sided, 0.0, self.full).low for row in self.accuracies]

    def tolerated(self, points: float, lows: Iterable[float]) -> float | None:
        """As `tolerated_rate`, by these lower bounds of the mean accuracy at each rate."""
        return tolerated(self.rates, lows, self.golden - self._drop(points) * (1 - ROUNDING))

    def drop(self, first: float, second: float, confidence: float = 0.95) -> Comparison:
        """Accuracy at the rate `first` minus that at the rate `second`, paired over masks.

        With nested masks, those of the lower rate being part of those of the higher, the pairs
        share most of what is drawn.

        Args:
            first: a tested rate, or 0.
            second: another.
            confidence: in (0, 1).
        """
        return paired(self._at(first), self._at(second), confidence)

    def _from_zero(self) -> tuple[ndarray, ndarray]:
        """Rates from 0 on, and accuracies at them."""
        import numpy as np

        if self.rates[0] == 0:
            return np.array(self.rates), self.accuracies
        first = np.full((1, self.accuracies.shape[1]), self.golden)
        return np.array([0.0, *self.rates]), np.concatenate([first, self.accuracies])

    def _at(self, rate: float) -> ndarray:
        rates, accuracies = self._from_zero()
        places = [place for place, tested in enumerate(rates.tolist()) if tested == rate]
        expect(len(places) == 1, f"a rate of {rates.tolist()}", rate=rate)
        return accuracies[places[0]]

    def _drop(self, points: float) -> float:
        expect(is_finite(points) and 0 < points <= 100, "points in (0, 100]", points=points)
        return points / 100 * self.full


def tolerated(rates: Iterable[float], lows: Iterable[float], least: float) -> float | None:
    """The last rate above 0 before the first whose lower bound is not above `least`; or None."""
    found = None
    for rate, low in zip(rates, lows, strict=False):
        if rate > 0:
            if low <= least:
                break
            found = rate
    return found


def is_unclear(interval: Interval, free: Interval, golden: float) -> bool:
    """Whether an interval of the mean accuracy is wider than the drop that faults cause.

    Args:
        interval: of the mean accuracy under faults.
        free: one that supposes no distribution; it counts where all masks agree, as then the first
            has no width and says nothing of a mask that was not drawn.
        golden: the accuracy without faults.
    """
    shown = interval if interval.high > interval.low else free
    return shown.high - shown.low > abs(golden - (interval.mean or 0.0))


def summaries(
    curve: Curve, confidence: float = 0.95, lows: Sequence[float] | None = None
) -> dict[str, float | None]:
    """A curve in a few numbers by their names, in the unit of its accuracies and rates.

    `area_under_curve`, a mean accuracy; `rate_<...>_lost`, where the mean accuracy has fallen by so
    many points (None if it never does); `largest_rate_surely_under_<...>_lost`, the largest tested
    rate that costs less, with `confidence` (None if none does, missing for a confidence that is no
    more than a guess). It rests on `lows`, lower bounds of the mean accuracy at each rate; None
    takes those of `Curve.lower_bounds`.
    """
    found: dict[str, float | None] = {"area_under_curve": curve.area(confidence).mean}
    found |= {f"rate_{lost(points)}": curve.rate_at_drop(points) for points in FALLS}
    if confidence > 0.5:
        lows = curve.lower_bounds(confidence) if lows is None else lows
        found |= {surely(points): curve.tolerated(points, lows) for points in SURE}
    return found


def lost(points: int) -> str:
    """`1_point_lost`, `5_points_lost`."""
    return f"{points}_point{'' if points == 1 else 's'}_lost"


def surely(points: int) -> str:
    """The name of the largest rate that surely costs less."""
    return f"largest_rate_surely_under_{lost(points)}"
