"""How many fault trials a half-width needs, with the confidence sequence of `bounded`.

Source: Waudby-Smith and Ramdas (2024), see `bounded`. The sequence that aims at the half-width h
stops about where the gambler who bets against mean - h (or mean + h) expects a capital of
2 / alpha. With a spread s of the accuracies, his bet on trial t is b_t = min(h / (s^2 + 1/(4 t)),
c / m), where m is the expected accuracy at that end, and his log capital grows by about
b_t h - b_t^2 (s^2 + h^2) / 2 (to second order). The result is the first t at which the sum reaches
log(2 / alpha).

Simulated campaigns need 75 % to 105 % of this number on average; more, up to several times, where
the mean is closer to 0 or 1 than the spread, as accuracies are strongly skewed there.
"""

from __future__ import annotations

import math

from ftnoise.core.checks import expect, fraction
from ftnoise.stats.bounded import TRUNCATION
from ftnoise.stats.values import is_finite

MOST = 100_000  # trials; more are not counted


def trials_needed(
    half_width: float, *, spread: float, mean: float, confidence: float = 0.95
) -> int | None:
    """Number of trials until the interval of the mean accuracy is mean -+ `half_width`.

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
    import numpy as np

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
