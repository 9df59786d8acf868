"""The numbers of a campaign: a row for each rate, and the curve in a few numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ftnoise.stats import curves
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.interval import Interval, student_interval
from ftnoise.stats.levels import variance_components
from ftnoise.stats.summary import summarize
from ftnoise.user.settings import CampaignSettings

if TYPE_CHECKING:
    import numpy as np

    from ftnoise.faults.outcomes import Outcomes


def accuracies(outcomes: Outcomes) -> list[np.ndarray]:
    """The accuracy in each trial in percent, `[trials]` for each rate."""
    return [outcomes.accuracies(index) for index in range(len(outcomes.rates))]


def rows(outcomes: Outcomes, settings: CampaignSettings) -> list[dict[str, Any]]:
    """A row for each rate; `InjectionResult.lines` describes the columns."""
    return [_row(outcomes, settings, index) for index in range(len(outcomes.rates))]


def summaries(outcomes: Outcomes, settings: CampaignSettings) -> dict[str, float | None]:
    """The curve in a few numbers; see `InjectionResult.summaries`."""
    import numpy as np

    sizes = [rate.size or ("count", 0) for rate in outcomes.rates]
    units = {unit for unit, _ in sizes}
    if len(units) > 1 or "count" in units or sizes[-1][1] == 0:
        return {}
    drawn, lows = accuracies(outcomes), None
    if settings.precision:
        # Bounds that are valid at any stopping time, and means of unequal numbers of trials.
        lows = [_interval(row, settings).low for row in drawn]
        drawn = [np.full(2, row.mean()) for row in drawn]
    curve = curves.Curve(
        rates=[100 * size for _, size in sizes],
        accuracies=np.stack(drawn),
        golden=outcomes.golden_accuracy,
        percent=True,
    )
    return curves.summaries(curve, settings.confidence, lows)


def _interval(drawn: np.ndarray, settings: CampaignSettings) -> Interval:
    """Interval of the mean: Student's, or that of the sequence that stopped the campaign."""
    if settings.precision is None:
        return student_interval(drawn, settings.confidence)
    sequence = settings.precision.sequence()
    sequence.update(drawn)
    return sequence.interval


def _row(outcomes: Outcomes, settings: CampaignSettings, index: int) -> dict[str, Any]:
    rate, drawn = outcomes.rates[index], outcomes.accuracies(index)
    interval = free = _interval(drawn, settings)
    if settings.precision is None:
        free = bounded_interval(drawn, settings.confidence, high=100.0)
    unit, size = rate.size or ("count", 0)
    faults = float(outcomes.results[index]["faults"].mean())
    deviation_mean, deviation_max = outcomes.output_deviation(index)
    trial_error, example_error, enlarge = _sources(outcomes.correct(index))
    return {
        "rate": rate.label,
        "share": None if unit == "count" else size,
        "faults": faults,
        "trials": outcomes.trials(index),
        "accuracy": float(drawn.mean()),
        "sd": summarize(drawn.tolist()).spread,
        "low": interval.low,
        "high": interval.high,
        "free_low": free.low,
        "free_high": free.high,
        "method": interval.method,
        "reached": settings.half_width and interval.half_width <= settings.half_width,
        "sdc_rate": float(outcomes.sdc_rate(index).mean()),
        "output_deviation_mean": _finite(deviation_mean),
        "output_deviation_max": _finite(deviation_max),
        "not_finite": float(outcomes.results[index]["not_finite"].mean()),
        "unclear": bool(faults) and curves.is_unclear(interval, free, outcomes.golden_accuracy),
        "trial_error": trial_error,
        "example_error": example_error,
        "enlarge": enlarge,
        "class_accuracies": [*map(_finite, outcomes.class_accuracies(index).mean(axis=0))],
    }


def _sources(correct: np.ndarray) -> tuple[float | None, float | None, str | None]:
    """Standard errors in points from trials and from examples, and which to enlarge."""
    if min(correct.shape) < 2:
        return None, None, None
    found = variance_components(correct[None])
    trials, examples = (100 * (found.standard_errors[name] or 0.0) for name in ("trial", "example"))
    return trials, examples, {"trial": "trials", "example": "examples"}.get(found.enlarge or "")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
