"""`ftnoise inject`: how a user's own model fares under faults."""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftnoise
from ftnoise.campaigns.injection import counted
from ftnoise.campaigns.question import Question, question
from ftnoise.campaigns.reading import (
    build,
    check_name,
    load_weights,
    one_line,
    read_examples,
    read_weights,
)
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.progress import GOES_ON, Progress, duration, tell
from ftnoise.faults.fault import EXPLAINED, form

if TYPE_CHECKING:
    import keras

    from ftnoise.campaigns.injection import Injection

HELP = "how your own model fares under faults: a table, a curve and a JSON"
RUNS = Path(__file__).resolve().parent.parent.parent / "runs"
MASKS, MOST = 100, 10_000
# What an answer needs and a plan does not.
ANSWERED = ("amounts", "max_masks", "out", "against")
PACKAGES = ("tensorflow", "keras", "numpy")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.epilog = f"A fault is {form()}. {EXPLAINED}"
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="PACKAGE.MODULE:FUNCTION",
        help="a function that is called without arguments and returns a built Sequential or "
        "functional keras.Model; the current folder is looked into first",
    )
    add(
        "--weights",
        type=Path,
        metavar="W.npz",
        help='numpy.savez("w.npz", *model.get_weights()), or the weights.npz of a stored run '
        "(default: those that the function's model has)",
    )
    add(
        "--data",
        type=Path,
        required=True,
        metavar="D.npz",
        help="x and y, or x_test and y_test, as the model takes them (nothing is scaled); x_0, "
        "x_1, ... and y for several inputs",
    )
    add("--fault", required=True, help="such as weights:stuck_at_zero:0.5; see below")
    add(
        "--amounts",
        metavar="A,B,...",
        help="of faults along the curve, such as 0.1,0.2 or n=1,n=10 (default: five shares up to "
        "the fault's)",
    )
    masks = parser.add_mutually_exclusive_group()
    masks.add_argument(
        "--masks", type=int, metavar="N", help=f"random masks at each amount ({MASKS})"
    )
    masks.add_argument(
        "--half-width",
        type=float,
        metavar="POINTS",
        help="draw masks until the interval of the mean accuracy is as narrow as this",
    )
    add(
        "--confidence",
        type=float,
        default=95.0,
        metavar="PERCENT",
        help="of the intervals (95)",
    )
    add(
        "--max-masks",
        type=int,
        metavar="N",
        help="with --half-width: at each amount at most (10000)",
    )
    add(
        "--threshold",
        type=float,
        metavar="T",
        help="of a model with one output: above which it says class 1 (default: 0.5 after a "
        "sigmoid, 0 for a logit)",
    )
    add(
        "--against",
        type=Path,
        metavar="W2.npz",
        help="other weights of the same model, to compare under the same masks",
    )
    add(
        "--plan",
        action="store_true",
        help="with --half-width: only say how many masks the fault would need, from a few",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the masks (0)")
    add(
        "--out",
        type=_folder,
        metavar="DIR",
        help="a folder for the files (default: one below runs/injections/)",
    )


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, received nothing")
    return Path(text)


def run(words: argparse.Namespace) -> int:
    """Prints the table, and writes the files; exit code 1 if a check of the campaign fails."""
    asked = _question(words)
    try:
        return _run(words, asked)
    except KeyboardInterrupt as stop:
        if not words.plan:
            stop.add_note(GOES_ON)
        raise


def _question(words: argparse.Namespace) -> Question:
    """The words, checked before anything heavy is imported."""
    check_name(words.model)
    confidence = words.confidence
    if not 0 < confidence < 100:
        raise BadInput(f"Expected --confidence in percent, in (0, 100). Received: {confidence:g}.")
    for name in ANSWERED if words.plan else ():
        if getattr(words, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(f"Expected --plan, of the fault's own amount, alone. Received: {flag}.")
    if words.half_width is None:
        for flag, given in (("--max-masks", words.max_masks is not None), ("--plan", words.plan)):
            if given:
                raise BadInput(f"Expected --half-width with {flag}. Received: {flag} alone.")
    asked = question(
        words.fault,
        amounts=None if words.amounts is None else words.amounts.split(","),
        masks=MASKS if words.masks is None else words.masks,
        half_width=words.half_width,
        confidence=round(confidence / 100, 12),
        max_masks=MOST if words.max_masks is None else words.max_masks,
        seed=words.seed,
        threshold=words.threshold,
    )
    for flag in ("data", "weights", "against"):
        file = getattr(words, flag)
        if file is not None and not file.is_file():
            kind = "a folder" if file.is_dir() else "no such file"
            raise BadInput(f"Expected --{flag} to be an .npz file. Received: {file}, {kind}.")
    if words.out is not None:
        there = next(one for one in (words.out, *words.out.absolute().parents) if one.exists())
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            raise BadInput(
                f"Expected --out to be a folder that can be written. Received: {words.out}."
            )
    return asked


def _run(words: argparse.Namespace, asked: Question) -> int:
    x, y = read_examples(words.data)
    weights, others = (
        None if file is None else read_weights(file) for file in (words.weights, words.against)
    )
    model = build(words.model)
    if others is not None:
        # They fit, or nothing is begun.
        own = model.get_weights()
        load_weights(model, others, words.against)
        model.set_weights(own)
    if weights is not None:
        load_weights(model, weights, words.weights)
    import tensorflow as tf

    try:
        if words.plan:
            return _plan(model, x, y, asked)
        found = _answer(words, model, x, y, asked, words.out)
        if others is not None:
            load_weights(model, others, words.against)
            second = words.out and words.out / "against"
            print()
            other = _answer(words, model, x, y, asked, second)
            names = (words.weights or words.model, words.against)
            print(f"\n{found.against(other, (str(names[0]), str(names[1])))}", flush=True)
        return 0
    except tf.errors.InvalidArgumentError as error:
        raise BadInput(
            f"Expected examples that {words.model} can compute. Received: {one_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        raise RunFailed(f"Could not compute {words.model}: {one_line(error)}") from error


def _plan(model: keras.Model, x: Any, y: Any, asked: Question) -> int:
    from ftnoise.campaigns.asking import plans

    assert asked.half_width is not None
    said = plans(
        model,
        x,
        y,
        asked.fault,
        half_width=asked.half_width,
        confidence=asked.confidence,
        seed=asked.seed,
        threshold=asked.threshold,
    )
    print(said)
    return 0


def _answer(
    words: argparse.Namespace,
    model: keras.Model,
    x: Any,
    y: Any,
    asked: Question,
    out: Path | None,
) -> Injection:
    """Answers, or finds the answer, and prints and writes it; `out` None is a folder for it."""
    from ftnoise.campaigns.asking import ask
    from ftnoise.campaigns.identity import made_of
    from ftnoise.campaigns.keeping import SUFFIXES, InjectionFolder, folder_name
    from ftnoise.store.folders import Store

    of = made_of(model, x, y, asked)
    out = out or Store(RUNS).injections / folder_name(model.name, of)
    folder = InjectionFolder(out, of)
    with folder.locked():
        found: Injection | None = folder.stored
        if found is None:
            shown = Shown()
            found = ask(model, x, y, asked, folder.checkpointing(shown.report, shown.say), of)
        else:
            tell("This was asked before; the answer is that which is stored.")
        print(found, flush=True)
        folder.write(found, {"function": words.model, "versions": versions()})
    tell(f"Written to {out}/injection: {', '.join(f'.{suffix}' for suffix in SUFFIXES)}")
    return found


class Shown:
    """Progress on stderr: masks that are done, and the time that is left."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._begun: tuple[float, int] | None = None

    def report(self, done: int, total: int, text: str) -> None:
        """Shows how far it is, judged by what was done since the first call."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = (now, done)
        since, first = self._begun
        left = ""
        if done > first:
            seconds = (now - since) / (done - first) * (total - done)
            left = f", about {duration(seconds)} left"
        self._progress.update(f"inject: {done:,} of {counted(total, 'mask')}{left}")

    def say(self, text: str) -> None:
        """Leaves a line."""
        self._progress.say(f"inject: {text}")


def versions() -> dict[str, str]:
    """Of what computed the answer."""
    return {
        "python": platform.python_version(),
        "ftnoise": ftnoise.__version__,
        **{package: metadata.version(package) for package in PACKAGES},
    }
