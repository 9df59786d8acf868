"""How many sites are hit, and which: each site has a random key, and the smallest keys are hit.

One draw of keys gives the sites at every rate, so those at a low rate are among those at a higher
one, and two networks of one architecture are hit at the same sites.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import boolean, count, expect, fraction
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import np, tf
from ftnoise.core.spec import Spec

# Keys are drawn uniformly from the integers below it.
KEYS = 2**64
SIGMAS = 6.0


@dataclass(frozen=True, kw_only=True)
class Rate(Spec, ABC):
    """Base: selects some of the sites by their keys."""

    @abstractmethod
    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        """A mask of the sites that are hit, bool `[sites]`.

        Args:
            keys: uint64 `[sites]`, in the order of the targets.
            sizes: number of sites of each target.
        """

    def keyed_hits(self, seed: Any, sizes: Sequence[int]) -> Any:
        """The same distribution from an int64 pair, by TensorFlow in a compiled step.

        Args:
            seed: a pair, which may be a tensor.
            sizes: number of sites of each target.

        Returns:
            bool `[sites]`, a tensor.

        Raises:
            BadInput: it is for campaigns only, the default.
        """
        raise BadInput(
            f"Expected a rate that a training step can draw, such as Share. Received: {self.slug}."
        )

    def total(self, sites: int) -> int | None:
        """How many of all sites are hit; None if that is random, or fixed for each target."""
        return None

    def check(self, sites: int) -> None:
        """Raises `BadInput` if there are too few sites."""

    @property
    @abstractmethod
    def label(self) -> str:
        """A few characters: `50 %`, `3 faults`."""

    @property
    def size(self) -> tuple[str, float] | None:
        """The unit and the size; rates of the same unit compare by size. None if none do."""
        return None


@dataclass(frozen=True, kw_only=True)
class Share(Rate):
    """Exactly `rate` of the sites, to the nearest whole number (halves up), none of them twice.

    Args:
        rate: in [0, 1].
        per_tensor: this share of each target (layer's output or parameter) instead of all sites
            together.
    """

    rate: float
    per_tensor: bool = False

    def __post_init__(self) -> None:
        fraction(rate=self.rate)
        boolean(per_tensor=self.per_tensor)

    def count(self, sites: int) -> int:
        """The number of sites that are hit."""
        return min(sites, math.floor(self.rate * sites + 0.5))

    def total(self, sites: int) -> int | None:
        return None if self.per_tensor else self.count(sites)

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        if not self.per_tensor:
            return smallest(keys, self.count(len(keys)))
        parts = np.split(keys, np.cumsum(sizes)[:-1])
        return np.concatenate([smallest(part, self.count(len(part))) for part in parts])

    def keyed_hits(self, seed: Any, sizes: Sequence[int]) -> Any:
        from ftnoise.faults import keyed

        parts = sizes if self.per_tensor else [sum(sizes)]
        fold = tf.random.experimental.stateless_fold_in
        return tf.concat(
            [keyed.smallest(size, self.count(size), fold(seed, n)) for n, size in enumerate(parts)],
            axis=0,
        )

    @property
    def label(self) -> str:
        return f"{100 * self.rate:g} %{' each' if self.per_tensor else ''}"

    @property
    def size(self) -> tuple[str, float] | None:
        return f"share{' each' if self.per_tensor else ''}", self.rate


@dataclass(frozen=True, kw_only=True)
class Count(Rate):
    """Exactly `faults` sites of all, none of them twice; from 0 to the number of sites."""

    faults: int

    def __post_init__(self) -> None:
        count(least=0, faults=self.faults)

    def check(self, sites: int) -> None:
        expect(self.faults <= sites, f"at most {sites} faults", faults=self.faults)

    def total(self, sites: int) -> int | None:
        self.check(sites)
        return self.faults

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        self.check(len(keys))
        return smallest(keys, self.faults)

    def keyed_hits(self, seed: Any, sizes: Sequence[int]) -> Any:
        from ftnoise.faults import keyed

        return keyed.smallest(sum(sizes), self.faults, seed)

    @property
    def label(self) -> str:
        return "1 fault" if self.faults == 1 else f"{self.faults} faults"

    @property
    def size(self) -> tuple[str, float] | None:
        return "count", self.faults


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Rate):
    """Each site independently with probability `rate`, in [0, 1]."""

    rate: float

    def __post_init__(self) -> None:
        fraction(rate=self.rate)

    def hits(self, keys: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        if self.rate == 1:
            return np.ones(len(keys), bool)
        return keys < np.uint64(int(self.rate * KEYS))

    def keyed_hits(self, seed: Any, sizes: Sequence[int]) -> Any:
        return tf.random.stateless_uniform([sum(sizes)], seed) < self.rate

    @property
    def label(self) -> str:
        return f"p = {self.rate:g}"

    @property
    def size(self) -> tuple[str, float] | None:
        return "probability", self.rate


def first_distinct(generator: np.random.Generator, sites: int, count: int) -> np.ndarray:
    """The first `count` different sites of a stream of uniform independent ones, in its order.

    Those of a lower count are the first of those of a higher one. `sites` is far above `count`.
    """
    found = np.zeros(0, np.int64)
    while len(found) < count:
        more = (generator.random(count - len(found)) * sites).astype(np.int64)
        found = np.concatenate([found, more])
        found = found[np.sort(np.unique(found, return_index=True)[1])]
    return found


def smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """A mask of the `count` smallest keys, bool `[n]`; of equal keys the first ones.

    The keys are uniform, so the boundary is within a few standard deviations of its mean, and only
    the keys near it are sorted: a pass over the keys instead of a selection among them.
    """
    if count in (0, len(keys)):
        return np.full(len(keys), count > 0)
    share = count / len(keys)
    band = SIGMAS * math.sqrt(share * (1 - share) / len(keys)) + 1 / len(keys)
    low, high = (np.uint64(min(max(share + s * band, 0.0) * KEYS, KEYS - 1)) for s in (-1, 1))
    hit = keys < low
    unsure = np.flatnonzero((keys >= low) & (keys <= high))
    wanted = count - int(np.count_nonzero(hit))
    if not 0 <= wanted <= len(unsure):  # once in 10^9 calls
        hit[:], unsure, wanted = False, np.arange(len(keys)), count
    hit[unsure[np.argsort(keys[unsure], kind="stable")[:wanted]]] = True
    return hit
