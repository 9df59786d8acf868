"""The numbers of a campaign at one rate: the columns of its table, CSV and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ftnoise.core.lazy import np
from ftnoise.core.spec import JSON
from ftnoise.faults.outcomes import OUTCOMES, Outcomes
from ftnoise.faults.precision import Precision
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.curves import is_unclear, with_width
from ftnoise.stats.interval import Interval, student_interval
from ftnoise.stats.levels import variance_components
from ftnoise.stats.summary import summarize


class Intervals(Protocol):
    """The settings of intervals, such as `CampaignSettings`."""

    @property
    def confidence(self) -> float:
        """Of all intervals, in (0, 1)."""

    @property
    def precision(self) -> Precision | None:
        """When a rate has enough trials; None if their number is fixed."""


@dataclass(frozen=True)
class OutcomeRate:
    """The rate of an outcome in percent, mean over trials, and its distribution-free interval.

    Few flips do all the harm, and Student's interval would be too narrow: for SDC-1 of single flips
    it held in 88 of 100 campaigns of 40 trials on a small network.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RateResult:
    """The numbers at one rate, over trials on the same examples.

    Accuracies, intervals and outcomes are in percent, standard errors in points.
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
    outcomes: dict[str, OutcomeRate | None]  # see `Outcomes.outcome_rates`; None if undefined
    trials_values_not_finite: int  # that put NaN or infinity into parameters or outputs of neurons
    trials_outputs_not_finite: int  # with outputs that are not finite, on some examples
    output_deviation_mean: float | None  # Euclidean distance of the outputs to those without
    output_deviation_max: float | None  # faults; None without an example with finite outputs
    unclear: bool  # whether the interval is wider than the drop
    trial_error: float | None  # what the draws of trials, and those of examples, add to the
    example_error: float | None  # standard error over new draws of both; see `stats/levels.py`
    enlarge: str | None  # what reduces the standard error most, `trials` or `examples`
    class_accuracies: list[float | None]  # of each class; None without examples

    @classmethod
    def of(cls, outcomes: Outcomes, settings: Intervals, index: int) -> RateResult:
        """The numbers at the rate with this index."""
        rate, drawn = outcomes.rates[index], outcomes.accuracies(index)
        precision, free = settings.precision, _free_interval(drawn, settings)
        interval = free
        if precision is None:
            interval = student_interval(drawn, settings.confidence, 0.0, 100.0)
        put, given = outcomes.trials_not_finite(index)
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
            outcomes={
                name: _outcome(values, settings)
                for name, values in outcomes.outcome_rates(index).items()
            },
            trials_values_not_finite=put,
            trials_outputs_not_finite=given,
            output_deviation_mean=_finite(deviation_mean),
            output_deviation_max=_finite(deviation_max),
            unclear=bool(faults) and is_unclear(interval, free, outcomes.golden_accuracy),
            trial_error=trial_error,
            example_error=example_error,
            enlarge=enlarge,
            class_accuracies=[*map(_finite, outcomes.class_accuracies(index).mean(axis=0))],
        )

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of the mean accuracy; the distribution-free one where all trials agree."""
        own, free = (self.low, self.high), (self.free_low, self.free_high)
        return with_width(own, free) if self.faults else own

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
            "not finite" if deviation is None else f"{deviation:.3g}",
        ]

    def outcome_cells(self) -> list[list[str]]:
        """Two rows of cells: the rates of the outcomes, and their intervals."""
        known = [one for one in self.outcomes.values() if one is not None]
        means = [self.rate, *(f"{one.mean:.2f}" for one in known)]
        return [means, ["", *(f"{one.low:.2f} to {one.high:.2f}" for one in known)]]

    @property
    def outcome_titles(self) -> list[str]:
        """The titles of those columns."""
        return ["rate", *(OUTCOMES[name] for name, one in self.outcomes.items() if one is not None)]

    def to_json(self) -> dict[str, JSON]:
        """The numbers by name; of each outcome the rate, and `_low` and `_high` of its interval."""
        numbers: dict[str, Any] = asdict(self)
        outcomes = numbers.pop("outcomes")
        for name, one in outcomes.items():
            mean, low, high = (None, None, None) if one is None else one.values()
            numbers |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        return numbers


def _free_interval(values: np.ndarray, settings: Intervals) -> Interval:
    """Of the mean of percentages, whatever their distribution; a sequence up to a half-width."""
    if (precision := settings.precision) is None:
        return bounded_interval(values, settings.confidence, high=100.0)
    sequence = precision.sequence()
    sequence.update(values)
    return sequence.interval


def _outcome(values: np.ndarray, settings: Intervals) -> OutcomeRate | None:
    if not all(map(math.isfinite, values)):
        return None
    interval = _free_interval(values, settings)
    return OutcomeRate(float(values.mean()), interval.low, interval.high)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
