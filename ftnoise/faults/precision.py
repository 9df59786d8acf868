"""How narrow an interval has to be before no more masks are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.stats.bounded import ConfidenceSequence


@dataclass(frozen=True, kw_only=True)
class Precision:
    """When an amount has masks enough.

    Args:
        half_width: of the interval of the mean accuracy, in points, in (0, 100); see
            `stats.bounded.ConfidenceSequence`, which is valid whenever one stops.
        confidence: in (0, 1).
        most: masks at most, >= 2.
    """

    half_width: float
    confidence: float = 0.95
    most: int = 10_000

    def __post_init__(self) -> None:
        expect(
            is_number(self.half_width) and 0 < self.half_width < 100,
            "half_width in points, in (0, 100)",
            half_width=self.half_width,
        )
        expect(
            is_number(self.confidence) and 0 < self.confidence < 1,
            "confidence in (0, 1)",
            confidence=self.confidence,
        )
        expect(is_count(self.most, least=2), "at least 2 masks at most", most=self.most)

    def sequence(self) -> ConfidenceSequence:
        """A confidence sequence in percent that aims at the half-width."""
        return ConfidenceSequence(self.confidence, 0.0, 100.0, aim=self.half_width)
