"""How narrow an interval has to be before no more trials are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, expect, fraction, is_number
from ftnoise.stats.bounded import ConfidenceSequence

# Trials before a sweep may stop: standard errors need some.
LEAST = 20
# Points; ten steps of the grid of a confidence sequence. Trials that all agree reach it after
# 13,600.
NARROWEST = 0.01


@dataclass(frozen=True, kw_only=True)
class Precision:
    """When a rate has trials enough.

    Args:
        half_width: of the interval of the mean accuracy, in points, in [0.01, 100); see
            `stats.bounded.ConfidenceSequence`, which is valid at any stopping time.
        confidence: in (0, 1).
        most: the largest number of trials, >= 2.
    """

    half_width: float
    confidence: float = 0.95
    most: int = 10_000

    def __post_init__(self) -> None:
        expect(
            is_number(self.half_width) and NARROWEST <= self.half_width < 100,
            f"half_width in points, in [{NARROWEST}, 100)",
            half_width=self.half_width,
        )
        fraction(zero=False, one=False, confidence=self.confidence)
        count(least=2, most=self.most)

    def sequence(self) -> ConfidenceSequence:
        """A confidence sequence in percent that aims at the half-width."""
        return ConfidenceSequence(self.confidence, 0.0, 100.0, aim=self.half_width)

    def reached(self, sequence: ConfidenceSequence) -> bool:
        """Whether the interval of a sequence is narrow enough."""
        return (
            sequence.count >= min(LEAST, self.most)
            and sequence.interval.half_width <= self.half_width
        )
