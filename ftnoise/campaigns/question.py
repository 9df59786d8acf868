"""What is asked of a model, checked before there is a model: nothing here needs NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.spec import JSON, canonical
from ftnoise.faults.amounts import Amount, Share
from ftnoise.faults.fault import Fault, fault_of
from ftnoise.faults.fault import amount as parse_amount
from ftnoise.faults.precision import Precision

STEPS = 5  # of a curve up to the fault's own share


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a model.

    Attributes:
        fault: where, what, how long; see `amounts` for how many.
        amounts: how many places are hit along the curve, rising where they can be compared.
        masks: random masks at each amount, >= 2, if there is no `half_width`.
        half_width: in points; masks are drawn until the interval of the mean accuracy is
            mean -+ half_width. None draws `masks`.
        confidence: of the intervals, in (0, 1).
        max_masks: at each amount at most, >= 2, if there is a `half_width`.
        seed: >= 0, of the masks.
        threshold: of a model with one output: above which it says class 1; None is 0.5 for a
            sigmoid and 0 for a logit.
    """

    fault: Fault
    amounts: tuple[Amount, ...]
    masks: int = 100
    half_width: float | None = None
    confidence: float = 0.95
    max_masks: int = 10_000
    seed: int = 0
    threshold: float | None = None

    def __post_init__(self) -> None:
        expect(is_count(self.masks, least=2), "masks >= 2", masks=self.masks)
        expect(is_count(self.max_masks, least=2), "max_masks >= 2", max_masks=self.max_masks)
        expect(
            is_number(self.confidence) and 0 < self.confidence < 1,
            "confidence in (0, 1)",
            confidence=self.confidence,
        )
        expect(is_count(self.seed, least=0), "seed an integer >= 0", seed=self.seed)
        expect(
            self.threshold is None or is_number(self.threshold),
            "threshold a number, or None",
            threshold=self.threshold,
        )
        _ = self.precision  # checks the half-width
        expect(len(self.amounts) > 0, "at least one amount", amounts=self.amounts)
        labels = [amount.label for amount in self.amounts]
        expect(_rise(self.amounts), "amounts that differ, and rise", amounts=labels)

    @property
    def precision(self) -> Precision | None:
        """When an amount has masks enough; None where their number is fixed."""
        if self.half_width is None:
            return None
        return Precision(
            half_width=self.half_width, confidence=self.confidence, most=self.max_masks
        )

    @property
    def form(self) -> JSON:
        """All of it that an answer depends on."""
        return {
            "fault": canonical(self.fault),
            "amounts": [canonical(amount) for amount in self.amounts],
            "confidence": canonical(self.confidence),
            "seed": self.seed,
            **({} if self.threshold is None else {"threshold": canonical(self.threshold)}),
            **(
                {"masks": self.masks}
                if self.half_width is None
                else {"half_width": canonical(self.half_width), "max_masks": self.max_masks}
            ),
        }


def question(
    fault: Fault | str,
    *,
    amounts: Sequence[Amount | float | str] | None = None,
    masks: int = 100,
    half_width: float | None = None,
    confidence: float = 0.95,
    max_masks: int = 10_000,
    seed: int = 0,
    threshold: float | None = None,
) -> Question:
    """A question in the words of `ftnoise.inject`, which see.

    Raises:
        BadInput: a word is wrong.
    """
    fault = fault_of(fault)
    along = steps(fault) if amounts is None else [amount_of(one) for one in amounts]
    return Question(
        fault=fault,
        amounts=tuple(along),
        masks=masks,
        half_width=half_width,
        confidence=confidence,
        max_masks=max_masks,
        seed=seed,
        threshold=threshold,
    )


def steps(fault: Fault) -> list[Amount]:
    """The amounts of a curve: five shares up to the fault's own, or its own amount."""
    own = fault.amount
    if not isinstance(own, Share) or own.rate == 0:
        return [own]
    # To 12 digits, so that a third of 0.3 is called 0.1.
    return [
        Share(rate=float(f"{own.rate * step / STEPS:.12g}"), per_site=own.per_site)
        for step in range(1, STEPS + 1)
    ]


def amount_of(one: Amount | float | str) -> Amount:
    """An amount from itself, a share or a short form such as `"n=3"`."""
    if isinstance(one, Amount):
        return one
    return parse_amount(one) if isinstance(one, str) else Share(rate=one)


def _rise(amounts: Sequence[Amount]) -> bool:
    sizes = [amount.size for amount in amounts]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or len({kind for kind, _ in known}) > 1:
        return len(set(amounts)) == len(amounts)
    return all(low[1] < high[1] for low, high in itertools.pairwise(known))
