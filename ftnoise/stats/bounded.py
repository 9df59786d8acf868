"""Intervals of a mean that only assume bounds on the values, by betting.

Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting",
Journal of the Royal Statistical Society B 86(1): the hedged capital process (Theorem 3) with
predictable plug-in bets.

For each candidate m of the mean of values x_t in [0, 1] two gamblers start with a capital of 1. One
bets that values lie above m, K+_t(m) = prod (1 + l_t(m) (x_t - m)), the other that they lie below,
K-_t with -l_t. Where m is the mean, neither can expect to win: both capitals are nonnegative
martingales, and by Ville's inequality each reaches 2 / alpha at any time with a probability of at
most alpha / 2. So the candidates at which neither ever did contain the mean, at all times at once,
with a probability of at least 1 - alpha. This requires values whose mean given all earlier ones is
constant (independent draws from one distribution are such) and bets that are made before the value
is seen; the quality of the bets affects the width only.

The bets l_t(m) are min(b_t, c / m) for K+ and min(b_t, c / (1 - m)) for K-, where b_t depends on
the variance v_{t-1} of the values before, (1/4 + sum (x_i - mean_i)^2) / t:

- b_t = sqrt(2 log(2 / alpha) / (v_{t-1} t log(t + 1))) in a sequence without an aim;
- b_t = sqrt(2 log(2 / alpha) / (v_{t-1} n)) for a number n of values fixed in advance;
- b_t = h / v_{t-1} in a sequence that aims at the half-width h.

K+ falls and K- rises with m (each factor does), so what is left is an interval. The candidates are
a grid, and each end is the last grid point that is refuted, so the grid makes the interval wider,
never narrower.

Deviations
1. c is 0.9, where the paper suggests 1/2 or 3/4. Any c in [0, 1) is valid. Accuracies under faults
   have a small spread and lie far from 0; at a mean of 0.8 and a spread of 0.05, 0.9 needs about
   390 values for a half-width of 0.01, 0.75 needs 430 and 0.5 needs 630.
2. The bets that aim at h are the paper's for fixed n, with the n at which they would reach h,
   2 v log(2 / alpha) / h^2. They are predictable, so Theorem 3 holds for them.
3. Where no candidate is left, the interval is the whole range from then on. The paper's set would
   be empty, which is of no use to a reader; it happens with a probability of at most alpha, or if
   the mean drifts.
"""

from __future__ import annotations

import math

from ftnoise.core.checks import expect, fraction
from ftnoise.core.lazy import np
from ftnoise.stats.interval import Interval
from ftnoise.stats.values import Numbers, finite_array, is_finite

SEQUENCE = "hedged betting confidence sequence"
FIXED = "hedged betting confidence interval"

CANDIDATES = 100_000  # grid points in the range; following the outermost costs little
TRUNCATION = 0.9  # c: the largest share of the capital that a gambler risks
SLACK = 1e-9  # in log capital, far above the sum of rounding errors
MOST = 100_000  # trials; `trials_needed` counts no more


class ConfidenceSequence:
    """Interval of the mean of values in [low, high] that is valid at any stopping time.

    `interval` may be read after each value, and sampling may stop for any reason: the intervals of
    all times contain the mean together with probability `confidence`. They only become narrower
    (but see Deviation 3), and do not depend on how the values are split into blocks.

    Args:
        confidence: in (0, 1).
        low, high: bounds of the values, low < high, known before the first value.
        aim: the half-width at which to stop, in the unit of the values. The bets are tuned to reach
            it early; the interval hardly becomes narrower than half of it. Validity does not depend
            on it.
        fixed: the number of values, if it is fixed in advance; the bets are tuned to it instead.

    Raises:
        BadInput: `confidence`, the bounds or `aim` are out of range.
    """

    def __init__(
        self,
        confidence: float = 0.95,
        low: float = 0.0,
        high: float = 1.0,
        *,
        aim: float | None = None,
        fixed: int | None = None,
    ) -> None:
        fraction(zero=False, one=False, confidence=confidence)
        finite = is_finite(low) and is_finite(high)
        expect(finite and low < high, "finite low < high", low=low, high=high)
        allowed = aim is None or (is_finite(aim) and 0 < aim <= high - low)
        expect(allowed, f"aim in (0, {high - low:g}]", aim=aim)
        self.confidence, self.low, self.high = float(confidence), float(low), float(high)
        self.aim, self.fixed = aim, fixed
        self.count = 0
        # Everything but the mean is in the scale [0, 1].
        self._mean = 0.0
        self._values, self._bets = np.empty(0), np.empty(0)
        self._total = self._squares = 0.0
        self._variance = 0.25
        self._evaluated = self._from_below = self._from_above = 0

    def _bet(self) -> float:
        """b_t, from the variance of the values before the t-th."""
        if self.aim is not None:
            return self.aim / (self.high - self.low) / self._variance
        weight = self._variance * (self.fixed or self.count)
        if not self.fixed:
            weight *= math.log(self.count + 1)
        return math.sqrt(2 * math.log(2 / (1 - self.confidence)) / weight)

    def update(self, values: Numbers) -> None:
        """Adds the next values, in the order in which they were drawn.

        Args:
            values: any number of finite numbers in [low, high].

        Raises:
            BadInput: one is not; then none of them is added.
        """
        array = finite_array(values, "values", low=self.low, high=self.high)
        scaled, bets = (array - self.low) / (self.high - self.low), []
        for value, given in zip(scaled.tolist(), array.tolist(), strict=True):
            self.count += 1
            bets.append(self._bet())  # before the value is used
            self._mean += (given - self._mean) / self.count  # exact where all values are equal
            self._total += value
            weight = self.count + 1
            self._squares += (value - (0.5 + self._total) / weight) ** 2
            self._variance = (0.25 + self._squares) / weight
        self._values = np.append(self._values, scaled)
        self._bets = np.append(self._bets, bets)

    @property
    def interval(self) -> Interval:
        """The intersection of the intervals of all times so far; the whole range at first."""
        if self._evaluated < self.count:
            enough = _enough(self.confidence)
            self._from_below = _highest(self._values, self._bets, self._from_below, enough)
            # K- of the values is K+ of 1 - values.
            self._from_above = _highest(1 - self._values, self._bets, self._from_above, enough)
            self._evaluated = self.count
        low, high, width = self.low, self.high, self.high - self.low
        if self._from_below + self._from_above < CANDIDATES:
            low = self.low + width * (self._from_below / CANDIDATES)
            high = self.high - width * (self._from_above / CANDIDATES)
        mean = self._mean if self.count else None
        method = FIXED if self.fixed else SEQUENCE
        return Interval(mean, low, high, method)


def bounded_interval(
    values: Numbers, confidence: float = 0.95, low: float = 0.0, high: float = 1.0
) -> Interval:
    """Two-sided interval of the mean of a number of values that is fixed in advance.

    Each end alone holds with confidence (1 + confidence) / 2: for a one-sided bound with
    confidence c take an end at 2 c - 1.

    Args:
        values: at least one finite number in [low, high], independent, in the order in which they
            were drawn. Another order gives another interval; one chosen by looking is not valid.
        confidence: in (0, 1).
        low: lower bound of the values, known before the first.
        high: upper bound of the values.

    Raises:
        BadInput: a value is out of bounds, there is none, or the bounds are wrong.
    """
    array = finite_array(values, "values", least=1)
    betting = ConfidenceSequence(confidence, low, high, fixed=len(array))
    betting.update(array)
    return betting.interval


def trials_needed(
    half_width: float, *, spread: float, mean: float, confidence: float = 0.95
) -> int | None:
    """Number of fault trials until the interval of the mean accuracy is mean -+ `half_width`.

    A sequence that aims at the half-width h stops about where the gambler who bets against mean - h
    (or mean + h) expects a capital of 2 / alpha. With a spread s, his bet on trial t is
    b_t = min(h / (s^2 + 1/(4 t)), c / m), where m is the expected accuracy at that end, and his log
    capital grows by about b_t h - b_t^2 (s^2 + h^2) / 2 (to second order). Simulated campaigns need
    75 % to 105 % of the number on average; more, up to several times, where the mean is closer to 0
    or 1 than the spread, as accuracies are strongly skewed there.

    Args:
        half_width: in (0, 1), a fraction of the whole accuracy (0.01 is one point).
        spread: standard deviation between trials, as a fraction; assumed, or seen in a pilot.
        mean: the accuracy that is expected, in (0, 1).
        confidence: in (0, 1).

    Returns:
        The number, or None for more than `MOST`.

    Raises:
        BadInput: an argument is out of range, or the spread is more than the mean allows.
    """
    fraction(zero=False, one=False, half_width=half_width, mean=mean, confidence=confidence)
    largest = math.sqrt(mean * (1 - mean))
    expect(
        is_finite(spread) and 0 <= spread <= largest * (1 + 1e-9),
        f"spread in [0, {largest:.6g}], the range of accuracies with a mean of {mean:g}",
        spread=spread,
    )
    trial = np.arange(1, MOST + 1)
    end = max(mean, 1 - mean) - half_width
    cap = TRUNCATION / end if end > 0 else math.inf
    bets = np.minimum(half_width / (spread**2 + 0.25 / trial), cap)
    growth = bets * half_width - bets**2 * (spread**2 + half_width**2) / 2
    needed = int(np.searchsorted(np.cumsum(growth), math.log(2 / (1 - confidence)))) + 1
    return needed if needed <= MOST else None


def _enough(confidence: float) -> float:
    """The log capital with which one of the two gamblers refutes a candidate."""
    return math.log(2 / (1 - confidence)) + SLACK


def _highest(values: np.ndarray, bets: np.ndarray, known: int, enough: float) -> int:
    """The index of the highest candidate that K+ refuted at any time, at least `known`."""

    def refuted(number: int) -> bool:
        mean = number / CANDIDATES
        gains = np.log1p(np.minimum(bets, TRUNCATION / mean) * (values - mean))
        return bool(np.cumsum(gains).max() >= enough)

    step = 1
    while known + step < CANDIDATES and refuted(known + step):
        known += step
        step *= 2
    beyond = min(known + step, CANDIDATES)  # never refuted: no value lies above 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        if refuted(middle):
            known = middle
        else:
            beyond = middle
    return known
