"""The experiments that a user can name: those of the package, and files outside it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise import experiments
from ftnoise.core.checks import closest, expect
from ftnoise.core.errors import BadInput, first_line

if TYPE_CHECKING:
    from ftnoise.core.experiment import Experiment


def names() -> list[str]:
    """The experiments of the package, by file name."""
    return sorted(path.stem for path in _folder().glob("[!_]*.py"))


def _folder() -> Path:
    return Path(experiments.__path__[0])


def is_file(name: str) -> bool:
    """Whether an argument is the path of a file rather than the name of an experiment."""
    return name.endswith(".py") or "/" in name


def check(name: str, commands: Sequence[str] = ()) -> None:
    """Raises `BadInput` unless an experiment has that name, or the argument is the path of a file.

    `commands` are further names for the suggestion in the error.
    """
    known = names()
    if not is_file(name) and name not in known:
        close = closest(name, [*known, *commands])
        hint = f" Did you mean {close!r}?" if close else ""
        raise BadInput(f"Expected an experiment ({', '.join(known)}). Received: {name!r}.{hint}")


def experiment(name: str) -> Experiment:
    """The value `EXPERIMENT` of an experiment, by its name or by the path of its file."""
    from ftnoise.core.experiment import Experiment

    check(name)
    if not is_file(name):
        return importlib.import_module(f"ftnoise.experiments.{name}").EXPERIMENT
    path = Path(name)
    expect(os.path.isfile(path) and path.suffix == ".py", "a Python file", path=name)
    if path.resolve().parent == _folder().resolve():
        return experiment(path.stem)
    found = vars(_imported(path)).get("EXPERIMENT")
    if not isinstance(found, Experiment):
        received = "none" if found is None else type(found).__name__
        raise BadInput(f"Expected EXPERIMENT of {path} to be an Experiment. Received: {received}.")
    if found.name in names():
        raise BadInput(
            f"Expected EXPERIMENT of {path} to have a name of its own, which begins the report's "
            f"files. Received: name={found.name!r}."
        )
    return found


def _imported(path: Path) -> object:
    """The module of a file, importable under its own name, so that worker processes find it."""
    import importlib.util

    name, folder = path.stem, str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    spec = importlib.util.find_spec(name) if name.isidentifier() and name != "__main__" else None
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != path.resolve():
        raise BadInput(
            f"Expected {path} to have a name that can be imported and no other module has. "
            f"Received: {name!r}."
        )
    try:
        return importlib.import_module(name)
    except Exception as error:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        lines = [
            frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()
        ]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        place = "" if line is None else f" (line {line})"
        raise BadInput(
            f"Expected {path} to be imported without an error. Received: {first_line(error)}{place}"
        ) from error
