"""Hoeffding's bound: how many examples a guarantee takes.

Source: Hoeffding (1963), "Probability inequalities for sums of bounded random variables", as in
Theorems 1 and 2 of "Global Adversarial Robustness Guarantees for Neural Networks". It holds for
examples drawn without replacement too (Hoeffding's Theorem 4), and then speaks of the set that they
are drawn from as well as of the distribution that the set was drawn from.
"""

from __future__ import annotations

import math

from ftnoise.core.checks import count, fraction


def samples_needed(tolerance: float, confidence: float = 0.95, family: int = 1) -> int:
    """Examples that bring the mean of values in [0, 1] within a tolerance of its expectation.

    Args:
        tolerance: largest error, in (0, 1).
        confidence: of the guarantee, in (0, 1).
        family: number of means for which it holds at once (union bound), at least 1.
    """
    fraction(zero=False, one=False, tolerance=tolerance, confidence=confidence)
    count(family=family)
    return math.ceil(math.log(2 * family / (1 - confidence)) / (2 * tolerance**2))
