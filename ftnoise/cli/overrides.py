"""`--set FIELD=VALUE`: the runs of an experiment with other values in their fields."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from ftnoise.core.checks import closest
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment
from ftnoise.core.preset import Preset
from ftnoise.core.spec import Spec, canonical, digest


def changed(
    experiment: Experiment, preset: Preset, settings: list[str], rows: str | None
) -> tuple[Experiment, Preset]:
    """The experiment with changed runs and a note of them, and its preset under another name.

    The experiment is already within the limits of the preset. A setting is `path=literal`, the path
    being the fields from the run down, joined by dots. Rows without a field stay as they are; a
    field that no row has raises `BadInput`.
    """
    changes = dict(map(_parsed, settings))
    runs = {row.name: row.run for row in experiment.matching(rows)}
    notes = []
    for path, value in changes.items():
        absent, having = "", []
        for name, run in runs.items():
            try:
                runs[name] = _replaced(run, path.split("."), value)
                having.append(name)
            except LookupError as reason:
                absent = max(absent, str(reason), key=len)
            except (TypeError, ValueError) as failure:  # BadInput too
                raise BadInput(f"--set {path}: {failure}") from failure
        if not having:
            raise BadInput(
                f"Expected --set with a field of a row's run. Received: {path}; {absent}."
            )
        notes.append(f"{path}={value!r} in {', '.join(having)}")
    text = "; ".join(notes)
    marked = dataclasses.replace(
        experiment,
        title=f"{experiment.title} (changed)",
        notes=(*experiment.notes, f"Not the paper's runs: {text}."),
        rows=tuple(
            dataclasses.replace(row, run=runs.get(row.name, row.run)) for row in experiment.rows
        ),
    )
    return marked, dataclasses.replace(
        preset,
        name=f"{preset.name}-set-{digest(text)[:6]}",
        summary=f"{preset.summary}; changed by --set",
    )


def _parsed(setting: str) -> tuple[str, Any]:
    path, equals, text = setting.partition("=")
    if not (path and equals):
        raise BadInput(f"Expected --set FIELD=VALUE. Received: {setting!r}.")
    if path == "seed":
        raise BadInput(f"Expected --seeds N for seeds. Received: --set {setting}.")
    try:
        value = ast.literal_eval(text)
        canonical(value)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise BadInput(
            f"Expected --set {path} with a number, None, True, False, a tuple or a string in "
            f"quotes. Received: {text!r}."
        ) from None
    return path, value


def _replaced(spec: Spec, path: list[str], value: Any) -> Any:
    """The spec with a value in the field at the end of the path; LookupError if it has none."""
    name, *rest = path
    fields = [f.name for f in dataclasses.fields(spec)]
    if name not in fields:
        close = closest(name, fields)
        hint = f" (did you mean {close!r}?)" if close else f" (it has {', '.join(fields)})"
        raise LookupError(f"{type(spec).__name__} has no {name!r}{hint}")
    old = getattr(spec, name)
    if rest:
        if not isinstance(old, Spec):
            raise LookupError(f"{name} is {old!r}")
        value = _replaced(old, rest, value)
    elif None not in (old, value) and _kind(old) != _kind(value):
        raise BadInput(f"Expected {name} to be {_kind(old)}. Received: {name}={value!r}.")
    return dataclasses.replace(spec, **{name: value})


def _kind(value: object) -> str:
    """What a user can write in the place of a value."""
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a tuple" if isinstance(value, tuple) else "set by its own fields"
