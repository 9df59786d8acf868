"""A fault is where, what, how many and for how long.

Source: sections 2.1 and 4.5 of Duddu et al., whose faults are `Fault(where=Neurons(),
what=StuckAt(value=0), amount=...)`, a node crash, and the same of `Weights()` or `Parameters()`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ftnoise.errors import BadInput
from ftnoise.faults.amounts import Amount, Bernoulli, Count, Share
from ftnoise.faults.effects import BitFlip, Drift, Effect, RandomValue, SignFlip, StuckAt
from ftnoise.faults.places import Biases, Channels, Filters, Neurons, Parameters, Weights, Where
from ftnoise.spec import JSON, Spec, expect

WHERE: dict[str, type[Where]] = {
    kind.__name__.lower(): kind
    for kind in (Neurons, Channels, Filters, Weights, Biases, Parameters)
}
# Each with what may follow it after "=".
WHAT = {
    "stuck_at_zero": "",
    "stuck_at_one": "",
    "stuck_at": "=VALUE",
    "bit_flip": "[=BIT]",
    "sign_flip": "",
    "random_value": "[=LOW..HIGH]",
    "drift": "=SIGMA",
}
FORM = (
    f"WHERE[@LAYER,...]:WHAT:AMOUNT[:transient] with WHERE of {', '.join(WHERE)}; WHAT of "
    f"{', '.join(name + rest for name, rest in WHAT.items())}; AMOUNT a share such as 0.5 or 50%, "
    "n=3 faults, or p=0.01 for each place"
)


@dataclass(frozen=True, kw_only=True)
class Fault(Spec):
    """Some places of a network that do something else than they should.

    Args:
        where: which places.
        what: what becomes of a value that is hit.
        amount: how many places are hit; which ones is drawn at random.
        transient: False is permanent, the same places for all inputs; True draws places and values
            anew for each input.
    """

    where: Where
    what: Effect
    amount: Amount
    transient: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("where", Where), ("what", Effect), ("amount", Amount)):
            value = getattr(self, name)
            expect(isinstance(value, kind), f"{name} of type {kind.__name__}", **{name: value})
        expect(
            isinstance(self.transient, bool), "transient True or False", transient=self.transient
        )

    def at(self, amount: Amount) -> Fault:
        """The same fault in another amount."""
        return replace(self, amount=amount)

    @property
    def label(self) -> str:
        """What is hit and what becomes of it, without the amount: `weights stuck at 0`."""
        text = f"{self.where.label} {self.what.label}"
        return f"{text}, anew for each input" if self.transient else text


_KINDS: tuple[type[Spec], ...] = (
    Fault, *WHERE.values(), StuckAt, BitFlip, SignFlip, RandomValue, Drift, Share, Count, Bernoulli
)  # fmt: skip
PARTS = {kind.__name__: kind for kind in _KINDS}  # by what `canonical` calls them


def restored(form: JSON) -> Any:
    """The fault (or a part of one) of which `form` is `spec.canonical`.

    Raises:
        BadInput: it is of a class or revision that is not known.
    """
    if isinstance(form, list):
        return tuple(map(restored, form))
    if not isinstance(form, dict):
        return form
    given = {name: restored(value) for name, value in form.items()}
    kind = PARTS.get(given.pop("class", ""))
    if kind is None or given.pop("revision", None) != kind.revision:
        raise BadInput(f"Expected a fault that is known here. Received: {form!r}.")
    return kind(**given)


def fault_of(fault: Fault | str) -> Fault:
    """The fault itself, or the one that a short form is of; see `parse`."""
    found = parse(fault) if isinstance(fault, str) else fault
    expect(isinstance(found, Fault), "a fault or its short form", fault=fault)
    return found


def parse(text: str) -> Fault:
    """A fault from its short form, such as `weights:stuck_at_zero:0.5`; see `FORM`.

    Raises:
        BadInput: says which part is wrong, and what is possible.
    """
    parts = text.split(":")
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["transient"], ["permanent"]):
        raise BadInput(f"Expected a fault {FORM}. Received: {text!r}.")
    try:
        return Fault(
            where=_where(parts[0]),
            what=_what(parts[1]),
            amount=amount(parts[2]),
            transient=parts[3:] == ["transient"],
        )
    except BadInput as error:
        raise BadInput(f"{error} In the fault {text!r}.") from error


def _where(text: str) -> Where:
    name, at, rest = text.partition("@")
    if name not in WHERE or (at and not all(rest.split(","))):
        raise BadInput(
            f"Expected where to be one of {', '.join(WHERE)}, then @ and layers if only some are "
            f"meant. Received: {text!r}."
        )
    layers = rest.split(",") if at else []
    return WHERE[name](layers=tuple(int(one) if one.isdecimal() else one for one in layers))


def _what(text: str) -> Effect:
    name, equals, rest = text.partition("=")
    needs = WHAT.get(name)
    if needs is None or (equals and not needs) or (not rest and needs.startswith("=")):
        forms = ", ".join(known + form for known, form in WHAT.items())
        raise BadInput(f"Expected what to be one of {forms}. Received: {text!r}.")
    if name == "bit_flip":
        return BitFlip(bit=_whole(rest, "BIT") if equals else None)
    if name == "random_value":
        low, high = rest.split("..", 1) if ".." in rest else (rest, "")
        ends = (_number(low, "LOW"), _number(high, "HIGH")) if equals else (-1.0, 1.0)
        return RandomValue(low=ends[0], high=ends[1])
    if name == "drift":
        return Drift(sigma=_number(rest, "SIGMA"))
    if name == "sign_flip":
        return SignFlip()
    fixed = {"stuck_at_zero": 0.0, "stuck_at_one": 1.0}
    return StuckAt(value=fixed[name] if name in fixed else _number(rest, "VALUE"))


def amount(text: str) -> Amount:
    """An amount from its short form: `0.5`, `50%`, `n=3` or `p=0.01`."""
    if text.startswith("n="):
        return Count(faults=_whole(text[2:], "a number of faults"))
    if text.startswith("p="):
        return Bernoulli(rate=_number(text[2:], "a probability"))
    if text.endswith("%"):
        return Share(rate=_number(text[:-1], "a share in percent") / 100)
    return Share(rate=_number(text, "a share"))


def _number(text: str, name: str) -> float:
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text, re.ASCII):
        raise BadInput(f"Expected {name} to be a number. Received: {text!r}.")
    return float(text)


def _whole(text: str, name: str) -> int:
    # More digits than any count has are beyond what Python reads.
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise BadInput(f"Expected {name} to be a whole number. Received: {text!r}.")
    return int(text)
