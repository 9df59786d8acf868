"""A fault: its sites, their effect, the rate and the duration.

Source: sections 2.1 and 4.5 of Duddu et al., whose faults are `Fault(where=Neurons(),
what=StuckAt(value=0), rate=...)`, a node crash, and the same of `Weights()` or `Parameters()`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftnoise.core.checks import boolean, expect, instance
from ftnoise.core.lazy import np
from ftnoise.core.spec import Spec
from ftnoise.faults.effects import Effect
from ftnoise.faults.rates import Rate
from ftnoise.faults.where import Where


@dataclass(frozen=True, kw_only=True)
class Fault(Spec):
    """Random sites of a network that compute something else than they should.

    Args:
        where: the sites that can be hit.
        what: the effect on a value that is hit.
        rate: how many sites are hit by one injection; they are drawn at random. A campaign takes
            the rate as an argument of each call instead.
        transient: False is permanent, the same sites for all inputs; True draws sites and values
            anew for each input.
    """

    where: Where
    what: Effect
    rate: Rate
    transient: bool = False

    def __post_init__(self) -> None:
        instance(Where, "of type Where", where=self.where)
        instance(Effect, "of type Effect", what=self.what)
        instance(Rate, "of type Rate", rate=self.rate)
        boolean(transient=self.transient)

    def at(self, rate: Rate) -> Fault:
        """The same fault at another rate."""
        return replace(self, rate=rate)

    @property
    def of_bits(self) -> bool:
        """Whether its sites are the single bits of stored parameters."""
        return self.where.stored is not None and self.what.on_bits and self.what.only_bit is None

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray | None:
        """The random part of the effect for each site; None if there is none."""
        return None if self.of_bits else self.what.draw(generator, shape)

    @property
    def label(self) -> str:
        """The sites and the effect, without the rate: `weights stuck at 0`."""
        text = f"{self.where.label} {self.what.label}"
        if self.of_bits:
            text = f"bits of {self.where.label} flipped"
        return f"{text}, anew for each input" if self.transient else text


def expect_unstored(fault: Fault) -> None:
    """Raises `BadInput` if a fault in training is one of parameters stored in a format."""
    stored = fault.where.stored
    expect(stored is None, "a fault in training without a stored format", stored=stored)
