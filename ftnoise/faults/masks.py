"""Which places a fault hits: drawn from a seed and the number of the mask, and from nothing else.

The draw does not know the network's weights, the amount of faults or the images, so two networks of
one architecture get the same masks, and a campaign that was stopped draws the same ones again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ftnoise.core import seeds
from ftnoise.faults.amounts import Amount
from ftnoise.faults.fault import Fault
from ftnoise.faults.places import Site

REMEMBERED = 2**26  # bytes of keys


@dataclass(frozen=True, eq=False)
class Mask:
    """The places that are hit, for each site.

    Attributes:
        hits: bool, of the site's grid; with an axis of inputs in front if the fault is transient.
        draws: what the effect drew for each place, of the same shapes; None if it draws nothing.
    """

    hits: tuple[np.ndarray, ...]
    draws: tuple[np.ndarray | None, ...]

    @property
    def count(self) -> int:
        """How many places are hit (of all inputs together, if transient)."""
        return sum(int(np.count_nonzero(hit)) for hit in self.hits)


class Drawer:
    """Draws the masks of a fault in a network.

    Args:
        fault: where and what; its amount is a default.
        sites: where it may hit, as `fault.where.sites(network)` gives them.
        seed: an integer >= 0, of the campaign.
    """

    def __init__(self, fault: Fault, sites: Sequence[Site], seed: int) -> None:
        self.fault, self.sites, self.seed = fault, tuple(sites), seed
        chosen = fault.where.indices
        self.sizes = [len(chosen)] if chosen else [site.size for site in self.sites]
        # The same keys serve all amounts of a mask.
        kept = max(1, REMEMBERED // (8 * max(1, self.places)))
        self._keys = lru_cache(maxsize=kept)(self._fresh_keys)

    @property
    def places(self) -> int:
        """How many places there are."""
        return sum(self.sizes)

    def mask(self, number: int, amount: Amount | None = None) -> Mask:
        """The mask of that number, the same for all inputs."""
        hit = (amount or self.fault.amount).hits(self._keys(number), self.sizes)
        draws = [self.values(number, site)(1) for site in range(len(self.sites))]
        return Mask(
            tuple(part[0] for part in self.by_site(hit[None])),
            tuple(None if draw is None else draw[0] for draw in draws),
        )

    def _fresh_keys(self, number: int) -> np.ndarray:
        return self.keys(number)(1)[0]

    def keys(self, number: int) -> Callable[[int], np.ndarray]:
        """Gives the keys of the next so many inputs, `[inputs, places]`."""
        bits: Any = seeds.generator(self.seed, "fault places", number).bit_generator
        return lambda inputs: bits.random_raw(inputs * self.places).reshape(inputs, self.places)

    def values(self, number: int, site: int) -> Callable[[int], np.ndarray | None]:
        """Gives what the effect draws at a site for the next so many inputs."""
        generator = seeds.generator(self.seed, "fault values", number, site)
        grid = self.sites[site].grid
        return lambda inputs: self.fault.what.draw(generator, (inputs, *grid))

    def by_site(self, hit: np.ndarray) -> list[np.ndarray]:
        """`hit [inputs, places]` as hits for each site, `[inputs, *grid]`."""
        inputs = len(hit)
        if self.fault.where.indices:
            whole = np.zeros((inputs, self.sites[0].size), bool)
            whole[:, self.fault.where.indices] = hit
            parts = [whole]
        else:
            parts = np.split(hit, np.cumsum(self.sizes)[:-1], axis=1)
        return [
            part.reshape(inputs, *site.grid) for part, site in zip(parts, self.sites, strict=True)
        ]


class Stream:
    """The masks of one number, a mask for each input in the order in which inputs come.

    The first is `Drawer.mask`'s. Each site takes them at its own pace, and gets the same ones
    whatever the sizes of the batches.
    """

    def __init__(self, drawer: Drawer, number: int, amount: Amount | None = None) -> None:
        self.drawer, self.amount = drawer, amount or drawer.fault.amount
        sites = range(len(drawer.sites))
        self._keys = drawer.keys(number)
        self._values = [drawer.values(number, site) for site in sites]
        self._waiting: list[list[np.ndarray]] = [[] for _ in sites]

    def take(self, site: int, inputs: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Hits and draws of a site for its next so many inputs, `[inputs, *grid]`."""
        waiting = self._waiting[site]
        if (lacking := inputs - sum(map(len, waiting))) > 0:
            rows = [self.amount.hits(row, self.drawer.sizes) for row in self._keys(lacking)]
            for queue, part in zip(self._waiting, self.drawer.by_site(np.stack(rows)), strict=True):
                queue.append(part)
        found = np.concatenate(waiting)
        waiting[:] = [found[inputs:]]
        return found[:inputs], self._values[site](inputs)

    def mask(self, inputs: int) -> Mask:
        """The masks of the next so many inputs, for all sites."""
        taken = [self.take(site, inputs) for site in range(len(self._values))]
        return Mask(tuple(hit for hit, _ in taken), tuple(draw for _, draw in taken))
