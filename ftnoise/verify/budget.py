"""How far a verifier goes before it leaves a point undecided."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, positive
from ftnoise.core.lazy import keras
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Budget(Spec):
    """The limits of the verifier.

    Args:
        nodes: bounds with optimized slopes for each rival class of a point, at least 0. 0 is CROWN
            alone, 1 adds optimized slopes, and more splits units. The result repeats exactly.
        seconds: of wall time for all points of a call, > 0, or None for no limit. Points that are
            not begun by then stay undecided, so the result depends on the machine. A call begins
            with some points in any case, and an interrupted call resumes with all its seconds.
        widest: largest number of units in a layer of a network that is verified, at least 1, or
            None for no limit. CROWN's time grows with units times parameters.
    """

    nodes: int = 1000
    seconds: float | None = None
    widest: int | None = None

    def __post_init__(self) -> None:
        count(least=0, nodes=self.nodes)
        if self.seconds is not None:
            positive(seconds=self.seconds)
        count(optional=True, widest=self.widest)

    def allows(self, network: keras.Model) -> bool:
        """Whether the network has no layer that is too wide; its inputs do not count."""
        if self.widest is None:
            return True
        import math

        from ftnoise.layers.graph import unfold

        shapes = [step.shapes[0][1:] for step in unfold(network).steps if step.layer.weights]
        units = [math.prod(size or 1 for size in shape) for shape in shapes]
        return max(units, default=0) <= self.widest
