"""The settings of a fault campaign, checked before there is a model: nothing here needs NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ftnoise.core.checks import count, expect, fraction, is_number
from ftnoise.core.spec import JSON, canonical
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import fault_of, rate_of, restored
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Rate, Share

POINTS = 5  # of a curve up to the fault's own rate


@dataclass(frozen=True, kw_only=True)
class CampaignSettings:
    """What a campaign measures. See `ftnoise.inject` for the ranges and defaults.

    Attributes:
        fault: where, what and how long; its rate is the last of `rates`.
        rates: how many sites are hit, one entry for each point of the curve; rates of one unit
            rise.
        trials: number of trials at each rate, if there is no `half_width`.
        half_width: precision in points up to which trials are drawn; None draws `trials`.
        confidence: of all intervals.
        max_trials: the most trials at each rate, if there is a `half_width`.
        seed: of the trials.
        threshold: output above which a model with one output predicts class 1, or None.
    """

    fault: Fault
    rates: tuple[Rate, ...]
    trials: int = 100
    half_width: float | None = None
    confidence: float = 0.95
    max_trials: int = 10_000
    seed: int = 0
    threshold: float | None = None

    def __post_init__(self) -> None:
        count(least=2, trials=self.trials, max_trials=self.max_trials)
        fraction(zero=False, one=False, confidence=self.confidence)
        count(least=0, seed=self.seed)
        expect(
            self.threshold is None or is_number(self.threshold),
            "threshold to be a number or None",
            threshold=self.threshold,
        )
        _ = self.precision  # checks the half-width
        labels = [rate.label for rate in self.rates]
        expect(bool(self.rates), "at least one rate", rates=labels)
        expect(_rise(self.rates), "rates that differ and rise", rates=labels)

    @classmethod
    def of(
        cls, fault: Fault | str, rates: Sequence[Rate | float | str] | None = None, **others: Any
    ) -> CampaignSettings:
        """Settings from a fault and rates in any form that `ftnoise.inject` takes.

        Raises:
            BadInput: a value is wrong.
        """
        fault = fault_of(fault)
        chosen = tuple(curve(fault.rate) if rates is None else map(rate_of, rates))
        fault = fault.at(chosen[-1]) if chosen else fault
        return cls(fault=fault, rates=chosen, **others)

    @property
    def precision(self) -> Precision | None:
        """When a rate has enough trials; None if their number is fixed."""
        if self.half_width is None:
            return None
        return Precision(
            half_width=self.half_width, confidence=self.confidence, most=self.max_trials
        )

    def to_json(self) -> dict[str, JSON]:
        """The settings as JSON, which `from_json` reads."""
        return {f.name: canonical(getattr(self, f.name), everything=True) for f in fields(self)}

    @classmethod
    def from_json(cls, form: Mapping[str, JSON]) -> CampaignSettings:
        """The settings that `to_json` gave."""
        return cls(**{name: restored(value) for name, value in dict(form).items()})


def curve(rate: Rate) -> list[Rate]:
    """The rates of a curve: five shares up to this one, or another kind of rate alone."""
    if not isinstance(rate, Share) or rate.rate == 0:
        return [rate]
    # To 12 digits, so that a third of 0.3 is labeled 10 %.
    return [
        Share(rate=float(f"{rate.rate * point / POINTS:.12g}"), per_tensor=rate.per_tensor)
        for point in range(1, POINTS + 1)
    ]


def _rise(rates: Sequence[Rate]) -> bool:
    sizes = [rate.size for rate in rates]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or len({unit for unit, _ in known}) > 1:
        return len(set(rates)) == len(rates)
    return all(low[1] < high[1] for low, high in itertools.pairwise(known))
