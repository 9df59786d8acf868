"""Asking a user's own model how it fares under faults, and how many masks that takes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.campaigns.injection import Injection, Line
from ftnoise.faults.amounts import Amount, Share
from ftnoise.faults.fault import Fault, parse
from ftnoise.faults.fault import amount as parse_amount
from ftnoise.spec import canonical, digest, expect, is_number
from ftnoise.workspace import Workspace

if TYPE_CHECKING:
    import keras

    from ftnoise.faults.findings import Findings
    from ftnoise.stats.interval import Interval

STEPS = 5  # of a curve up to the fault's own share
FALLS = (1, 5, 50)


def inject(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    *,
    amounts: Sequence[Amount | float | str] | None = None,
    masks: int = 100,
    half_width: float | None = None,
    confidence: float = 0.95,
    max_masks: int = 10_000,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> Injection:
    """How a trained model fares under random faults.

    Args:
        model: a Sequential or functional `keras.Model` with outputs `[batch, classes]`, or
            `[batch, 1]` for two classes; left bit-identical.
        x: examples as the model takes them, `[n, ...]`, or a list of arrays for several inputs.
        y: integer labels `[n]`.
        fault: a `Fault` or its short form, such as `"weights:stuck_at_zero:0.5"`.
        amounts: how many places are hit along the curve: shares, or short forms such as `"n=3"`;
            None takes five shares up to the fault's own, or its own amount alone.
        masks: random masks at each amount, >= 2, if there is no `half_width`.
        half_width: in points: at each amount masks are drawn until the interval of the mean
            accuracy is mean -+ half_width, by a confidence sequence that is valid whenever one
            stops.
        confidence: of the intervals, in (0, 1).
        max_masks: at each amount at most, if there is a `half_width`.
        seed: >= 0; the same seed draws the same masks for every model of the same architecture.
        workspace: keeps what was found on the way, and is told how far it is.

    Raises:
        BadInput: the model has no such places, or something does not fit.
        RunFailed: a check of the campaign on this model fails.
    """
    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.campaign import digest as weights_digest
    from ftnoise.faults.gates import gates, untouched
    from ftnoise.faults.sweep import Precision, sweep

    fault = parse(fault) if isinstance(fault, str) else fault
    expect(isinstance(fault, Fault), "a fault or its short form", fault=fault)
    along = steps(fault) if amounts is None else [_amount(one) for one in amounts]
    expect(len(along) > 0, "at least one amount", amounts=amounts)
    expect(half_width is not None or masks >= 2, "masks >= 2", masks=masks)
    precision = None
    if half_width is not None:
        precision = Precision(half_width=half_width, confidence=confidence, most=max_masks)
    before = weights_digest(model)
    campaign = Campaign(model, x, y, fault, seed=seed)
    seen = gates(campaign, along[-1])
    found = sweep(
        campaign,
        along,
        masks=masks,
        precision=precision,
        workspace=workspace,
        identity=_identity(campaign, before, along),
    )
    untouched(model, before)
    intervals = [_interval(found, place, precision, confidence) for place in range(len(along))]
    lines = tuple(
        _line(found, place, interval, precision is not None, confidence)
        for place, interval in enumerate(intervals)
    )
    reached = None
    if precision:
        reached = tuple(interval.half_width <= precision.half_width for interval in intervals)
    return Injection(
        model=model.name,
        fault=fault.at(along[-1]),
        places=campaign.drawer.places,
        images=len(campaign.y),
        seed=seed,
        confidence=confidence,
        golden_accuracy=found.golden_accuracy,
        lines=lines,
        summaries=_summaries(found, confidence),
        gates=str(seen),
        digest=before,
        reached=reached,
    )


def steps(fault: Fault) -> list[Amount]:
    """The amounts of a curve: five shares up to the fault's own, or its own amount."""
    own = fault.amount
    if not isinstance(own, Share) or own.rate == 0:
        return [own]
    # Rounded, so that a third of 0.3 is called 0.1.
    return [
        Share(rate=round(own.rate * step / STEPS, 12), per_site=own.per_site)
        for step in range(1, STEPS + 1)
    ]


def plans(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    *,
    half_width: float,
    confidence: float = 0.95,
    seed: int = 0,
    pilot: int = 20,
) -> str:
    """How many masks each way needs for an interval of the mean -+ half_width, from a pilot.

    Args:
        model: as for `inject`.
        x: examples.
        y: labels.
        fault: at the amount that is planned for.
        half_width: in points, in (0, 100).
        confidence: in (0, 1).
        seed: >= 0.
        pilot: masks that are drawn to see the spread, >= 2.
    """
    from ftnoise.faults.campaign import Campaign
    from ftnoise.stats import summarize
    from ftnoise.stats.planning import masks_needed

    fault = parse(fault) if isinstance(fault, str) else fault
    expect(
        is_number(half_width) and 0 < half_width < 100,
        "half_width in points, in (0, 100)",
        half_width=half_width,
    )
    campaign = Campaign(model, x, y, fault, seed=seed)
    correct = campaign.run(range(pilot)).correct
    seen = summarize((100 * correct.mean(axis=1)).tolist())
    assert seen.spread is not None
    # Between them lies every mean and spread that fractions can have.
    mean = min(max(seen.mean / 100, 1e-3), 1 - 1e-3)
    spread = min(max(seen.spread / 100, 1e-4), math.sqrt(mean * (1 - mean)))
    found = masks_needed(
        half_width / 100,
        confidence=confidence,
        spread=spread,
        mean=mean,
        population=campaign.drawer.places,
    )
    lines = [
        f"{pilot} masks at {fault.amount.label}: accuracy {seen.mean:.2f} %, standard deviation "
        f"{seen.spread:.2f} points.",
        f"Masks for -+ {half_width:g} points with {100 * confidence:g} %:",
    ]
    for plan in found.values():
        masks = "more than can be drawn" if plan.masks is None else f"{plan.masks:,}"
        lines.append(f"  {plan.name}: {masks} ({plan.assumes.rstrip('.')})")
    return "\n".join(lines)


def _amount(one: Amount | float | str) -> Amount:
    if isinstance(one, Amount):
        return one
    return parse_amount(one) if isinstance(one, str) else Share(rate=one)


def _identity(campaign: Any, weights: str, along: Sequence[Amount]) -> str:
    """What a campaign is of: model, examples, fault, amounts and seed."""
    examples = hashlib.sha256()
    for array in (*campaign.x, campaign.y):
        examples.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return digest(
        {
            "weights": weights,
            "examples": examples.hexdigest(),
            "fault": canonical(campaign.fault),
            "amounts": [canonical(amount) for amount in along],
            "seed": campaign.drawer.seed,
        }
    )


def _interval(found: Findings, place: int, precision: Any, confidence: float) -> Interval:
    from ftnoise.stats.interval import student_interval

    if precision is None:
        return student_interval(found.accuracies(place), confidence)
    sequence = precision.sequence()
    sequence.update(found.accuracies(place))
    return sequence.interval


def _line(
    found: Findings, place: int, interval: Interval, stopped: bool, confidence: float
) -> Line:
    from ftnoise.stats.bounded import bounded_interval
    from ftnoise.stats.summary import summarize

    accuracies = found.accuracies(place)
    free = interval if stopped else bounded_interval(accuracies, confidence, high=100.0)
    amount = found.amounts[place]
    mean = float(accuracies.mean())
    drop = found.golden_accuracy - mean
    return Line(
        amount=amount.label,
        share=getattr(amount, "rate", None),
        faults=float(found.numbers["faults"][place].mean()),
        masks=found.masks(place),
        accuracy=mean,
        spread=summarize(accuracies.tolist()).spread,
        low=interval.low,
        high=interval.high,
        free_low=free.low,
        free_high=free.high,
        method=interval.method,
        silent_corruptions=float(found.silent_corruptions(place).mean()),
        distance_mean=_finite(found.numbers["distance_mean"][place].mean()),
        distance_max=_finite(found.numbers["distance_max"][place].max()),
        not_finite=float(found.numbers["not_finite"][place].mean()),
        class_accuracies=tuple(map(_finite, found.class_accuracies(place).mean(axis=0))),
        unclear=interval.high - interval.low > abs(drop) > 0,
    )


def _summaries(found: Findings, confidence: float) -> dict[str, float | None]:
    """The curve in a few numbers; none where the amounts are no rising shares."""
    import numpy as np

    from ftnoise.stats.curves import Curve

    rates = [100 * getattr(amount, "rate", math.nan) for amount in found.amounts]
    if not (all(map(math.isfinite, rates)) and rates == sorted(set(rates)) and rates[-1] > 0):
        return {}
    # Where masks were drawn until it was enough, the first ones are common to all.
    common = min(map(found.masks, range(len(rates))))
    accuracies = np.stack([found.accuracies(place)[:common] for place in range(len(rates))])
    curve = Curve(rates=rates, accuracies=accuracies, golden=found.golden_accuracy, percent=True)
    return {
        "area_under_curve": curve.area().mean,
        **{f"rate_{_lost(points)}": curve.rate_at_drop(points) for points in FALLS},
        **{
            f"largest_rate_surely_under_{_lost(points)}": curve.tolerated_rate(points, confidence)
            for points in FALLS[:2]
            if confidence > 0.5
        },
    }


def _lost(points: int) -> str:
    return f"{points}_point{'' if points == 1 else 's'}_lost"


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
