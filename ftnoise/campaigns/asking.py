"""Asking a user's own model how it fares under faults, and how many masks that takes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.campaigns.identity import made_of
from ftnoise.campaigns.injection import Injection, Line, counted
from ftnoise.campaigns.question import Question, question
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.progress import duration
from ftnoise.core.spec import JSON, digest
from ftnoise.faults.amounts import Amount
from ftnoise.faults.fault import Fault, fault_of
from ftnoise.stats.curves import Curve, is_unclear
from ftnoise.stats.curves import summaries as summaries_of

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.findings import Findings
    from ftnoise.faults.precision import Precision
    from ftnoise.stats.interval import Interval
    from ftnoise.stats.planning import Plan

PILOT = 20  # masks at each amount, to see their spread
FEW = 20  # examples, to see how long they take


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
    threshold: float | None = None,
    checkpointing: Checkpointing | None = None,
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
            stops; 20 masks at least, unless `max_masks` is less.
        confidence: of the intervals, in (0, 1).
        max_masks: at each amount at most, if there is a `half_width`.
        seed: >= 0; the same seed draws the same masks for every model of the same architecture, so
            that `inject(one, ...).against(inject(other, ...))` compares two under the same faults.
        threshold: of a model with one output: above which it says class 1; None is 0.5 for a
            sigmoid and 0 for a logit.
        checkpointing: keeps what was found on the way, and is told how far it is.

    Raises:
        BadInput: the model has no such places, or something does not fit.
        RunFailed: a check of the campaign on this model fails.
    """
    asked = question(
        fault,
        amounts=amounts,
        masks=masks,
        half_width=half_width,
        confidence=confidence,
        max_masks=max_masks,
        seed=seed,
        threshold=threshold,
    )
    return ask(model, x, y, asked, checkpointing)


def ask(
    model: keras.Model,
    x: Any,
    y: Any,
    asked: Question,
    checkpointing: Checkpointing | None = None,
    of: dict[str, JSON] | None = None,
) -> Injection:
    """As `inject`, with the question as a value; `of` is `made_of` this, if it is at hand."""
    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.gates import gates, untouched
    from ftnoise.faults.sweep import sweep

    checkpointing = checkpointing or Checkpointing()
    of = of or made_of(model, x, y, asked)
    amounts, precision = asked.amounts, asked.precision
    campaign = Campaign(model, x, y, asked.fault, seed=asked.seed, threshold=asked.threshold)
    if campaign.one_by_one:
        _say_calls(campaign, asked, checkpointing)
    seen = gates(campaign, amounts[-1])
    shared: dict[str, Any] = {"checkpointing": checkpointing, "identity": digest(of)}
    if precision:
        pilot = min(PILOT, precision.most)
        found = sweep(campaign, amounts, masks=pilot, **shared)
        expected = _foreseen(found, precision, checkpointing)
        found = sweep(
            campaign, amounts, precision=precision, begun=found, expected=expected, **shared
        )
    else:
        found = sweep(campaign, amounts, masks=asked.masks, **shared)
    untouched(model, of["weights"])
    places = range(len(amounts))
    intervals = [_interval(found.accuracies(place), asked) for place in places]
    reached = None
    if precision:
        reached = tuple(interval.half_width <= precision.half_width for interval in intervals)
    return Injection(
        model=model.name,
        fault=asked.fault.at(amounts[-1]),
        places=campaign.drawer.places,
        images=len(campaign.y),
        seed=asked.seed,
        confidence=asked.confidence,
        golden_accuracy=found.golden_accuracy,
        amounts=tuple(amounts),
        lines=tuple(_line(found, place, intervals[place], asked) for place in places),
        summaries=summaries(
            amounts, [found.accuracies(place) for place in places], found.golden_accuracy, asked
        ),
        gates=str(seen),
        digest=of["weights"],
        half_width=asked.half_width,
        reached=reached,
        findings=found,
    )


def _say_calls(campaign: Campaign, asked: Question, checkpointing: Checkpointing) -> None:
    """Says how long it takes to compute each example by itself, as parameters change with it."""
    few = min(FEW, len(campaign.y))
    began = time.monotonic()
    campaign.outputs(0, asked.amounts[-1], few)
    calls = (
        len(campaign.y) * len(asked.amounts) * (asked.max_masks if asked.precision else asked.masks)
    )
    seconds = (time.monotonic() - began) / few * calls
    checkpointing.say(
        f"A transient fault of parameters takes a call for each mask and example: "
        f"{'up to ' if asked.precision else ''}{calls:,} calls, about {duration(seconds)}. A "
        "permanent one takes the examples together."
    )


def plans(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    *,
    half_width: float,
    confidence: float = 0.95,
    seed: int = 0,
    pilot: int = PILOT,
    threshold: float | None = None,
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
        threshold: as for `inject`.

    Returns:
        A text of several lines.

    Raises:
        BadInput: as for `inject`.
    """
    from ftnoise.faults.campaign import Campaign
    from ftnoise.stats import summarize

    fault = fault_of(fault)
    expect(
        is_number(half_width) and 0 < half_width < 100,
        "half_width in points, in (0, 100)",
        half_width=half_width,
    )
    expect(
        is_number(confidence) and 0 < confidence < 1, "confidence in (0, 1)", confidence=confidence
    )
    expect(is_count(pilot, least=2), "pilot >= 2 masks", pilot=pilot)
    campaign = Campaign(model, x, y, fault, seed=seed, threshold=threshold)
    accuracies = 100 * campaign.run(range(pilot)).correct.mean(axis=1)
    seen = summarize(accuracies.tolist())
    found = _needed(accuracies, half_width, confidence, campaign.drawer.places)
    lines = [
        f"{fault.label}, {fault.amount.label}: accuracy {seen.mean:.2f} %, standard deviation "
        f"{seen.spread:.2f} points ({pilot} masks).",
        f"Masks for an interval of mean -+ {counted(half_width, 'point')} with "
        f"{100 * confidence:g} % confidence:",
    ]
    for plan in found.values():
        masks = "more than can be drawn" if plan.masks is None else f"{plan.masks:,}"
        lines.append(f"  {plan.name}: {masks} ({plan.assumes.rstrip('.')})")
    lines.append(
        f"A fixed number of masks gets {found['student'].name}; masks that are drawn until a "
        f"half-width is reached get the {found['confidence_sequence'].name}."
    )
    return "\n".join(lines)


def _needed(
    accuracies: np.ndarray, half_width: float, confidence: float, places: int | None = None
) -> dict[str, Plan]:
    """How many masks each way needs, judged by the accuracies (percent) of a few."""
    from ftnoise.stats import summarize
    from ftnoise.stats.planning import masks_needed

    seen = summarize(accuracies.tolist())
    assert seen.spread is not None
    # Between them lies every mean and spread that fractions can have.
    mean = min(max(seen.mean / 100, 1e-3), 1 - 1e-3)
    spread = min(max(seen.spread / 100, 1e-4), math.sqrt(mean * (1 - mean)))
    return masks_needed(
        half_width / 100, confidence=confidence, spread=spread, mean=mean, population=places
    )


def _foreseen(found: Findings, precision: Precision, checkpointing: Checkpointing) -> int:
    """How many masks will be drawn at all amounts, judged by those of the pilot; says so."""
    total, over = 0, []
    for place, amount in enumerate(found.amounts):
        plan = _needed(found.accuracies(place), precision.half_width, precision.confidence)
        masks = plan["confidence_sequence"].masks
        if masks is None or masks > precision.most:
            over.append(amount.label)
        total += min(masks or precision.most, precision.most)
    text = (
        f"About {total:,} masks are expected for mean -+ "
        f"{counted(precision.half_width, 'point')} at {counted(len(found.amounts), 'amount')}"
    )
    if over:
        text += f"; {precision.most:,}, the most, will hardly be enough at {', '.join(over)}"
    checkpointing.say(f"{text}.")
    return total


def _interval(accuracies: np.ndarray, asked: Question) -> Interval:
    """Of the mean, in percent: Student's, or the sequence's where it said when to stop."""
    from ftnoise.stats.interval import student_interval

    if asked.precision is None:
        return student_interval(accuracies, asked.confidence)
    sequence = asked.precision.sequence()
    sequence.update(accuracies)
    return sequence.interval


def _line(found: Findings, place: int, interval: Interval, asked: Question) -> Line:
    from ftnoise.stats.bounded import bounded_interval
    from ftnoise.stats.summary import summarize

    accuracies = found.accuracies(place)
    free = interval
    if asked.precision is None:
        free = bounded_interval(accuracies, asked.confidence, high=100.0)
    amount = found.amounts[place]
    mean = float(accuracies.mean())
    faults = float(found.numbers["faults"][place].mean())
    mask_error, example_error, enlarge = _sources(found.correct(place))
    far, farthest = found.distance(place)
    return Line(
        amount=amount.label,
        share=getattr(amount, "rate", None),
        faults=faults,
        masks=found.masks(place),
        accuracy=mean,
        spread=summarize(accuracies.tolist()).spread,
        low=interval.low,
        high=interval.high,
        free_low=free.low,
        free_high=free.high,
        method=interval.method,
        silent_corruptions=float(found.silent_corruptions(place).mean()),
        distance_mean=_finite(far),
        distance_max=_finite(farthest),
        not_finite=float(found.numbers["not_finite"][place].mean()),
        class_accuracies=tuple(map(_finite, found.class_accuracies(place).mean(axis=0))),
        unclear=bool(faults) and is_unclear(interval, free, found.golden_accuracy),
        mask_error=mask_error,
        example_error=example_error,
        enlarge=enlarge,
    )


def _sources(correct: np.ndarray) -> tuple[float | None, float | None, str | None]:
    """What masks and examples add to the standard error, in points, and which to enlarge."""
    from ftnoise.stats.levels import variance_components

    if min(correct.shape) < 2:
        return None, None, None
    found = variance_components(correct[None])
    errors = [100 * (found.standard_errors[name] or 0.0) for name in ("mask", "image")]
    names = {"mask": "masks", "image": "examples"}
    return errors[0], errors[1], names.get(found.enlarge or "")


def summaries(
    amounts: Sequence[Amount], accuracies: Sequence[np.ndarray], golden: float, asked: Question
) -> dict[str, float | None]:
    """The curve in a few numbers, in percent; none where the amounts are no rising shares.

    Args:
        amounts: along the curve.
        accuracies: for each amount `[masks]`, in percent.
        golden: without faults.
        asked: how the masks were drawn.
    """
    import numpy as np

    rates = [100 * getattr(amount, "rate", math.nan) for amount in amounts]
    alike = len({(type(amount), getattr(amount, "per_site", None)) for amount in amounts}) == 1
    if not (alike and all(map(math.isfinite, rates)) and rates[-1] > 0):
        return {}
    if len({len(row) for row in accuracies}) == 1:
        drawn = np.stack(accuracies)
    else:
        # Each amount has its own number of masks; what is asked of this curve are means alone.
        drawn = np.stack([np.full(2, row.mean()) for row in accuracies])
    curve = Curve(rates=rates, accuracies=drawn, golden=golden, percent=True)
    # The bounds that hold whenever the masks came to an end; the lower end of a sequence with both
    # ends holds with more than its confidence.
    lows = [_interval(row, asked).low for row in accuracies] if asked.precision else None
    return summaries_of(curve, asked.confidence, lows)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
