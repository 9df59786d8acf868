"""`ftnoise inject`: accuracy of your own model under faults: a table, a curve and a JSON."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.cli import own_model
from ftnoise.core.errors import BadInput
from ftnoise.core.files import write_json
from ftnoise.core.lazy import keras
from ftnoise.core.progress import line, log
from ftnoise.core.spec import JSON
from ftnoise.faults.parsing import form
from ftnoise.user import deploy, fault_map, worst_case
from ftnoise.user.fault_map import KINDS
from ftnoise.user.hardening import FORM, OPTIMISTIC, Hardening, ProtectionCurve, time_ratio
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.worst_case import MOST_FLIPS

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.user.folder import Job, R
    from ftnoise.user.result import InjectionComparison, InjectionResult

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
        "--map",
        choices=KINDS,
        help="the sensitivity of each bit in each layer (single flips, n=1), or of each layer by "
        "itself; --trials are those of each",
    )
    add(
        "--harden",
        metavar="HOW",
        help=f"{FORM}: the same trials on the hardened model".replace("%", "%%"),
    )
    add(
        "--ranges",
        type=Path,
        metavar="D.npz",
        help="with --harden: training examples, as --data, that give the ranges of activations or "
        "the most sensitive parameters (default: those of --data)",
    )
    add(
        "--worst",
        type=float,
        metavar="PERCENT",
        help="search for the fewest flips of stored bits that bring the accuracy below this",
    )
    add(
        "--most-flips",
        type=int,
        metavar="N",
        help=f"with --worst: the most flips of the search (default: {MOST_FLIPS})",
    )
    add(
        "--deploy",
        choices=[*deploy.DEPLOYED],
        help="also convert the model to TensorFlow Lite, and flip the same bits in that file; the "
        "fault is one such as parameters,stored=int8:bit_flip:n=10",
    )
    own_model.settings(parser, CampaignSettings, SPECIAL, ("trials", "half_width"))


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    settings = checked(given)
    names = (str(given.weights or given.model), str(given.against))
    model, x, y, about = own_model.loaded(given, "inject")
    from ftnoise.user.files import read_examples, read_weights
    from ftnoise.user.inject import job, plan, prepared
    from ftnoise.user.plausibility import guessing, scaled

    # Read before the first campaign, as is what hardens.
    second = None if given.against is None else read_weights(given.against, model)
    others = None
    if given.ranges is not None:
        inputs, labels = read_examples(given.ranges)
        others = scaled(inputs), labels
    # A campaign or a search that may end early.
    early = settings.half_width is not None or given.worst is not None
    limit = "at most " if early else "about "
    total = "" if settings.half_width is None else limit

    def campaign() -> Campaign:
        found = prepared(model, x, y, settings, scale=True, one_scale=given.deploy is not None)
        for warning in guessing(found.correct, found.y):
            log(f"WARNING: {warning}")
        return found

    def stored(work: Job[R], folder: Path | None, words: Callable[..., str]) -> tuple[R, Path]:
        return own_model.measured(work, folder, "injections", words, limit)

    def measured(
        folder: Path | None, protected: float = 0.0, **facts: JSON
    ) -> tuple[InjectionResult, Path]:
        work = job(campaign(), settings, {**about, **facts}, protected, others)
        return stored(
            work, folder, lambda done, all_, _: f"inject: {done:,} of {total}{all_:,} trials"
        )

    def compare(both: InjectionComparison, path: Path, **facts: JSON) -> None:
        """Prints a comparison, and writes it to the folder of the other result."""
        print(f"\n{both}", flush=True)
        write_json(path / "comparison.json", {**both.to_json(), **facts})

    def harden(result: InjectionResult, to: Path, how: Hardening, hardened: keras.Model) -> None:
        """Measures the hardened models in the same trials; prints what each saves and costs."""
        nonlocal model
        plain, model, results = model, hardened, [result]
        source = given.data if given.ranges is None else given.ranges
        for name, share in how.variants():
            print(f"\nHardened, {name}:\n")
            folder = given.out and given.out / re.sub(r"\W+", "-", name)
            other, path = measured(folder, share, hardening=name)
            results.append(other)
            both = other.against(result, (name, "as it is"))
            ratio = None if how.shares else time_ratio(plain, hardened, scaled(x))
            compare(both, path, time_ratio=ratio)
            print(
                f"Without faults: {result.golden_accuracy:.2f} %, {name} "
                f"{other.golden_accuracy:.2f} %.",
                flush=True,
            )
            if ratio is not None:
                print(f"A forward pass takes {ratio:.2f} times as long. Ranges of {source}.")
        if how.shares:
            curve = ProtectionCurve(results)
            curve.write(to)
            print(f"\n{curve}\nSensitivity on {source}.{'' if others else OPTIMISTIC}", flush=True)
            line(f"Written to {to}/protection: .csv, .png, .pdf")

    with own_model.computing(given):
        if given.map is not None:
            mapped = fault_map.job(campaign(), settings, given.map, about)
            stored(mapped, given.out, lambda n, of, text: f"map: {text}, {n:,} of {of:,} trials")
            return 0
        if given.worst is not None:
            search = worst_case.job(campaign(), settings, given.worst, given.most_flips, about)
            stored(search, given.out, lambda n, of, text: f"worst case: {n} of {of} flips, {text}")
            return 0
        if given.plan:
            print(plan(campaign(), settings))
            return 0
        if given.harden is not None:
            how = Hardening.of(given.harden, settings.fault)
            hardened = how.model(model, *(others or (scaled(x), y)))
        result, folder = measured(given.out)
        if given.harden is not None:
            harden(result, folder, how, hardened)
        if given.deploy is not None:
            print()
            work = deploy.job(campaign(), settings, about)
            folder = given.out and given.out / "deployed"
            other, path = stored(work, folder, lambda n, of, _: f"deployed: {n:,} of {of:,} trials")
            compare(result.against(other, (names[0], f"{names[0]} in {deploy.NAME}")), path)
            if note := deploy.note(given.deploy):
                print(note, flush=True)
        if second is not None:
            model.set_weights(second)
            print()
            other, path = measured(given.out and given.out / "against")
            compare(result.against(other, names), path)
    return 0


def checked(given: argparse.Namespace) -> CampaignSettings:
    """The settings; everything is checked before anything heavy is imported."""
    settings = CampaignSettings.of(**own_model.given_settings(given, CampaignSettings))
    for flag, used in (("--max-trials", "max_trials" in given), ("--plan", given.plan)):
        if used and settings.half_width is None:
            raise BadInput(f"Expected --half-width with {flag}. Received: {flag} alone.")
    modes = ("plan", "map", "worst", "harden", "deploy", "against")
    chosen = [mode for mode in modes if getattr(given, mode) not in (None, False)]
    chosen += ["out"] if given.plan and given.out is not None else []
    if len(chosen) > 1:
        raise BadInput(f"Expected --{chosen[0]} without --{chosen[1]}. Received: both.")
    if given.map is not None:
        fault_map.check(settings, given.map)
    if given.harden is not None:
        Hardening.of(given.harden, settings.fault)
    if given.deploy is not None:
        deploy.check(settings.fault, given.deploy)
    if given.worst is not None:
        given.most_flips = MOST_FLIPS if given.most_flips is None else given.most_flips
        worst_case.check(settings, given.worst, given.most_flips)
    elif given.most_flips is not None:
        raise BadInput("Expected --worst with --most-flips. Received: --most-flips alone.")
    if given.ranges is not None and given.harden is None:
        raise BadInput("Expected --harden with --ranges. Received: --ranges alone.")
    own_model.check_files(given, "data", "weights", "against", "ranges")
    return settings
