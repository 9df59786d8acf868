"""`ftnoise inject`: accuracy of your own model under faults: a table, a curve and a JSON."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.cli.arguments import ROOT, folder
from ftnoise.core import stopping
from ftnoise.core.errors import BadInput, RunFailed, one_line
from ftnoise.core.progress import RESUMES, Progress, duration, log
from ftnoise.faults.parsing import form
from ftnoise.user.settings import CONFIDENCE, CampaignSettings, descriptions

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.user.result import InjectionResult

RUNS = ROOT / "runs"


# Settings whose argument is not the number that the field holds.
SPECIAL: dict[str, dict[str, Any]] = {
    "fault": {"type": str, "required": True},
    "rates": {"type": lambda text: text.split(","), "metavar": "R,R,..."},
    "confidence": {
        "type": float,
        "metavar": "PERCENT",
        "help": "of all intervals, in percent (default: 95)",
    },
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: files, and the fields of `CampaignSettings`."""
    parser.epilog = f"A fault is {form()}"
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="PACKAGE.MODULE:FUNCTION",
        help="a function that takes no arguments and returns a built Sequential or functional "
        "keras.Model; the current folder is searched first",
    )
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help='numpy.savez("w.npz", *model.get_weights()), the weights.npz of a stored run, or the '
        ".weights.h5, .h5 or .keras of Keras, of which only arrays are read (default: those of the "
        "function's model)",
    )
    add(
        "--data",
        type=Path,
        required=True,
        metavar="D.npz",
        help="x and y, or x_test and y_test, as the model takes them; x_0, x_1, ... and y for "
        "several inputs. uint8 examples are divided by 255, others are not scaled",
    )
    add(
        "--against",
        type=Path,
        metavar="FILE",
        help="other weights of the same model, to compare under the same trials",
    )
    add(
        "--plan",
        action="store_true",
        help="with --half-width: only estimate the number of trials at the last rate, from 20",
    )
    add(
        "--out",
        type=folder,
        metavar="DIR",
        help="folder of the files (default: one below runs/injections/)",
    )
    texts, exclusive = descriptions(), parser.add_mutually_exclusive_group()
    for field in fields(CampaignSettings):
        default = "" if field.default in (None, MISSING) else f" (default: {field.default})"
        options: dict[str, Any] = {"help": texts[field.name] + default}
        whole = field.type in ("int", "int | None")
        options |= {"type": int, "metavar": "N"} if whole else {"type": float}
        options |= SPECIAL.get(field.name, {})
        group = exclusive if field.name in ("trials", "half_width") else parser
        flag = f"--{field.name.replace('_', '-')}"
        group.add_argument(flag, default=argparse.SUPPRESS, **options)


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    from ftnoise.user.files import build, read_examples, read_weights
    from ftnoise.user.plausibility import guessing, has_pixels

    settings = checked(given)
    log(f"inject: reading {given.data}, then loading TensorFlow and {given.model}.")
    # Before the user's own code, which may change the current folder.
    out, *files = (path and path.absolute() for path in (given.out, given.weights, given.against))
    x, y = read_examples(given.data)
    model = build(given.model)
    # Both files are read before the first campaign.
    first, second = (None if file is None else read_weights(file, model) for file in files)
    if first is not None:
        model.set_weights(first)
    import tensorflow as tf

    from ftnoise.engine.environment import versions
    from ftnoise.user.inject import plan, prepared

    about = {
        "function": given.model,
        "scaling": "uint8 examples divided by 255" if has_pixels(x) else "none",
        "versions": versions(),
    }

    def campaign() -> Campaign:
        found = prepared(model, x, y, settings, scale=True)
        for warning in guessing(found.correct, found.y):
            log(f"WARNING: {warning}")
        return found

    try:
        if given.plan:
            print(plan(campaign(), settings))
            return 0
        result = measured(campaign(), settings, out, about)
        if second is not None:
            model.set_weights(second)
            print()
            other = measured(campaign(), settings, out and out / "against", about)
            names = (str(given.weights or given.model), str(given.against))
            print(f"\n{result.against(other, names)}", flush=True)
        return 0
    except tf.errors.InvalidArgumentError as error:
        raise BadInput(
            f"Expected examples that {given.model} can compute. Received: {one_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        raise RunFailed(f"Could not compute {given.model}: {one_line(error)}") from error


def checked(given: argparse.Namespace) -> CampaignSettings:
    """The settings; everything is checked before anything heavy is imported.

    Raises:
        BadInput: an argument is wrong, or does not fit the others.
    """
    from ftnoise.user.files import check_name

    check_name(given.model)
    names = {field.name for field in fields(CampaignSettings)}
    values = {name: value for name, value in vars(given).items() if name in names}
    if (percent := values.get("confidence")) is not None:
        least, most = (100 * end for end in CONFIDENCE)
        if not least <= percent <= most:
            raise BadInput(
                f"Expected --confidence in percent, in [{least:g}, {most:g}]. Received: {percent}."
            )
        values["confidence"] = round(percent / 100, 12)
    settings = CampaignSettings.of(**values)
    for flag, used in (("--max-trials", "max_trials" in given), ("--plan", given.plan)):
        if used and settings.half_width is None:
            raise BadInput(f"Expected --half-width with {flag}. Received: {flag} alone.")
    for flag in ("out", "against"):
        if given.plan and getattr(given, flag) is not None:
            raise BadInput(f"Expected --plan without --{flag}. Received: both.")
    for flag in ("data", "weights", "against"):
        file = getattr(given, flag)
        if file is not None and not file.is_file():
            found = "not a file" if file.exists() else "no such file"
            raise BadInput(f"Expected --{flag} to be a file. Received: {file}, {found}.")
    if given.out is not None:
        near = next(one for one in (given.out, *given.out.absolute().parents) if one.exists())
        if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
            raise BadInput(
                f"Expected --out to be a folder that can be written. Received: {given.out}."
            )
    return settings


def measured(
    campaign: Campaign, settings: CampaignSettings, out: Path | None, about: dict[str, Any]
) -> InjectionResult:
    """Prints the result of a campaign, which is measured if it is not stored."""
    from ftnoise.store.folders import Store
    from ftnoise.user.folder import SUFFIXES, content_id, stored

    identity = content_id(campaign, settings)
    name = re.sub(r"\W+", "-", campaign.network.name.lower())
    path = out or Store(RUNS).injections / f"{name}-{identity[:8]}"
    report = trial_report("" if settings.half_width is None else "at most ")
    campaigning = stored(campaign, settings, identity, path, report, about)
    with stopping.heeded(RESUMES), campaigning as result:
        print(f"{result}\nScaling: {about['scaling']}.", flush=True)
    log(f"Written to {path}/injection: {', '.join(f'.{suffix}' for suffix in SUFFIXES)}")
    return result


def trial_report(limit: str) -> Callable[[int, int, str], None]:
    """Shows the completed trials, and the time left by those since the first call, on stderr.

    Args:
        limit: before the total and the time, which are upper bounds with a half-width.
    """
    progress = Progress()
    begun: tuple[float, int] | None = None

    def report(done: int, total: int, text: str) -> None:
        nonlocal begun
        now = time.monotonic()
        since, first = begun = begun or (now, done)
        left = ""
        if done > first:
            seconds = (now - since) / (done - first) * (total - done)
            left = f", {limit or 'about '}{duration(seconds)} left"
        progress.update(f"inject: {done:,} of {limit}{total:,} trials{left}")

    return report
