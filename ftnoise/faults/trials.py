"""Which sites a fault hits: drawn from a seed and the number of the trial, and from nothing else.

The draw does not depend on the weights, the fault rate or the examples, so two networks of one
architecture get the same trials, and a resumed campaign draws the same ones again.

Each site has a random key, and the smallest keys are hit (`rates.py`). A permanent fault in a large
network costs less: the first sites that are hit are those of a random stream of sites, as it comes,
without those that came before. They have the same distribution, and those at a low rate are among
those at a higher one too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ftnoise.core import seeds
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Rate, first_distinct, smallest
from ftnoise.faults.sites import Target

REMEMBERED = 2**26  # bytes of keys
# From this number of sites on, the first ones that are hit are drawn without a key for each site.
# The networks of the paper have fewer.
MANY_SITES = 2**21
FIRST_SHARE = 1 / 32  # of the sites; further ones are drawn by their keys
SHOWN = 10  # sites of a target


@dataclass(frozen=True, eq=False)
class Trial:
    """One random draw of fault sites, target by target; printing it names those that are hit.

    Attributes:
        hits: masks of the sites that are hit, bool, of the target's grid; with an axis of inputs
            in front if the fault is transient.
        draws: random values of the effect for each site, of the same shapes; None if it has none.
        names: of the targets: a layer, `dense`, or a parameter of one, `dense/kernel`.
        few: for each target with hits, by its number, their flat positions `[hits]` and random
            values, where few of many sites are hit; else None.
    """

    hits: tuple[np.ndarray, ...]
    draws: tuple[np.ndarray | None, ...]
    names: tuple[str, ...]
    few: dict[int, tuple[np.ndarray, np.ndarray | None]] | None = None

    @property
    def sites(self) -> list[tuple[str, np.ndarray]]:
        """Name and positions `[hits, axes]` of the sites that are hit, for each target with some.

        The axes are those of a parameter, or of a layer's units; with that of inputs in front if
        the fault is transient.
        """
        pairs = zip(self.names, self.hits, strict=True)
        return [(name, np.argwhere(hit)) for name, hit in pairs if hit.any()]

    def __str__(self) -> str:
        lines = []
        for name, positions in self.sites:
            shown = ", ".join(map(str, positions[:SHOWN].tolist()))
            more = f" and {len(positions) - SHOWN:,} more" if len(positions) > SHOWN else ""
            lines.append(f"{name}: {len(positions):,} hit, at {shown}{more}")
        return "\n".join(lines) or "no site hit"

    @property
    def count(self) -> int:
        """The number of sites that are hit (of all inputs together, if transient)."""
        if self.few is not None:
            return sum(len(positions) for positions, _ in self.few.values())
        return sum(int(np.count_nonzero(hit)) for hit in self.hits)

    def without(self, protected: Sequence[np.ndarray]) -> Trial:
        """The trial without hits of elements that are protected: a mask for each target."""
        hits = []
        for hit, mask in zip(self.hits, protected, strict=True):
            hits.append(hit & ~(mask if hit.ndim == mask.ndim else mask[..., None]))
        few = None
        if self.few is not None:
            few = {}
            for n, (positions, draws) in self.few.items():
                bits = self.hits[n].size // protected[n].size
                kept = ~protected[n].ravel()[positions // bits]
                few[n] = positions[kept], None if draws is None else draws[kept]
        return replace(self, hits=tuple(hits), few=few)

    @property
    def pairs(self) -> list[tuple[Any, Any]]:
        """The hits and draws of each target."""
        return list(zip(self.hits, self.draws, strict=True))

    def first(self) -> Trial:
        """The trial of the first input, if transient."""
        return Trial(
            tuple(hit[0] for hit in self.hits),
            tuple(None if draw is None else draw[0] for draw in self.draws),
            self.names,
        )


class TrialSampler:
    """Draws the trials of a fault in a network, by the seed of the campaign, an integer >= 0.

    `targets` are where it may hit, as `fault.where.targets(network)` gives them.
    """

    def __init__(self, fault: Fault, targets: Sequence[Target], seed: int) -> None:
        self.fault, self.targets, self.seed = fault, tuple(targets), seed
        self.names = tuple(target.name for target in self.targets)
        self.indices = list(fault.where.indices)
        if fault.of_bits:  # all bits of these elements
            bits = self.targets[0].grid[-1]
            self.indices = [index * bits + bit for index in self.indices for bit in range(bits)]
        self.sizes = [len(self.indices)] if self.indices else [one.size for one in self.targets]
        # The same keys serve all rates of a trial.
        kept = max(1, REMEMBERED // (8 * max(1, self.site_count)))
        self._keys = lru_cache(maxsize=kept)(lambda number: self.keys(number)(1)[0])

    @property
    def site_count(self) -> int:
        """The number of sites."""
        return sum(self.sizes)

    def trial(self, number: int, rate: Rate) -> Trial:
        """The trial of that number, the same for all inputs."""
        total = rate.total(self.site_count)
        many = self.site_count >= MANY_SITES and not self.indices and not self.fault.transient
        if many and total is not None:
            return self._first(number, total)
        hit = rate.hits(self._keys(number), self.sizes)
        draws = [self.values(number, n)(1) for n in range(len(self.targets))]
        return Trial(tuple(self.by_target(hit[None])), tuple(draws), self.names).first()

    def _first(self, number: int, total: int) -> Trial:
        """The first sites of the trial's stream, and beyond their share those of smallest keys."""
        few = min(total, int(FIRST_SHARE * self.site_count))
        places = seeds.generator(self.seed, "first fault places", number)
        chosen = first_distinct(places, self.site_count, few)
        values = self.fault.draw(seeds.generator(self.seed, "first fault values", number), (few,))
        hit = np.zeros((1, self.site_count), bool)  # its memory is taken where it is written
        hit[0, chosen] = True
        draws = None if values is None else np.zeros((1, self.site_count), values.dtype)
        if total > few:
            others = np.flatnonzero(~hit[0])
            hit[0, others[smallest(self._keys(number)[others], total - few)]] = True
            if draws is not None:
                parts: list[Any] = [self.values(number, n)(1) for n in range(len(self.targets))]
                draws = np.concatenate([part.reshape(1, -1) for part in parts], axis=1)
        if draws is not None:
            draws[0, chosen] = values
        drawn = [None] * len(self.targets) if draws is None else self.by_target(draws)
        trial = Trial(tuple(self.by_target(hit)), tuple(drawn), self.names).first()
        return trial if total > few else replace(trial, few=self.few(chosen, values))

    def few(
        self, chosen: np.ndarray, values: np.ndarray | None
    ) -> dict[int, tuple[np.ndarray, np.ndarray | None]]:
        """Flat positions among all sites, and their random values, as `Trial.few`."""
        starts = np.cumsum([0, *self.sizes])
        owners = np.searchsorted(starts, chosen, side="right") - 1
        return {
            int(n): (
                chosen[owners == n] - starts[n],
                None if values is None else values[owners == n],
            )
            for n in np.unique(owners)
        }

    def keys(self, number: int) -> Callable[[int], np.ndarray]:
        """A sampler of the keys of the next inputs: n -> `[n, sites]`."""
        bits: Any = seeds.generator(self.seed, "fault places", number).bit_generator
        width = self.site_count
        return lambda inputs: bits.random_raw(inputs * width).reshape(inputs, width)

    def values(self, number: int, target: int) -> Callable[[int], np.ndarray | None]:
        """A sampler of the effect's values at a target: n -> `[n, *grid]`."""
        generator = seeds.generator(self.seed, "fault values", number, target)
        grid = self.targets[target].grid
        return lambda inputs: self.fault.draw(generator, (inputs, *grid))

    def by_target(self, hit: np.ndarray) -> list[np.ndarray]:
        """`hit [inputs, sites]`, or values, as those of each target, `[inputs, *grid]`."""
        inputs = len(hit)
        parts = np.split(hit, np.cumsum(self.sizes)[:-1], axis=1)
        if self.indices:
            parts = [np.zeros((inputs, self.targets[0].size), bool)]
            parts[0][:, self.indices] = hit
        pairs = zip(parts, self.targets, strict=True)
        return [part.reshape(inputs, *target.grid) for part, target in pairs]


class TrialStream:
    """The draws of one trial of a transient fault, one for each input in their order.

    The first is that of `TrialSampler.trial`. Each target takes them at its own pace, and gets the
    same ones for any sizes of the batches. `calls` is how often an input passes each target; None
    is once. Each of these calls takes the same draws, at its own pace.
    """

    def __init__(
        self, sampler: TrialSampler, number: int, rate: Rate, calls: Sequence[int] | None = None
    ) -> None:
        self.sampler, self.rate = sampler, rate
        times = calls or [1] * len(sampler.targets)
        takers = [(target, call) for target, count in enumerate(times) for call in range(count)]
        self._keys = sampler.keys(number)
        self._values = {taker: sampler.values(number, taker[0]) for taker in takers}
        self._waiting: dict[tuple[int, int], list[np.ndarray]] = {taker: [] for taker in takers}

    def take(self, target: int, inputs: int, call: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Hits and draws of a target for its next inputs in a call, `[inputs, *grid]`."""
        waiting = self._waiting[target, call]
        if (lacking := inputs - sum(map(len, waiting))) > 0:
            rows = [self.rate.hits(row, self.sampler.sizes) for row in self._keys(lacking)]
            parts = self.sampler.by_target(np.stack(rows))
            for (number, _), queue in self._waiting.items():
                queue.append(parts[number])
        found = np.concatenate(waiting)
        waiting[:] = [found[inputs:]]
        return found[:inputs], self._values[target, call](inputs)

    def trial(self, inputs: int) -> Trial:
        """The draws of the next inputs, for all targets."""
        taken = [self.take(target, inputs) for target in range(len(self.sampler.targets))]
        names = self.sampler.names
        return Trial(tuple(hit for hit, _ in taken), tuple(draw for _, draw in taken), names)
