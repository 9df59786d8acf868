"""How many fault masks a half-width needs, by each way of making an interval.

The mask is the unit of replication: its accuracy over the test set is one value in [0, 1]. With h
the half-width, d = 1 - confidence and s the spread (standard deviation) between masks:

- Student (1908): the least n with t_{1 - d/2, n - 1} s / sqrt(n) <= h;
- Hoeffding (1963), "Probability inequalities for sums of bounded random variables", Theorem 2, for
  both sides: n >= log(2 / d) / (2 h^2);
- Maurer and Pontil (2009), "Empirical Bernstein bounds and sample variance penalization",
  Theorem 4, with d / 2 for each side: the least n with
  sqrt(2 s^2 log(4 / d) / n) + 7 log(4 / d) / (3 (n - 1)) <= h;
- Waudby-Smith and Ramdas (2024), the confidence sequence of `bounded`: where it stops on a made-up
  campaign without chance. Chance moves an end now and then and stops it sooner: simulated
  campaigns needed 83 % to 101 % of this number on average (spreads of 0.02 to 0.2);
- Leveugle et al. (2009), "Statistical fault injection: quantified error and confidence", for
  single faults drawn from N possible ones: n = N / (1 + h^2 (N - 1) / (z^2 p (1 - p))).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect, is_count
from ftnoise.stats.bounded import ConfidenceSequence
from ftnoise.stats.values import check_confidence, is_finite

if TYPE_CHECKING:
    from numpy import ndarray

MOST = 100_000  # masks that the made-up campaign has at most
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Plan:
    """One way to a half-width.

    Attributes:
        name: the way, for a table.
        masks: how many masks it needs (faults for the last way); None: more than `MOST`.
        assumes: what it takes for granted, in one sentence.
    """

    name: str
    masks: int | None
    assumes: str


def masks_needed(
    half_width: float,
    *,
    confidence: float = 0.95,
    spread: float | None = None,
    mean: float = 0.5,
    population: int | None = None,
) -> dict[str, Plan]:
    """How many masks each way needs until its interval is mean -+ `half_width`.

    Args:
        half_width: in (0, 1), a fraction of the whole accuracy (0.01 is one point).
        confidence: in (0, 1).
        spread: standard deviation between masks, assumed or seen in a pilot, as a fraction; None is
            the largest that values in [0, 1] with this mean can have.
        mean: the accuracy that is expected, or the share of single faults that do harm; in (0, 1).
        population: possible single faults, for Leveugle's way alone; None: without end.

    Returns:
        `student`, `hoeffding`, `empirical_bernstein`, `confidence_sequence` and `single_faults`, in
        this order.

    Raises:
        BadInput: an argument is out of range, or the spread is more than the mean allows.
    """
    expect(
        is_finite(half_width) and 0 < half_width < 1, "half_width in (0, 1)", half_width=half_width
    )
    check_confidence(confidence)
    expect(is_finite(mean) and 0 < mean < 1, "mean in (0, 1)", mean=mean)
    largest = math.sqrt(mean * (1 - mean))
    expect(
        spread is None or (is_finite(spread) and 0 <= spread <= largest * (1 + 1e-9)),
        f"spread in [0, {largest:.6g}], what accuracies with a mean of {mean:g} can have",
        spread=spread,
    )
    expect(
        population is None or is_count(population), "population >= 1 or None", population=population
    )
    known = largest if spread is None else min(float(spread), largest)
    given = f"the spread between masks is {known:.4g}" + (
        ", the largest that there is" if spread is None else ""
    )
    sites = "endlessly many" if population is None else f"{population:,}"
    return {
        "student": Plan(
            "Student's t",
            _student(half_width, confidence, known),
            f"{given}, the mean over masks is about normal, and the number of masks is fixed "
            "beforehand.",
        ),
        "hoeffding": Plan(
            "Hoeffding",
            max(1, math.ceil(math.log(2 / (1 - confidence)) / (2 * half_width**2))),
            "accuracies lie in [0, 1] and masks are independent; their number is fixed beforehand.",
        ),
        "empirical_bernstein": Plan(
            "empirical Bernstein",
            _bernstein(half_width, confidence, known),
            f"accuracies lie in [0, 1], and {given} (if not, the interval is wider but true); the "
            "number of masks is fixed beforehand.",
        ),
        "confidence_sequence": Plan(
            "hedged betting confidence sequence",
            _sequence(half_width, confidence, known, mean),
            f"accuracies lie in [0, 1], and {given} about {mean:g} (if not, it stops at another "
            "count but the interval is true); it may stop at any time.",
        ),
        "single_faults": Plan(
            "Leveugle et al.",
            _leveugle(half_width, confidence, mean, population),
            f"each trial is one fault out of {sites}, drawn without replacement, that does harm or "
            f"not, with {mean:g} that do, and the share is about normal; not for accuracies under "
            "masks.",
        ),
    }


def _student(half_width: float, confidence: float, spread: float) -> int:
    from scipy.special import stdtrit

    return _least(
        lambda n: stdtrit(n - 1, (1 + confidence) / 2) * spread / math.sqrt(n) <= half_width
    )


def _bernstein(half_width: float, confidence: float, spread: float) -> int:
    doubt = math.log(4 / (1 - confidence))
    return _least(
        lambda n: spread * math.sqrt(2 * doubt / n) + 7 * doubt / (3 * (n - 1)) <= half_width
    )


def _leveugle(half_width: float, confidence: float, share: float, population: int | None) -> int:
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    endless = quantile**2 * share * (1 - share) / half_width**2
    if population is None:
        return max(1, math.ceil(endless))
    return max(1, math.ceil(population / (1 + (population - 1) / endless)))


def _sequence(half_width: float, confidence: float, spread: float, mean: float) -> int | None:
    """Where the sequence stops, to 1 %, on beta values that fill their distribution evenly."""
    before = 0
    for share in (10, 100):
        sequence = ConfidenceSequence(confidence, aim=half_width)
        sequence.update(_campaign(0, before, mean, spread))
        while sequence.interval.half_width > half_width:
            before = sequence.count
            if before >= MOST:
                return None
            block = min(max(1, before // share), MOST - before)
            sequence.update(_campaign(before, block, mean, spread))
    return sequence.count


def _campaign(start: int, count: int, mean: float, spread: float) -> ndarray:
    """Values start to start + count of an endless campaign of this mean and spread, [count]."""
    import numpy as np
    from scipy.special import betaincinv

    # Multiples of the golden ratio, modulo 1, are spread evenly at every length.
    even = ((np.arange(start, start + count) + 0.5) * GOLDEN) % 1
    weight = mean * (1 - mean) / spread**2 - 1 if spread > 0 else math.inf
    if weight > 1e6:
        return np.full(count, mean)
    if weight < 1e-3:  # as far apart as they can be: 0 and 1
        return (even < mean).astype(np.float64)
    return np.clip(betaincinv(mean * weight, (1 - mean) * weight, even), 0, 1)


def _least(enough: Callable[[int], bool]) -> int:
    """The least number from 2 on that is enough, where all beyond it are too."""
    below, above = 1, 2
    while not enough(above):
        below, above = above, above * 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if enough(middle) else (middle, above)
    return above
