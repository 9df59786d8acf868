"""`ftnoise inject`: accuracy of your own model under faults: a table, a curve and a JSON."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.cli import own_model
from ftnoise.core.errors import BadInput
from ftnoise.core.progress import log
from ftnoise.faults.parsing import form
from ftnoise.user.deploy import DEPLOYED, NAME, check, note
from ftnoise.user.settings import CampaignSettings

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.user.folder import Job
    from ftnoise.user.result import InjectionResult

# Settings whose argument is not the number that the field holds.
SPECIAL: dict[str, dict[str, Any]] = {
    "fault": {"type": str, "required": True, "metavar": "FAULT"},
    "rates": {"type": lambda text: text.split(","), "metavar": "R,R,..."},
    "confidence": own_model.CONFIDENCE,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: files, and the fields of `CampaignSettings`."""
    parser.epilog = f"A fault is {form()}"
    own_model.files(parser, "injections")
    add = parser.add_argument
    add(
        "--against",
        type=Path,
        metavar="FILE",
        help="other weights of the same model, to compare under the same trials",
    )
    add(
        "--plan",
        action="store_true",
        help="with --half-width: only estimate the trials needed at the last rate, from 20 trials",
    )
    add(
        "--deploy",
        choices=[*DEPLOYED],
        help="also convert the model to TensorFlow Lite, and flip the same bits in that file; the "
        "fault is one such as parameters,stored=int8:bit_flip:n=10",
    )
    own_model.settings(parser, CampaignSettings, SPECIAL, ("trials", "half_width"))


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    settings = checked(given)
    names = (str(given.weights or given.model), str(given.against))
    model, x, y, about = own_model.loaded(given, "inject")
    from ftnoise.store.folders import Store
    from ftnoise.user.deploy import job as deployed
    from ftnoise.user.files import read_weights
    from ftnoise.user.inject import job, plan, prepared
    from ftnoise.user.plausibility import guessing

    # Read before the first campaign.
    second = None if given.against is None else read_weights(given.against, model)
    limit = "about " if settings.half_width is None else "at most "
    total = "" if settings.half_width is None else limit

    def campaign() -> Campaign:
        found = prepared(model, x, y, settings, scale=True)
        for warning in guessing(found.correct, found.y):
            log(f"WARNING: {warning}")
        return found

    def measured(work: Job[InjectionResult], folder: Path | None) -> InjectionResult:
        path = folder or Store(own_model.RUNS).own("injections") / work.folder
        report = own_model.reporting(
            lambda done, all_, _: f"inject: {done:,} of {total}{all_:,} trials", limit
        )
        return own_model.measured(work, path, report)

    with own_model.computing(given):
        if given.plan:
            print(plan(campaign(), settings))
            return 0
        first = campaign()
        result = measured(job(first, settings, about), given.out)
        if given.deploy:
            print()
            other = measured(deployed(first, settings, about), given.out and given.out / "deployed")
            both = result.against(other, (names[0], f"{names[0]} in {NAME}"))
            print(f"\n{both}\n{note(given.deploy)}".rstrip(), flush=True)
        if second is not None:
            model.set_weights(second)
            print()
            work = job(campaign(), settings, about)
            other = measured(work, given.out and given.out / "against")
            print(f"\n{result.against(other, names)}", flush=True)
    return 0


def checked(given: argparse.Namespace) -> CampaignSettings:
    """The settings; everything is checked before anything heavy is imported.

    Raises:
        BadInput: an argument is wrong, or does not fit the others.
    """
    settings = CampaignSettings.of(**own_model.given_settings(given, CampaignSettings))
    for flag, used in (("--max-trials", "max_trials" in given), ("--plan", given.plan)):
        if used and settings.half_width is None:
            raise BadInput(f"Expected --half-width with {flag}. Received: {flag} alone.")
    for flag in ("out", "against"):
        if given.plan and getattr(given, flag) is not None:
            raise BadInput(f"Expected --plan without --{flag}. Received: both.")
    if given.deploy:
        check(settings.fault, given.deploy)
        for flag in ("plan", "against"):
            if getattr(given, flag):
                raise BadInput(f"Expected --deploy without --{flag}. Received: both.")
    own_model.check_files(given, "data", "weights", "against")
    return settings
