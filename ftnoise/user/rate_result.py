"""The numbers of a campaign at one rate: the columns of its table, CSV and JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.curves import is_unclear
from ftnoise.stats.interval import student_interval
from ftnoise.stats.levels import variance_components
from ftnoise.stats.summary import summarize
from ftnoise.user.settings import CampaignSettings

if TYPE_CHECKING:
    from ftnoise.faults.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class RateResult:
    """The numbers at one rate, over trials on the same examples.

    Accuracies, intervals and the SDC rate are in percent, standard errors in points.
    """

    rate: str  # label, such as `50 %`
    share: float | None  # the rate as a number in [0, 1]; None for a count
    faults: float  # number of sites that are hit, mean over trials
    trials: int
    accuracy: float  # mean over trials
    sd: float | None  # sample standard deviation over trials
    low: float  # interval of the mean accuracy: Student's for a fixed number of trials,
    high: float  # a confidence sequence for trials up to a half-width
    free_low: float  # distribution-free interval; the same for a confidence sequence
    free_high: float
    method: str  # of `low` and `high`
    reached: bool | None  # whether the half-width was reached; None without one
    sdc_rate: float  # share of the examples right without faults that are wrong
    output_deviation_mean: float | None  # Euclidean distance of the outputs to those without
    output_deviation_max: float | None  # faults; None without an example with finite outputs
    not_finite: float  # number of examples whose outputs are not finite, mean over trials
    unclear: bool  # whether the interval is wider than the drop
    trial_error: float | None  # what the draws of trials, and those of examples, add to the
    example_error: float | None  # standard error over new draws of both; see `stats/levels.py`
    enlarge: str | None  # what reduces the standard error most, `trials` or `examples`
    class_accuracies: list[float | None]  # of each class; None without examples

    @classmethod
    def of(cls, outcomes: Outcomes, settings: CampaignSettings, index: int) -> RateResult:
        """The numbers at the rate with this index."""
        rate, drawn = outcomes.rates[index], outcomes.accuracies(index)
        if (precision := settings.precision) is None:
            interval = student_interval(drawn, settings.confidence, 0.0, 100.0)
            free = bounded_interval(drawn, settings.confidence, high=100.0)
        else:
            sequence = precision.sequence()
            sequence.update(drawn)
            interval = free = sequence.interval
        unit, size = rate.size or ("count", 0)
        faults = float(outcomes.results[index]["faults"].mean())
        deviation_mean, deviation_max = outcomes.output_deviation(index)
        trial_error = example_error = enlarge = None
        if len(outcomes.y) > 1:
            levels = variance_components(outcomes.correct(index)[None])
            trial_error = 100 * (levels.standard_errors["trial"] or 0.0)
            example_error = 100 * (levels.standard_errors["example"] or 0.0)
            enlarge = levels.enlarge and f"{levels.enlarge}s"
        return cls(
            rate=rate.label,
            share=None if unit == "count" else size,
            faults=faults,
            trials=len(drawn),
            accuracy=float(drawn.mean()),
            sd=summarize(drawn.tolist()).spread,
            low=interval.low,
            high=interval.high,
            free_low=free.low,
            free_high=free.high,
            method=interval.method,
            reached=None if precision is None else interval.half_width <= precision.half_width,
            sdc_rate=float(outcomes.sdc_rate(index).mean()),
            output_deviation_mean=_finite(deviation_mean),
            output_deviation_max=_finite(deviation_max),
            not_finite=float(outcomes.results[index]["not_finite"].mean()),
            unclear=bool(faults) and is_unclear(interval, free, outcomes.golden_accuracy),
            trial_error=trial_error,
            example_error=example_error,
            enlarge=enlarge,
            class_accuracies=[*map(_finite, outcomes.class_accuracies(index).mean(axis=0))],
        )

    def cells(self, free: bool) -> list[str]:
        """The cells for a terminal; `free` adds the distribution-free interval."""
        deviation = self.output_deviation_mean
        return [
            self.rate,
            f"{self.faults:,.0f}" if self.faults >= 10 else f"{self.faults:g}",
            str(self.trials),
            f"{self.accuracy:.2f}",
            "" if self.sd is None else f"{self.sd:.2f}",
            f"{self.low:.2f} to {self.high:.2f}",
            *([f"{self.free_low:.2f} to {self.free_high:.2f}"] if free else []),
            f"{self.sdc_rate:.2f}",
            "not finite" if deviation is None else f"{deviation:.3g}",
        ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
