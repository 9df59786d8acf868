"""How many places are hit, and which: those with the smallest of random keys, one for each place.

One draw of keys gives the places at every rate, so those at a low rate are among those at a higher
one, and two networks of one architecture lose the same places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.spec import Spec
from ftnoise.faults.words import number, share, whole

if TYPE_CHECKING:
    import numpy as np

# Keys are drawn uniformly from the integers below it.
KEYS = 2**64
SIGMAS = 6.0


@dataclass(frozen=True, kw_only=True)
class Amount(Spec):
    """Base: takes some of the places by their keys.

    `forms` are the beginnings of its short forms, each with an example for `--help`.
    """

    forms: ClassVar[dict[str, str]] = {}

    @classmethod
    def from_short(cls, form: str, text: str) -> Amount:
        """The amount that a short form is of: one of `forms`, and the text after it."""
        raise TypeError(f"{cls.__name__} has no short form.")

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        """Which places are hit, bool `[places]`.

        Args:
            keys: uint64 `[places]`, in the order of the sites.
            sizes: how many places each site has.
        """
        raise TypeError(f"{type(self).__name__} has no hits.")

    def check(self, places: int) -> None:
        """Raises `BadInput` if there are too few places."""

    @property
    def label(self) -> str:
        """A few characters: `50 %`, `3 faults`."""
        raise TypeError(f"{type(self).__name__} has no label.")

    @property
    def size(self) -> tuple[str, float] | None:
        """How much it is of what: two amounts of the same can be compared; None if none can."""
        return None


@dataclass(frozen=True, kw_only=True)
class Share(Amount):
    """Exactly `rate` of the places, to the nearest whole number (halves up), none of them twice.

    Args:
        rate: in [0, 1].
        per_site: the share of each layer's places instead of all places together.
    """

    rate: float
    per_site: bool = False

    forms: ClassVar[dict[str, str]] = {
        "": "a share such as 0.5 or 50%",
        "each=": "each=0.5 of each layer's places",
    }

    @classmethod
    def from_short(cls, form: str, text: str) -> Share:
        return cls(rate=share(text), per_site=form == "each=")

    def __post_init__(self) -> None:
        expect_rate(self.rate)
        expect(isinstance(self.per_site, bool), "per_site True or False", per_site=self.per_site)

    def count(self, places: int) -> int:
        """How many of so many places."""
        return min(places, math.floor(self.rate * places + 0.5))

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        import numpy as np

        if not self.per_site:
            return smallest(keys, self.count(len(keys)))
        ends = np.cumsum(sizes)[:-1]
        return np.concatenate(
            [smallest(part, self.count(len(part))) for part in np.split(keys, ends)]
        )

    @property
    def label(self) -> str:
        return f"{100 * self.rate:g} %{' each' if self.per_site else ''}"

    @property
    def size(self) -> tuple[str, float] | None:
        return f"share{' each' if self.per_site else ''}", self.rate


@dataclass(frozen=True, kw_only=True)
class Count(Amount):
    """Exactly `faults` places of all, none of them twice; at least 0, at most all there are."""

    faults: int

    forms: ClassVar[dict[str, str]] = {"n=": "n=3 faults"}

    @classmethod
    def from_short(cls, form: str, text: str) -> Count:
        return cls(faults=whole(text, "a number of faults"))

    def __post_init__(self) -> None:
        expect(is_count(self.faults, least=0), "faults an integer >= 0", faults=self.faults)

    def check(self, places: int) -> None:
        expect(self.faults <= places, f"at most {places} faults", faults=self.faults)

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        self.check(len(keys))
        return smallest(keys, self.faults)

    @property
    def label(self) -> str:
        return "1 fault" if self.faults == 1 else f"{self.faults} faults"

    @property
    def size(self) -> tuple[str, float] | None:
        return "count", self.faults


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Amount):
    """Each place by itself with probability `rate`, in [0, 1]."""

    rate: float

    forms: ClassVar[dict[str, str]] = {"p=": "p=0.01 for each place"}

    @classmethod
    def from_short(cls, form: str, text: str) -> Bernoulli:
        return cls(rate=number(text, "a probability"))

    def __post_init__(self) -> None:
        expect_rate(self.rate)

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        import numpy as np

        if self.rate == 1:
            return np.ones(len(keys), bool)
        return keys < np.uint64(int(self.rate * KEYS))

    @property
    def label(self) -> str:
        return f"p = {self.rate:g}"

    @property
    def size(self) -> tuple[str, float] | None:
        return "probability", self.rate


def expect_rate(rate: object) -> None:
    """Raises `BadInput` unless it is a number in [0, 1]."""
    expect(is_number(rate) and 0 <= rate <= 1, "rate in [0, 1]", rate=rate)  # type: ignore[operator]


def smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Which keys are the `count` smallest, bool `[n]`; of equal keys the first ones.

    The keys are uniform, so the boundary is known to a few standard deviations, and only what lies
    about it has to be sorted: a pass over the keys instead of a selection among them.
    """
    import numpy as np

    if count in (0, len(keys)):
        return np.full(len(keys), count > 0)
    share = count / len(keys)
    band = SIGMAS * math.sqrt(share * (1 - share) / len(keys)) + 1 / len(keys)
    low, high = (np.uint64(min(max(share + s * band, 0.0) * KEYS, KEYS - 1)) for s in (-1, 1))
    hit = keys < low
    unsure = np.flatnonzero((keys >= low) & (keys <= high))
    wanted = count - int(np.count_nonzero(hit))
    if not 0 <= wanted <= len(unsure):  # one time in a thousand million
        hit[:], unsure, wanted = False, np.arange(len(keys)), count
    hit[unsure[np.argsort(keys[unsure], kind="stable")[:wanted]]] = True
    return hit
