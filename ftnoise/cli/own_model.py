"""What the commands on a user's own model share: its files, its settings, its result."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.cli.arguments import folder
from ftnoise.core import stopping
from ftnoise.core.errors import BadInput, RunFailed, one_line
from ftnoise.core.lazy import keras, tf
from ftnoise.core.progress import RESUMES, line, reporting
from ftnoise.user.settings import CONFIDENCE as LIMITS

if TYPE_CHECKING:
    from ftnoise.user.folder import Job, R

# The field `confidence` of all classes of settings; the command line takes it in percent.
CONFIDENCE: dict[str, Any] = {
    "type": float,
    "metavar": "PERCENT",
    "help": "of all intervals, in percent (default: 95)",
}


def radii(text: str) -> tuple[float, ...]:
    """The type of an argument of one radius or several."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected numbers, such as 0.01 or 0.01,0.02. Received: {text!r}"
        ) from None


RADII = {"type": radii, "metavar": "R[,R,...]"}


def files(parser: argparse.ArgumentParser, where: str) -> None:
    """Adds the model, its weights, the examples, and the folder of the result."""
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
        "--out",
        type=folder,
        metavar="DIR",
        help=f"folder of the files (default: one below runs/{where}/)",
    )


def settings(
    parser: argparse.ArgumentParser,
    cls: type,
    special: dict[str, dict[str, Any]],
    exclusive: tuple[str, ...] = (),
) -> None:
    """Adds the fields of a class of settings as arguments, described by its documentation.

    `special` has the options of arguments that are not the number that the field holds. Of the
    fields in `exclusive` at most one is given.
    """
    texts = descriptions(cls)
    group = parser.add_mutually_exclusive_group() if exclusive else parser
    for field in fields(cls):
        default = "" if field.default in (None, MISSING, ()) else f" (default: {field.default})"
        options: dict[str, Any] = {"help": texts[field.name] + default}
        whole = field.type in ("int", "int | None")
        options |= {"type": int, "metavar": "N"} if whole else {"type": float, "metavar": "X"}
        options |= special.get(field.name, {})
        to = group if field.name in exclusive else parser
        to.add_argument(f"--{field.name.replace('_', '-')}", default=argparse.SUPPRESS, **options)


def descriptions(cls: type) -> dict[str, str]:
    """The description of each field of a class of settings, from its documentation."""
    text = inspect.getdoc(cls) or ""
    nothing = {field.name: "" for field in fields(cls)}  # python -OO has no docstrings
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
    return nothing | {name: " ".join(body.split()) for name, body in entries}


def given_settings(given: argparse.Namespace, cls: type) -> dict[str, Any]:
    """The values of the fields that are given; a confidence in percent becomes a fraction."""
    names = {field.name for field in fields(cls)}
    values = {name: value for name, value in vars(given).items() if name in names}
    if (percent := values.get("confidence")) is not None:
        least, most = (100 * end for end in LIMITS)
        if not least <= percent <= most:
            raise BadInput(
                f"Expected --confidence in percent, in [{least:g}, {most:g}]. Received: {percent}."
            )
        values["confidence"] = round(percent / 100, 12)
    return values


def check_files(given: argparse.Namespace, *flags: str) -> None:
    """Raises `BadInput` unless --model is a valid name, files exist and --out can be written."""
    from ftnoise.user.files import check_name

    check_name(given.model)
    check_paths(given, *flags)


def check_paths(given: argparse.Namespace, *flags: str) -> None:
    """Raises `BadInput` unless files, or all files of a list, exist and --out can be written."""
    for flag in flags:
        value = getattr(given, flag)
        for file in value if isinstance(value, list) else [value]:
            if file is not None and not file.is_file():
                found = "not a file" if file.exists() else "no such file"
                raise BadInput(f"Expected --{flag} to be a file. Received: {file}, {found}.")
    if given.out is not None:
        near = next(one for one in (given.out, *given.out.absolute().parents) if one.exists())
        if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
            raise BadInput(
                f"Expected --out to be a folder that can be written. Received: {given.out}."
            )


def loaded(given: argparse.Namespace, command: str) -> tuple[keras.Model, Any, Any, dict[str, Any]]:
    """The model with its weights, the examples and labels as in the file, and facts about them.

    Makes the paths in `given` absolute, as the user's code may change the current folder.
    """
    from ftnoise.user.files import build, read_examples, read_weights
    from ftnoise.user.plausibility import has_pixels

    line(f"{command}: reading {given.data}, then loading TensorFlow and {given.model}.")
    for flag in ("out", "weights", "against", "ranges"):
        if getattr(given, flag, None) is not None:
            setattr(given, flag, getattr(given, flag).absolute())
    x, y = read_examples(given.data)
    model = build(given.model)
    if given.weights is not None:
        model.set_weights(read_weights(given.weights, model))

    from ftnoise.engine.environment import versions

    about = {
        "function": given.model,
        "scaling": "uint8 examples divided by 255" if has_pixels(x) else "none",
        "versions": versions(),
    }
    return model, x, y, about


@contextlib.contextmanager
def computing(given: argparse.Namespace) -> Iterator[None]:
    """Errors of TensorFlow in the block as one line."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise BadInput(
            f"Expected examples that {given.model} can compute. Received: {one_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        raise RunFailed(f"Could not compute {given.model}: {one_line(error)}") from error


def own_folder(out: Path | None, kind: str, job: Job[Any]) -> Path:
    """The folder of --out; without it, that of a job below the folder of its kind."""
    from ftnoise.store.folders import Store, default_root

    return out or Store(default_root()).own(kind) / job.folder


def measured(
    job: Job[R],
    out: Path | None,
    kind: str,
    words: Callable[[int, int, str], str],
    limit: str = "about ",
) -> tuple[R, Path]:
    """Prints the result of a job, which is measured if it is not stored; returns its folder, too.

    See `own_folder` for `out` and `kind`, and `reporting` for `words` and `limit`.
    """
    from ftnoise.user.folder import SUFFIXES, stored

    path = own_folder(out, kind, job)
    with stopping.heeded(RESUMES), stored(job, path, reporting(words, limit)) as result:
        print(f"{result}\nScaling of the examples: {job.about['scaling']}.", flush=True)
    line(f"Written to {path}/{job.name}: {', '.join(f'.{suffix}' for suffix in SUFFIXES)}")
    return result, path
