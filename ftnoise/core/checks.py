"""Checks of input values, each named after its condition.

Each raises `BadInput` with one line: "Expected rate > 0. Received: rate=-1.". Values are passed by
keyword, and the keyword is the name in the message: `positive(rate=self.rate)`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from ftnoise.core.errors import BadInput, cut

LONGEST = 300  # characters of a received value
LONGEST_INTEGER = 10**20
NAMES = 10  # that a message lists


def expect(condition: bool, expected: str, **received: object) -> None:
    """Raises `BadInput` ("Expected ... Received: name=value.") unless the condition holds."""
    if not condition:
        got = ", ".join(f"{name}={shown(value)}" for name, value in received.items())
        raise BadInput(f"Expected {expected}. Received: {got}.")


def shown(value: object) -> str:
    """A value as Python writes it, if that is not long."""
    if isinstance(value, int) and abs(value) >= LONGEST_INTEGER:
        return f"{Decimal(value):.3g}"
    return cut(repr(value), LONGEST)


def listed(names: Sequence[str]) -> str:
    """The first names, of 60 characters at most, and the number of the others; or "none"."""
    parts = [cut(name, 60) for name in names[:NAMES]]
    parts += [f"and {len(names) - NAMES:,} more"] if len(names) > NAMES else []
    return ", ".join(parts) or "none"


def closest(name: str, known: Sequence[str]) -> str | None:
    """The known name that a misspelled one probably means, if one is close."""
    import difflib

    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def positive(**values: object) -> None:
    """Finite numbers > 0."""
    for name, value in values.items():
        expect(is_number(value) and value > 0, f"{name} > 0", **{name: value})  # type: ignore[operator]


def non_negative(**values: object) -> None:
    """Finite numbers >= 0."""
    for name, value in values.items():
        expect(is_number(value) and value >= 0, f"{name} >= 0", **{name: value})  # type: ignore[operator]


def fraction(*, zero: bool = True, one: bool = True, **values: object) -> None:
    """Numbers from 0 to 1; `zero` and `one` allow the ends."""
    interval = f"{'[' if zero else '('}0, 1{']' if one else ')'}"
    for name, value in values.items():
        inside = is_number(value) and 0 <= value <= 1  # type: ignore[operator]
        inside = inside and (zero or value != 0) and (one or value != 1)
        expect(inside, f"{name} in {interval}", **{name: value})


def rising(**values: object) -> None:
    """Tuples of one or more numbers >= 0, each above the one before."""
    for name, value in values.items():
        numbers = value if isinstance(value, tuple) else ()
        allowed = len(numbers) > 0 and all(is_number(one) and one >= 0 for one in numbers)
        allowed = allowed and all(low < high for low, high in pairwise(numbers))
        expect(allowed, f"rising {name}, >= 0", **{name: value})


def count(
    *, least: int = 1, limit: int | None = None, optional: bool = False, **values: object
) -> None:
    """Integers >= `least`, up to `limit` if it is given, or None where `optional`."""
    expected = f"an integer >= {least}" if limit is None else f"an integer in {least} to {limit:,}"
    expected += " or None" if optional else ""
    for name, value in values.items():
        allowed = is_count(value, least) and (limit is None or value <= limit)  # type: ignore[operator]
        allowed = allowed or (optional and value is None)
        expect(allowed, f"{name} to be {expected}", **{name: value})


def boolean(**values: object) -> None:
    """True or False."""
    for name, value in values.items():
        expect(isinstance(value, bool), f"{name} to be a bool", **{name: value})


def instance(
    kind: type | tuple[type, ...], expected: str, *, optional: bool = False, **values: object
) -> None:
    """Objects of a class, or None where `optional`; `expected` describes the class to a user."""
    for name, value in values.items():
        allowed = isinstance(value, kind) or (optional and value is None)
        expect(allowed, f"{name} to be {expected}{' or None' if optional else ''}", **{name: value})


def path(**values: object) -> None:
    """Strings or `os.PathLike` objects that can name a file or folder."""
    for name, value in values.items():
        text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        expect(isinstance(text, str) and "\0" not in text, f"{name} to be a path", **{name: value})


def is_number(value: object) -> bool:
    """True for a finite int or float, False for bool, NaN, infinities and everything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def several(value: Any) -> tuple[Any, ...]:
    """The values of a list, a tuple or a NumPy array, or one value alone; not NumPy's numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(one.item() if hasattr(one, "item") else one for one in values)


def is_name(value: object) -> bool:
    """True for a lower case letter and then letters, digits and _: names of scalars and arrays."""
    return isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value) is not None


def is_count(value: object, least: int = 1) -> bool:
    """True for an int (not bool) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
