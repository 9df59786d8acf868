"""How far a verifier goes before it leaves a point undecided."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, positive
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Budget(Spec):
    """The limits of branch and bound.

    Args:
        nodes: bounds with optimized slopes for each rival class of a point, at least 0. 0 is CROWN
            alone, 1 adds optimized slopes, and more splits units. The result repeats exactly.
        seconds: of wall time for all points of a call after CROWN, > 0, or None for no limit. The
            result depends on the machine where this limit is reached.
    """

    nodes: int = 1000
    seconds: float | None = None

    def __post_init__(self) -> None:
        count(least=0, nodes=self.nodes)
        if self.seconds is not None:
            positive(seconds=self.seconds)
