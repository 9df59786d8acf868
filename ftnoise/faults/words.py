"""Numbers in the short form of a fault, and the classes that have one."""

from __future__ import annotations

import re
from typing import TypeVar

from ftnoise.core.errors import BadInput

T = TypeVar("T")


def number(text: str, name: str) -> float:
    """The number that a text writes; `name` says what it is if it writes none."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text, re.ASCII):
        raise BadInput(f"Expected {name} to be a number. Received: {text!r}.")
    return float(text)


def whole(text: str, name: str) -> int:
    """The whole number >= 0 that a text writes."""
    # More digits than any count has are beyond what Python reads.
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise BadInput(f"Expected {name} to be a whole number. Received: {text!r}.")
    return int(text)


def share(text: str) -> float:
    """The share that `0.5` or `50%` writes."""
    if text.endswith("%"):
        return number(text[:-1], "a share in percent") / 100
    return number(text, "a share")


def kinds(base: type[T]) -> list[type[T]]:
    """All classes below a base that are defined so far, in order."""
    return [kind for child in base.__subclasses__() for kind in (child, *kinds(child))]
