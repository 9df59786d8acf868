"""The settings of a fault campaign, checked before there is a model: nothing here needs NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from ftnoise.core.checks import count, expect, is_number, several
from ftnoise.core.spec import JSON, canonical
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import fault_of, rate_of
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Count, Rate, Share

CONFIDENCE = (1e-6, 0.999999)  # one nearer to 1 would be printed as 1
POINTS = 5  # of a curve up to the fault's own rate
MOST_TRIALS = 1_000_000  # at a rate


@dataclass(frozen=True, kw_only=True)
class CampaignSettings:
    """The settings of a fault campaign, as `ftnoise.inject` and the command line take them.

    Attributes:
        fault: a fault or its text form, such as weights:stuck_at_zero:0.5
        rates: fault rates of the curve, rising: shares in [0, 1], or text forms such as n=10;
            by default five shares up to the fault's rate, or a rate of another kind alone
        trials: random trials at each rate, 2 to 1,000,000; not used with a half-width
        half_width: draw trials at each rate until the interval of the mean accuracy is mean -+
            this number of points, in [0.01, 100), by a confidence sequence that is valid at any
            stopping time
        confidence: of all intervals, in [1e-6, 0.999999], as it is printed with six digits
        max_trials: with a half-width: the most trials at each rate, 2 to 1,000,000
        seed: of the trials, an integer >= 0; it draws the same trials for every model of one
            architecture
        threshold: output above which a model with one output predicts class 1; by default 0.5
            after a sigmoid, and 0 for a logit
        examples_per_call: the most examples that are computed together, >= 1, if memory is short;
            by default as many as have outputs of layers of 64 MiB at once
        fit_per_mbit: upsets of the memory in 1e9 hours and 2^20 bits, > 0, which give the failures
            of the model in 1e9 hours; for single flips of stored bits
    """

    fault: Fault
    rates: tuple[Rate, ...]
    trials: int = 100
    half_width: float | None = None
    confidence: float = 0.95
    max_trials: int = 10_000
    seed: int = 0
    threshold: float | None = None
    examples_per_call: int | None = None
    fit_per_mbit: float | None = None

    def __post_init__(self) -> None:
        count(least=2, limit=MOST_TRIALS, trials=self.trials, max_trials=self.max_trials)
        least, most = CONFIDENCE
        within = is_number(self.confidence) and least <= self.confidence <= most
        expect(within, f"confidence in [{least:g}, {most:g}]", confidence=self.confidence)
        count(least=0, seed=self.seed)
        count(optional=True, examples_per_call=self.examples_per_call)
        _ = self.precision  # checks the half-width
        labels = [rate.label for rate in self.rates]
        expect(bool(self.rates), "at least one rate", rates=labels)
        expect(_rise(self.rates), "rates that differ and rise", rates=labels)
        if (upsets := self.fit_per_mbit) is not None:
            expect(is_number(upsets) and upsets > 0, "fit_per_mbit > 0", fit_per_mbit=upsets)
            single = self.rates == (Count(faults=1),) and self.fault.of_bits
            text = f"{self.fault.label}, {', '.join(labels)}"
            form = "parameters,stored=int8:bit_flip:n=1"
            expect(single, f"single flips of stored bits for FIT ({form})", fault=text)

    @classmethod
    def of(
        cls,
        fault: Fault | str,
        rates: Rate | float | str | Sequence[Rate | float | str] | None = None,
        **others: Any,
    ) -> CampaignSettings:
        """Settings from a fault and rates in any form; the fault gets the last rate.

        Raises:
            BadInput: a value is wrong.
        """
        fault = fault_of(fault)
        chosen = tuple(curve(fault.rate) if rates is None else map(rate_of, several(rates)))
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
        """The settings as JSON."""
        return {f.name: canonical(getattr(self, f.name), everything=True) for f in fields(self)}


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
