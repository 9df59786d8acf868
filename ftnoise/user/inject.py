"""Fault campaigns on a user's own model, and the number of trials that a precision takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count
from ftnoise.faults.parsing import fault_of
from ftnoise.faults.precision import Precision
from ftnoise.stats.planning import trials_needed
from ftnoise.stats.summary import summarize
from ftnoise.user.result import InjectionResult
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.fault import Fault
    from ftnoise.faults.outcomes import Outcomes
    from ftnoise.faults.rates import Rate

PILOT = 20  # trials at each rate that show the spread


def inject(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    rates: Sequence[Rate | float | str] | None = None,
    *,
    trials: int = 100,
    half_width: float | None = None,
    confidence: float = 0.95,
    max_trials: int = 10_000,
    seed: int = 0,
    threshold: float | None = None,
    checkpointing: Checkpointing | None = None,
) -> InjectionResult:
    """Measures the accuracy of a trained model under random faults.

    Args:
        model: a Sequential or functional `keras.Model` with outputs `[batch, classes]`, or
            `[batch, 1]` for two classes; left bit-identical.
        x: examples as the model takes them, `[n, ...]`, or a list of arrays for several inputs;
            nothing is scaled.
        y: integer labels `[n]`.
        fault: a `Fault` or its text form, such as `"weights:stuck_at_zero:0.5"`.
        rates: how many sites are hit at each point of the curve: shares in [0, 1] or text forms
            such as `"n=3"`, rising; None takes five shares up to the fault's rate, or a rate of
            another kind alone.
        trials: random trials at each rate, >= 2, if there is no `half_width`.
        half_width: in points, in (0, 100): at each rate trials are drawn until the interval of the
            mean accuracy is mean -+ half_width, by a confidence sequence that is valid at any
            stopping time; at least 20 trials, unless `max_trials` is less.
        confidence: of all intervals, in (0, 1).
        max_trials: the most trials at each rate, >= 2, if there is a `half_width`.
        seed: an integer >= 0. The same seed draws the same trials for every model of one
            architecture, so `inject(one, ...).against(inject(other, ...))` compares two models
            under the same faults.
        threshold: output above which a model with one output predicts class 1; None is 0.5 for a
            sigmoid and 0 for a logit.
        checkpointing: keeps the trials on the way, and reports progress.

    Raises:
        BadInput: the model has no such sites, an argument does not fit, or a campaign without
            faults disagrees with Keras on this model.
    """
    settings = CampaignSettings.of(
        fault,
        rates,
        trials=trials,
        half_width=half_width,
        confidence=confidence,
        max_trials=max_trials,
        seed=seed,
        threshold=threshold,
    )
    return run(prepared(model, x, y, settings), settings, checkpointing)


def prepared(model: keras.Model, x: Any, y: Any, settings: CampaignSettings) -> Campaign:
    """The campaign with these settings; raises `BadInput` if the parts do not fit each other."""
    from ftnoise.faults.campaign import Campaign

    campaign = Campaign(
        model, x, y, settings.fault, seed=settings.seed, threshold=settings.threshold
    )
    for rate in settings.rates:
        rate.check(campaign.site_count)
    return campaign


def run(
    campaign: Campaign, settings: CampaignSettings, checkpointing: Checkpointing | None = None
) -> InjectionResult:
    """Runs a campaign that `prepared` made; see `inject`."""
    from ftnoise.faults.agreement import agreement
    from ftnoise.faults.campaign import digest
    from ftnoise.faults.sweep import sweep

    checkpointing = checkpointing or Checkpointing()
    rates, precision = settings.rates, settings.precision
    if campaign.one_by_one:
        most = (settings.max_trials if precision else settings.trials) * len(rates)
        checkpointing.show(
            "A transient fault of parameters takes one call for each trial and example, "
            f"{'up to ' if precision else ''}{most * len(campaign.y):,} calls. A permanent fault "
            "computes the examples together."
        )
    checks = str(agreement(campaign))
    fixed = min(PILOT, precision.most) if precision else settings.trials
    outcomes = sweep(campaign, rates, trials=fixed, checkpointing=checkpointing)
    if precision is None:
        outcomes = _first(outcomes, settings.trials)
    else:
        outcomes = sweep(
            campaign,
            rates,
            precision=precision,
            checkpointing=checkpointing,
            begun=outcomes,
            expected=_expected(outcomes, precision, checkpointing),
        )
    return InjectionResult(
        model=campaign.network.name,
        settings=settings,
        sites=campaign.site_count,
        checks=checks,
        weights=digest(campaign.network),
        outcomes=outcomes,
    )


def plan_trials(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    half_width: float,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    threshold: float | None = None,
    pilot: int = PILOT,
) -> str:
    """Estimates the number of trials that a precision takes, from a few trials.

    Args:
        model: as for `inject`, as are `x`, `y`, `confidence`, `seed` and `threshold`.
        x: examples.
        y: labels.
        fault: at the rate that is planned for.
        half_width: of the interval of the mean accuracy in points, in (0, 100).
        confidence: of the interval.
        seed: of the trials.
        threshold: of a model with one output.
        pilot: number of trials that show the spread, >= 2.

    Returns:
        Two lines: the spread that a few trials show, and the number of trials.

    Raises:
        BadInput: as for `inject`.
    """
    count(least=2, pilot=pilot)
    fault = fault_of(fault)
    settings = CampaignSettings.of(
        fault,
        [fault.rate],
        half_width=half_width,
        confidence=confidence,
        seed=seed,
        threshold=threshold,
    )
    campaign = prepared(model, x, y, settings)
    accuracies = 100 * campaign.run(range(pilot), fault.rate).correct.mean(axis=1)
    seen = summarize(accuracies.tolist())
    needed = _needed(accuracies, half_width, confidence)
    trials = "more than can be drawn" if needed is None else f"about {needed:,}"
    return (
        f"{fault.label}, {fault.rate.label}: accuracy {seen.mean:.2f} %, standard deviation "
        f"{seen.spread:.2f} points ({pilot} trials).\n"
        f"Trials for an interval of mean -+ {counted(half_width, 'point')} with "
        f"{100 * confidence:g} % confidence: {trials}."
    )


def _first(outcomes: Outcomes, trials: int) -> Outcomes:
    """The first trials at each rate, as a checkpoint of a longer campaign may hold more."""
    kept = [{name: one[:trials] for name, one in arrays.items()} for arrays in outcomes.results]
    return replace(outcomes, results=kept)


def _needed(accuracies: np.ndarray, half_width: float, confidence: float) -> int | None:
    """The number of trials, judged by the accuracies (percent) of a few."""
    seen = summarize(accuracies.tolist())
    # The bounds hold every mean and spread that the formula takes.
    mean = min(max(seen.mean / 100, 1e-3), 1 - 1e-3)
    spread = min(max((seen.spread or 0) / 100, 1e-4), math.sqrt(mean * (1 - mean)))
    return trials_needed(half_width / 100, confidence=confidence, spread=spread, mean=mean)


def _expected(pilot: Outcomes, precision: Precision, checkpointing: Checkpointing) -> int:
    """The number of trials expected at all rates together; shows it to the user."""
    total, over = 0, []
    for index, rate in enumerate(pilot.rates):
        accuracies = pilot.accuracies(index)
        trials = _needed(accuracies, precision.half_width, precision.confidence) or math.inf
        if trials > precision.most:
            over.append(rate.label)
        total += int(min(trials, precision.most))
    text = (
        f"About {total:,} trials are expected for mean -+ "
        f"{counted(precision.half_width, 'point')} at {counted(len(pilot.rates), 'rate')}"
    )
    if over:
        text += f"; the maximum of {precision.most:,} may be too few at {', '.join(over)}"
    checkpointing.show(f"{text}.")
    return total
