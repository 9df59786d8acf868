"""A fault from one line of text, as the command line takes it: `weights:stuck_at=0:rate=0.1`.

A part of the text is the name of a class in snake case and values of its fields. So a new subclass
of `Where`, `Effect` or `Rate` has a text form and appears in `--help` without further code.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from ftnoise.core.checks import closest, expect
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import Spec, snake_case
from ftnoise.faults.effects import Effect
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Rate, Share
from ftnoise.faults.where import Where

PARTS: dict[str, type[Spec]] = {"where": Where, "what": Effect, "rate": Rate}
SHORT = {
    "stuck_at_zero": "stuck_at=0",
    "stuck_at_one": "stuck_at=1",
    "rate": "share",
    "n": "count",
    "p": "bernoulli",
}


def form() -> str:
    """The text form of a fault, for `--help` and errors."""
    lines = ["WHERE:WHAT:RATE[:transient], each NAME[=VALUE][,FIELD=VALUE...]"]
    for part, base in PARTS.items():
        shared = {field.name for field in fields(base)}
        names = []
        for name, kind in _kinds(base).items():
            own = [field.name for field in fields(kind) if field.name not in shared]
            names.append(name + (f" ({', '.join(own)})" if own else ""))
        every = f", each with {', '.join(sorted(shared))}" if shared else ""
        lines.append(f"{part.upper()} one of {', '.join(names)}{every}")
    return (
        "; ".join(lines) + ". =VALUE sets the first field; + joins several layers or indices; a "
        "number such as 0.5 or 50% is a share; stuck_at_zero is stuck_at=0; neurons leave out the "
        "output layer by default. Example: neurons,layers=0,indices=3+17:stuck_at=0:0.5"
    )


def parse_fault(text: str) -> Fault:
    """The fault of a text such as `weights:stuck_at=0:0.5`; see `form`.

    Raises:
        BadInput: names the wrong part, and the possible values.
    """
    parts = text.split(":")
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["transient"], ["permanent"]):
        raise BadInput(f"Expected a fault {form()}. Received: {text!r}.")
    where, what, rate, *duration = parts
    try:
        return Fault(
            where=_part("where", where),
            what=_part("what", what),
            rate=rate_of(rate),
            transient=duration == ["transient"],
        )
    except BadInput as error:
        raise BadInput(f"{error} In the fault {text!r}.") from error


def fault_of(fault: Fault | str) -> Fault:
    """A fault, from itself or its text form."""
    found = parse_fault(fault) if isinstance(fault, str) else fault
    expect(isinstance(found, Fault), "a fault or its text form", fault=fault)
    return found


def rate_of(rate: Rate | float | str) -> Rate:
    """A rate, from itself, a share in [0, 1] or its text form: `0.5`, `50%`, `n=3`, `p=0.01`."""
    if isinstance(rate, str):
        return _part("rate", rate if re.match("[a-z]", rate) else f"share={rate}")
    return rate if isinstance(rate, Rate) else Share(rate=rate)


def _kinds(base: type[Spec]) -> dict[str, type[Spec]]:
    """All classes below a base that are defined so far, by name, in order."""
    found: dict[str, type[Spec]] = {}
    for kind in base.__subclasses__():
        found |= {snake_case(kind.__name__): kind, **_kinds(kind)}
    return found


def _part(role: str, text: str) -> Any:
    """The member of a base class that a part of the text describes."""
    short, *rest = re.split("(?=[=,])", text, maxsplit=1)
    first, *settings = "".join([SHORT.get(short, short), *rest]).split(",")
    name, equals, value = first.partition("=")
    known = _kinds(PARTS[role])
    if name not in known:
        close = closest(short, [*known, *SHORT])
        hint = f" Did you mean {close!r}?" if close else ""
        raise BadInput(
            f"Expected {role} to be one of {', '.join(known)}. Received: {text!r}.{hint}"
        )
    defaults = {field.name: field.default for field in fields(known[name])}
    if equals:
        settings.insert(0, f"{next(iter(defaults), '')}={value}")
    values = dict(setting.partition("=")[::2] for setting in settings)
    if len(values) < len(settings) or not values.keys() <= defaults.keys():
        allowed = ", ".join(defaults) or "none"
        raise BadInput(f"Expected fields of {name} ({allowed}), each once. Received: {text!r}.")
    chosen: dict[str, Any] = {}
    for field, written in values.items():
        several = isinstance(defaults[field], tuple)
        chosen[field] = tuple(map(_value, written.split("+"))) if several else _value(written)
    try:
        return known[name](**chosen)
    except TypeError as error:  # a field without default is missing
        raise BadInput(f"Expected {name}=VALUE. Received: {text!r}.") from error


def _value(text: str) -> bool | int | float | str:
    """The value that a text writes; the spec checks whether it fits."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"\d{1,4000}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?", text, re.ASCII):
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    return text
