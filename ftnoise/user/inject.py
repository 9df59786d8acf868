"""Fault campaigns on a user's own model, and the number of trials that a precision takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.lazy import keras
from ftnoise.core.spec import JSON
from ftnoise.faults.fault import Fault
from ftnoise.faults.outcomes import Outcomes
from ftnoise.faults.rates import Rate
from ftnoise.stats.bounded import trials_needed
from ftnoise.stats.summary import summarize
from ftnoise.user.folder import Job, content_id
from ftnoise.user.plausibility import check_scaling, has_pixels, scaled
from ftnoise.user.result import InjectionResult
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.tflite import Deployed

PILOT = 20  # trials that show the spread


def inject(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    rates: Rate | float | str | Sequence[Rate | float | str] | None = None,
    **settings: Any,
) -> InjectionResult:
    """Measures the accuracy of a trained model under random faults.

    Args:
        model: a Sequential or functional `keras.Model` with outputs `[batch, classes]`, or
            `[batch, 1]` for two classes; left bit-identical.
        x: examples as the model takes them, `[n, ...]`, or a list of arrays for several inputs;
            nothing is scaled, but uint8 on which the model is far more accurate if divided by 255
            is refused.
        y: integer labels `[n]`.
        fault: a `Fault` or its text form, such as `"weights:stuck_at_zero:0.5"`.
        rates: see `CampaignSettings`.
        settings: further fields of `CampaignSettings`: `trials`, `half_width`, `confidence`,
            `max_trials`, `seed`, `threshold`, `examples_per_call`.

    Raises:
        BadInput: the model has no such sites, an argument does not fit, or a layer is random in
            inference.
        RunFailed: the campaign disagrees with Keras on this model, or changed it.
    """
    checked = CampaignSettings.of(fault, rates, **settings)
    return job(prepared(model, x, y, checked), checked, {}).run(Checkpointing())


def prepared(
    model: keras.Model,
    x: Any,
    y: Any,
    settings: CampaignSettings,
    *,
    scale: bool = False,
    one_scale: bool = False,
) -> Campaign:
    """The campaign with these settings, which leaves the model as it is.

    `scale` divides uint8 examples by 255, as for files; see `storage.Storage` for `one_scale`.
    """
    from ftnoise.faults.campaign import Campaign

    given = scaled(x) if scale else x
    campaign = Campaign(
        model,
        given,
        y,
        settings.fault,
        seed=settings.seed,
        threshold=settings.threshold,
        examples_per_call=settings.examples_per_call,
        one_scale=one_scale,
    )
    for rate in settings.rates:
        rate.check(campaign.site_count)
    if has_pixels(x):
        check_scaling(campaign, x, scale)
    return campaign


def measured(
    struck: Campaign | Deployed,
    campaign: Campaign,
    settings: CampaignSettings,
    checkpointing: Checkpointing,
    *,
    checks: str,
    weights: str,
    name: str | None = None,
) -> InjectionResult:
    """The trials of a campaign on its network, or on the file that is made of it.

    `struck` is what is hit, `campaign` that of the Keras model. See `InjectionResult` for `checks`,
    `weights` and `name`, which is the network's if it is None.
    """
    from ftnoise.faults.agreement import float32_accuracy
    from ftnoise.faults.sweep import sweep

    return InjectionResult(
        model=name or campaign.network.name,
        settings=settings,
        sites=campaign.site_count,
        checks=checks,
        weights=weights,
        float32_accuracy=float32_accuracy(campaign),
        outcomes=sweep(
            struck,
            settings.rates,
            trials=settings.trials,
            precision=settings.precision,
            checkpointing=checkpointing,
        ),
    )


def job(
    campaign: Campaign,
    settings: CampaignSettings,
    about: dict[str, JSON],
    protected: float = 0.0,
    examples: tuple[Any, Any] | None = None,
) -> Job[InjectionResult]:
    """A campaign that `prepared` made; see `inject`.

    Its identity depends on the golden outputs too: the code of a user's own layers enters by them
    only. `about` has further facts for a reader of the JSON. Faults in the share `protected` of the
    parameters are corrected: in the most sensitive ones on `examples`, x and y; None is those of
    the campaign.
    """
    from ftnoise.faults.agreement import agreement
    from ftnoise.faults.campaign import unchanged
    from ftnoise.faults.hardening import most_sensitive

    def run(checkpointing: Checkpointing) -> InjectionResult:
        with unchanged(campaign.network) as before:
            checks = str(agreement(campaign))
            found = measured(
                campaign, campaign, settings, checkpointing, checks=checks, weights=before
            )
        return replace(found, protected=protected)

    identity = settings.to_json()
    arrays = [*campaign.x, campaign.y, campaign.golden]
    if protected:
        campaign.protected = most_sensitive(campaign, protected, examples)
        identity |= {"protected": protected}
        about = {**about, "protected": protected}
        arrays += [] if examples is None else campaign.protected
    names = ("model", "sites", "checks", "weights", "float32_accuracy")
    return Job(
        name="injection",
        model=campaign.network.name,
        identify=lambda: content_id(campaign.network, identity, arrays),
        shape=dict.fromkeys(names, str) | {"sites": int, "float32_accuracy": float},
        run=run,
        load=lambda content, stored: InjectionResult(
            settings=settings,
            protected=protected,
            outcomes=Outcomes.from_arrays(settings.rates, campaign.y, dict(stored)),
            **{name: content[name] for name in names},
        ),
        about=about,
    )


def plan_trials(
    model: keras.Model, x: Any, y: Any, fault: Fault | str, half_width: float, **settings: Any
) -> str:
    """Estimates from 20 trials how many a precision takes.

    Args:
        model: as for `inject`, as are `x` and `y`.
        x: examples.
        y: labels.
        fault: at the rate that is planned for.
        half_width: of the interval of the mean accuracy in points, in [0.01, 100).
        settings: further fields of `CampaignSettings`: `confidence`, `seed`, `threshold`,
            `examples_per_call`.

    Returns:
        Two lines: the spread that a few trials show, and the number of trials.

    Raises:
        BadInput: as for `inject`.
    """
    checked = CampaignSettings.of(fault, half_width=half_width, **settings)
    return plan(prepared(model, x, y, checked), checked)


def plan(campaign: Campaign, settings: CampaignSettings) -> str:
    """The plan for a campaign with a half-width that `prepared` made; see `plan_trials`."""
    fault, half_width = settings.fault, settings.half_width or 0
    accuracies = 100 * campaign.run(range(PILOT), fault.rate).correct.mean(axis=1)
    seen = summarize(accuracies.tolist())
    # The bounds hold every mean and spread that the formula takes.
    mean = min(max(seen.mean / 100, 1e-3), 1 - 1e-3)
    spread = min(max((seen.spread or 0) / 100, 1e-4), math.sqrt(mean * (1 - mean)))
    needed = trials_needed(
        half_width / 100, confidence=settings.confidence, spread=spread, mean=mean
    )
    trials = "more than can be drawn" if needed is None else f"about {needed:,}"
    return (
        f"{fault.label}, {fault.rate.label}: accuracy {seen.mean:.2f} %, standard deviation "
        f"{seen.spread:.2f} points ({PILOT} trials).\n"
        f"Trials for an interval of mean -+ {counted(half_width, 'point')} with "
        f"{100 * settings.confidence:g} % confidence: {trials}."
    )
