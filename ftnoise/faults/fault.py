"""A fault is where, what, how many and for how long.

Source: sections 2.1 and 4.5 of Duddu et al., whose faults are `Fault(where=Neurons(),
what=StuckAt(value=0), amount=...)`, a node crash, and the same of `Weights()` or `Parameters()`.

The parts are found among the subclasses of `Where`, `Effect` and `Amount`: a class beside the
others has its place in the short form, in `--help` and in the JSON of an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import JSON, Spec, snake_case
from ftnoise.faults.amounts import Amount
from ftnoise.faults.effects import Effect
from ftnoise.faults.places import Where
from ftnoise.faults.words import kinds, whole

EXPLAINED = (
    "SIGMA is the standard deviation of Gaussian noise, as a share of the value (drift_absolute: "
    "in its unit). BIT 0 is the lowest of a float32's mantissa, 23 to 30 are its exponent, 31 is "
    "the sign; without BIT one is drawn for each place. The output layer is left out of neurons "
    "and channels unless +output, and counted among parameters unless -output. LAYER is a name or "
    "a position from 0 among the layers with such places, PLACE a position from 0 in the one "
    "layer named."
)


def places() -> dict[str, type[Where]]:
    """What may be hit, by its name in the short form."""
    return {snake_case(kind.__name__): kind for kind in kinds(Where)}


def effects() -> dict[str, tuple[type[Effect], str]]:
    """What may become of it: each name's class, and what may follow the name."""
    return {
        name: (kind, rest) for kind in kinds(Effect) for name, rest in kind.short_forms().items()
    }


def amounts() -> dict[str, tuple[type[Amount], str]]:
    """How much may be hit: each beginning's class, and an example."""
    return {begin: (kind, said) for kind in kinds(Amount) for begin, said in kind.forms.items()}


def form() -> str:
    """What the short form of a fault looks like."""
    what = ", ".join(name + rest for name, (_, rest) in effects().items())
    *some, last = (said for _, said in amounts().values())
    return (
        f"WHERE[+output|-output][@LAYER,...][[PLACE,...]]:WHAT:AMOUNT[:transient] with WHERE of "
        f"{', '.join(places())}; WHAT of {what}; AMOUNT {', '.join(some)}, or {last}"
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
    parts: tuple[type[Spec], ...] = (Fault, *kinds(Where), *kinds(Effect), *kinds(Amount))
    named = {part.__name__: part for part in parts}
    kind = named.get(given.pop("class", ""))
    if kind is None or given.pop("revision", None) != kind.revision:
        raise BadInput(f"Expected a fault that is known here. Received: {form!r}.")
    return kind(**given)


def fault_of(fault: Fault | str) -> Fault:
    """The fault itself, or the one that a short form is of; see `parse`."""
    found = parse(fault) if isinstance(fault, str) else fault
    expect(isinstance(found, Fault), "a fault or its short form", fault=fault)
    return found


def parse(text: str) -> Fault:
    """A fault from its short form, such as `weights:stuck_at_zero:0.5`; see `form`.

    Raises:
        BadInput: says which part is wrong, and what is possible.
    """
    parts = text.split(":")
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["transient"], ["permanent"]):
        raise BadInput(f"Expected a fault {form()}. Received: {text!r}.")
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
    known = places()
    found = re.fullmatch(
        r"(\w+?)([+-]output)?(@[^\[\]]*)?(\[[^\[\]]*\])?", text, re.ASCII | re.DOTALL
    )
    name, output, layers, indices = found.groups() if found else ("", None, None, None)
    named = (layers or "")[1:].split(",")
    if name not in known or (layers and not all(named)):
        raise BadInput(
            f"Expected where to be one of {', '.join(known)}, +output or -output for the output "
            "layer in or out, then @ and layers if only some are meant, and [places] if only some "
            f"of one. Received: {text!r}."
        )
    given: dict[str, Any] = {}
    if output:
        given["output_layer"] = output == "+output"
    if layers:
        position = re.compile(r"\d{1,18}", re.ASCII)
        given["layers"] = tuple(int(one) if position.fullmatch(one) else one for one in named)
    if indices:
        given["indices"] = tuple(whole(one, "PLACE") for one in indices[1:-1].split(","))
    return known[name](**given)


def _what(text: str) -> Effect:
    name, equals, rest = text.partition("=")
    known = effects()
    kind, needs = known.get(name, (None, ""))
    if kind is None or (equals and not needs) or (not rest and needs.startswith("=")):
        forms = ", ".join(one + follows for one, (_, follows) in known.items())
        raise BadInput(f"Expected what to be one of {forms}. Received: {text!r}.")
    return kind.from_short(name, rest if equals else None)


def amount(text: str) -> Amount:
    """An amount from its short form: `0.5`, `50%`, `each=0.5`, `n=3` or `p=0.01`."""
    known = amounts()
    # The longest beginning that fits; the empty one fits all.
    begin = max((one for one in known if text.startswith(one)), key=len)
    return known[begin][0].from_short(begin, text[len(begin) :])
