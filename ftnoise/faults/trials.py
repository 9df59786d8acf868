"""Which sites a fault hits: drawn from a seed and the number of the trial, and from nothing else.

The draw does not depend on the weights, the fault rate or the examples, so two networks of one
architecture get the same trials, and a resumed campaign draws the same ones again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ftnoise.core import seeds
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Rate
from ftnoise.faults.sites import Target

REMEMBERED = 2**26  # bytes of keys
SHOWN = 10  # sites of a target


@dataclass(frozen=True, eq=False)
class Trial:
    """One random draw of fault sites, target by target; printing it names those that are hit.

    Attributes:
        hits: masks of the sites that are hit, bool, of the target's grid; with an axis of inputs
            in front if the fault is transient.
        draws: random values of the effect for each site, of the same shapes; None if it has none.
        names: of the targets: a layer, `dense`, or a parameter of one, `dense/kernel`.
    """

    hits: tuple[np.ndarray, ...]
    draws: tuple[np.ndarray | None, ...]
    names: tuple[str, ...]

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
        return sum(int(np.count_nonzero(hit)) for hit in self.hits)

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
    """Draws the trials of a fault in a network.

    Args:
        fault: where and what.
        targets: where it may hit, as `fault.where.targets(network)` gives them.
        seed: an integer >= 0, of the campaign.
    """

    def __init__(self, fault: Fault, targets: Sequence[Target], seed: int) -> None:
        self.fault, self.targets, self.seed = fault, tuple(targets), seed
        self.names = tuple(target.name for target in self.targets)
        self.indices = list(fault.where.indices)
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
        hit = rate.hits(self._keys(number), self.sizes)
        draws = [self.values(number, n)(1) for n in range(len(self.targets))]
        return Trial(tuple(self.by_target(hit[None])), tuple(draws), self.names).first()

    def keys(self, number: int) -> Callable[[int], np.ndarray]:
        """A sampler of the keys of the next inputs: n -> `[n, sites]`."""
        bits: Any = seeds.generator(self.seed, "fault places", number).bit_generator
        width = self.site_count
        return lambda inputs: bits.random_raw(inputs * width).reshape(inputs, width)

    def values(self, number: int, target: int) -> Callable[[int], np.ndarray | None]:
        """A sampler of the effect's values at a target: n -> `[n, *grid]`."""
        generator = seeds.generator(self.seed, "fault values", number, target)
        grid = self.targets[target].grid
        return lambda inputs: self.fault.what.draw(generator, (inputs, *grid))

    def by_target(self, hit: np.ndarray) -> list[np.ndarray]:
        """`hit [inputs, sites]` as hits of each target, `[inputs, *grid]`."""
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
    same ones for any sizes of the batches.
    """

    def __init__(self, sampler: TrialSampler, number: int, rate: Rate) -> None:
        self.sampler, self.rate = sampler, rate
        targets = range(len(sampler.targets))
        self._keys = sampler.keys(number)
        self._values = [sampler.values(number, target) for target in targets]
        self._waiting: list[list[np.ndarray]] = [[] for _ in targets]

    def take(self, target: int, inputs: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Hits and draws of a target for its next inputs, `[inputs, *grid]`."""
        waiting = self._waiting[target]
        if (lacking := inputs - sum(map(len, waiting))) > 0:
            rows = [self.rate.hits(row, self.sampler.sizes) for row in self._keys(lacking)]
            parts = self.sampler.by_target(np.stack(rows))
            for queue, part in zip(self._waiting, parts, strict=True):
                queue.append(part)
        found = np.concatenate(waiting)
        waiting[:] = [found[inputs:]]
        return found[:inputs], self._values[target](inputs)

    def trial(self, inputs: int) -> Trial:
        """The draws of the next inputs, for all targets."""
        taken = [self.take(target, inputs) for target in range(len(self._values))]
        names = self.sampler.names
        return Trial(tuple(hit for hit, _ in taken), tuple(draw for _, draw in taken), names)
