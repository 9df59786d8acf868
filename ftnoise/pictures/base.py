"""What all pictures have: a name, a title, and a table that they can be of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ftnoise.spec import Experiment, expect


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Base of all pictures.

    Args:
        name: ends the names of the picture's files; lower case letters, digits and _.
        title: what the picture shows.
    """

    name: str
    title: str

    def __post_init__(self) -> None:
        expect(
            isinstance(self.name, str) and re.fullmatch("[a-z0-9_]+", self.name) is not None,
            "a picture named in lower case letters, digits and _",
            name=self.name,
        )

    @property
    def measures(self) -> tuple[Any, ...]:
        """The measures whose arrays are shown."""
        return ()

    def check(self, experiment: Experiment) -> None:
        """Raises `BadInput` unless the picture can be one of this table."""
