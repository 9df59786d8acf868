"""`ftnoise inject`: accuracy of a user's own model under faults."""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftnoise
from ftnoise.cli.arguments import ROOT, folder
from ftnoise.core.errors import BadInput, RunFailed, one_line
from ftnoise.core.progress import GOES_ON, Progress, duration, tell
from ftnoise.faults.parsing import form
from ftnoise.user.files import build, check_name, load_weights, read_examples, read_weights
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted

if TYPE_CHECKING:
    import keras

    from ftnoise.user.result import InjectionResult

HELP = "accuracy of your own model under faults: a table, a curve and a JSON"
RUNS = ROOT / "runs"
# A result needs them, a plan does not.
NOT_PLANNED = ("rates", "max_trials", "out", "against")
PACKAGES = ("tensorflow", "keras", "numpy")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
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
        metavar="W.npz",
        help='numpy.savez("w.npz", *model.get_weights()), or the weights.npz of a stored run '
        "(default: those of the function's model)",
    )
    add(
        "--data",
        type=Path,
        required=True,
        metavar="D.npz",
        help="x and y, or x_test and y_test, as the model takes them; x_0, x_1, ... and y for "
        "several inputs. uint8 examples are divided by 255, others are not scaled",
    )
    add("--fault", required=True, help="such as weights:stuck_at_zero:0.5; see below")
    add(
        "--rates",
        metavar="R,R,...",
        help="fault rates of the curve, such as 0.1,0.2 or n=1,n=10 (default: five shares up to "
        "the fault's)",
    )
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--trials", type=int, metavar="N", help="random trials at each rate (100)")
    number.add_argument(
        "--half-width",
        type=float,
        metavar="POINTS",
        help="draw trials until the interval of the mean accuracy is mean -+ POINTS",
    )
    add("--confidence", type=float, default=95.0, metavar="PERCENT", help="of the intervals (95)")
    add(
        "--max-trials",
        type=int,
        metavar="N",
        help="with --half-width: the most trials at each rate (10000)",
    )
    add(
        "--threshold",
        type=float,
        metavar="T",
        help="output above which a model with one output predicts class 1 (default: 0.5 after a "
        "sigmoid, 0 for a logit)",
    )
    add(
        "--against",
        type=Path,
        metavar="W2.npz",
        help="other weights of the same model, to compare under the same trials",
    )
    add(
        "--plan",
        action="store_true",
        help="with --half-width: only estimate the number of trials, from 20 of them",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the trials (0)")
    add(
        "--out",
        type=folder,
        metavar="DIR",
        help="folder of the files (default: one below runs/injections/)",
    )


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    settings = _settings(given)
    try:
        return _run(given, settings)
    except KeyboardInterrupt as stop:
        if not given.plan:
            stop.add_note(GOES_ON)
        raise


def _settings(given: argparse.Namespace) -> CampaignSettings:
    """The settings; everything is checked before anything heavy is imported."""
    check_name(given.model)
    if not 0 < given.confidence < 100:
        raise BadInput(
            f"Expected --confidence in percent, in (0, 100). Received: {given.confidence:g}."
        )
    for name in NOT_PLANNED if given.plan else ():
        if getattr(given, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(f"Expected --plan, of the fault's own rate, alone. Received: {flag}.")
    if given.half_width is None:
        for flag, used in (("--max-trials", given.max_trials is not None), ("--plan", given.plan)):
            if used:
                raise BadInput(f"Expected --half-width with {flag}. Received: {flag} alone.")
    numbers = {"trials": given.trials, "max_trials": given.max_trials}
    settings = CampaignSettings.of(
        given.fault,
        None if given.rates is None else given.rates.split(","),
        half_width=given.half_width,
        confidence=round(given.confidence / 100, 12),
        seed=given.seed,
        threshold=given.threshold,
        **{name: number for name, number in numbers.items() if number is not None},
    )
    for flag in ("data", "weights", "against"):
        file = getattr(given, flag)
        if file is not None and not file.is_file():
            kind = "a folder" if file.is_dir() else "no such file"
            raise BadInput(f"Expected --{flag} to be an .npz file. Received: {file}, {kind}.")
    if given.out is not None:
        found = next(one for one in (given.out, *given.out.absolute().parents) if one.exists())
        if not (found.is_dir() and os.access(found, os.W_OK | os.X_OK)):
            raise BadInput(
                f"Expected --out to be a folder that can be written. Received: {given.out}."
            )
    return settings


def _run(given: argparse.Namespace, settings: CampaignSettings) -> int:
    x, y, scaled = read_examples(given.data)
    weights, others = (
        None if file is None else read_weights(file) for file in (given.weights, given.against)
    )
    model = build(given.model)
    if others is not None:
        # Checked before the first campaign.
        own = model.get_weights()
        load_weights(model, others, given.against)
        model.set_weights(own)
    if weights is not None:
        load_weights(model, weights, given.weights)
    about = {
        "function": given.model,
        "scaling": "uint8 examples divided by 255" if scaled else "none",
        "versions": _versions(),
    }
    import tensorflow as tf

    try:
        if given.plan:
            print(_plan(model, x, y, settings))
            return 0
        first = _result(model, x, y, settings, given.out, about)
        if others is not None:
            load_weights(model, others, given.against)
            print()
            second = _result(model, x, y, settings, given.out and given.out / "against", about)
            names = (str(given.weights or given.model), str(given.against))
            print(f"\n{first.against(second, names)}", flush=True)
        return 0
    except tf.errors.InvalidArgumentError as error:
        raise BadInput(
            f"Expected examples that {given.model} can compute. Received: {one_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        raise RunFailed(f"Could not compute {given.model}: {one_line(error)}") from error


def _plan(model: keras.Model, x: Any, y: Any, settings: CampaignSettings) -> str:
    from ftnoise.user.inject import plan_trials

    return plan_trials(
        model,
        x,
        y,
        settings.fault,
        settings.half_width or 0,
        confidence=settings.confidence,
        seed=settings.seed,
        threshold=settings.threshold,
    )


def _result(
    model: keras.Model,
    x: Any,
    y: Any,
    settings: CampaignSettings,
    out: Path | None,
    about: dict[str, Any],
) -> InjectionResult:
    """Measures or finds the stored result, prints it, and writes the files."""
    from ftnoise.store.folders import Store
    from ftnoise.user.folder import SUFFIXES, ResultFolder, folder_name, identity_of
    from ftnoise.user.inject import prepared
    from ftnoise.user.inject import run as measured

    campaign = prepared(model, x, y, settings)
    identity = identity_of(campaign, settings)
    out = out or Store(RUNS).injections / folder_name(model.name, identity)
    results = ResultFolder(out, identity)
    with results.locked():
        found = results.load()
        if found is None:
            shown = Shown()
            found = measured(campaign, settings, results.checkpointing(shown.report, shown.show))
        else:
            tell("Cached: this campaign was run before.")
        print(found)
        print(f"Scaling: {about['scaling']}.", flush=True)
        results.save(found, about)
    tell(f"Written to {out}/injection: {', '.join(f'.{suffix}' for suffix in SUFFIXES)}")
    return found


class Shown:
    """Progress on stderr: completed trials and the time that is left."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._begun: tuple[float, int] | None = None

    def report(self, done: int, total: int, text: str) -> None:
        """Shows the position; the time left is judged by the trials since the first call."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = (now, done)
        since, first = self._begun
        left = ""
        if done > first:
            seconds = (now - since) / (done - first) * (total - done)
            left = f", about {duration(seconds)} left"
        self._progress.update(f"inject: {done:,} of {counted(total, 'trial')}{left}")

    def show(self, text: str) -> None:
        """Shows a message."""
        self._progress.say(f"inject: {text}")


def _versions() -> dict[str, str]:
    """Of what computed the result."""
    return {
        "python": platform.python_version(),
        "ftnoise": ftnoise.__version__,
        **{package: metadata.version(package) for package in PACKAGES},
    }
