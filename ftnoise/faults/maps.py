"""Which bits and which layers matter: single flips of each bit in each layer, and faults by layer.

Source: Li et al. (2017), "Understanding Error Propagation in Deep Learning Neural Network
Accelerators", section 5.1, which flips each bit of each format and layer in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.resumable import Resumable
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.fault import Fault
from ftnoise.faults.outcomes import OUTCOMES, TrialResults
from ftnoise.faults.rates import Count

RATES = ("sdc_1_rate", "due_rate")
NUMBERS = ("accuracy", *RATES)  # of a cell, `[trials]`
AT_ONCE = 16  # trials between two looks at the clock


@dataclass(frozen=True, eq=False)
class Cell:
    """The trials in one layer, or of one bit in it.

    `stored` is the format of the codes, empty for the float32 of the model. `bit` counts from the
    lowest; None is any. `names` are those of the site that each trial hits, where it is one. The
    accuracy and the rates are in percent, `[trials]`; see `Outcomes.outcome_rates`.
    """

    layer: str
    stored: str
    bit: int | None
    sites: int
    names: tuple[str, ...]
    accuracy: np.ndarray
    sdc_1_rate: np.ndarray
    due_rate: np.ndarray


def bit_map(
    network: keras.Model,
    x: Any,
    y: Any,
    fault: Fault,
    trials: int,
    checkpointing: Checkpointing | None = None,
    **options: Any,
) -> list[Cell]:
    """Single flips of each bit of the codes in each layer: of `trials` elements, or all if fewer.

    `trials` is for each bit of each layer, >= 2. The fault flips random bits of parameters, of
    their float32 where they are not stored in a format; another one raises `BadInput`. The other
    arguments are those of `Campaign`.
    """
    where = replace(fault.where, stored=fault.where.stored or "float32")
    expect(
        fault.what.on_bits and fault.what.only_bit is None and not fault.transient,
        "flips of any bit that are not transient (parameters:bit_flip:n=1) for a map of bits",
        fault=fault.label,
    )
    single = Fault(where=where, what=fault.what, rate=Count(faults=1))
    work = Resumable(checkpointing or Checkpointing(), f"map of bits {options.get('seed', 0)}")
    cells = []
    for name, campaign, progress in _layers(network, x, y, single, options):
        sites, groups = _sites(campaign, trials, name)

        def flipped(start: int, stop: int, campaign: Any = campaign, sites: Any = sites) -> Any:
            return _arrays(campaign.run_at([np.array([site]) for site in sites[start:stop]]))

        found = work.batches(flipped, len(sites), AT_ONCE, **progress)
        start = 0
        for stored, bit, elements, chosen in groups:
            part = slice(start, start + len(chosen))
            numbers = {key: array[part] for key, array in found.items()}
            cells.append(Cell(name, stored, bit, elements, tuple(chosen), **numbers))
            start += len(chosen)
    return cells


def layer_map(
    network: keras.Model,
    x: Any,
    y: Any,
    fault: Fault,
    trials: int,
    checkpointing: Checkpointing | None = None,
    **options: Any,
) -> list[Cell]:
    """A fault in each layer by itself, at its rate, in trials 0, 1, ...; as `bit_map`."""
    work = Resumable(checkpointing or Checkpointing(), f"map of layers {options.get('seed', 0)}")
    cells = []
    for name, campaign, progress in _layers(network, x, y, fault, options):
        fault.rate.check(campaign.site_count)

        def hit(start: int, stop: int, campaign: Any = campaign) -> Any:
            return _arrays(campaign.run(range(start, stop), fault.rate))

        found = work.batches(hit, trials, AT_ONCE, **progress)
        stored = fault.where.stored or ""
        cells.append(Cell(name, stored, None, campaign.site_count, (), **found))
    return cells


def _layers(
    network: keras.Model, x: Any, y: Any, fault: Fault, options: dict[str, Any]
) -> Iterator[tuple[str, Campaign, dict[str, str]]]:
    """For each layer its name, the campaign in it alone, and how its progress is shown."""
    layers = list(dict.fromkeys(target.layer for target in fault.where.targets(network)))
    # `Where.layers` counts all layers with such sites, not only those that it chooses.
    every = list(dict.fromkeys(target.layer for target in fault.where.candidates(network)))
    for number, layer in enumerate(layers, 1):
        place = every.index(layer)
        one = replace(fault, where=replace(fault.where, layers=(place,)))
        yield (
            layer.name,
            Campaign(network, x, y, one, **options),
            {
                "series": f"layer-{place}",
                "text": f"{layer.name}, {number} of {len(layers)} layers",
            },
        )


def _sites(
    campaign: Campaign, trials: int, layer: str
) -> tuple[np.ndarray, list[tuple[str, int, int, list[str]]]]:
    """The flips of a layer: flat sites, and for each bit of each kind of code their names."""
    kinds: dict[str, list[int]] = {}
    for n, target in enumerate(campaign.targets):
        kinds.setdefault(target.code.number or target.code.integer, []).append(n)
    starts = np.cumsum([0, *campaign.sampler.sizes])
    sites, groups = [], []
    for kind, members in kinds.items():
        bits = campaign.targets[members[0]].code.bits
        sizes = [campaign.sampler.sizes[n] // bits for n in members]
        firsts, elements = np.cumsum([0, *sizes]), sum(sizes)
        for bit in range(bits):
            chosen = np.arange(elements)
            if elements > trials:
                generator = seeds.generator(campaign.sampler.seed, "map of bits", layer, kind, bit)
                chosen = generator.choice(elements, trials, replace=False, shuffle=False)
            owners = np.searchsorted(firsts, chosen, side="right") - 1
            names = []
            for element, owner in zip(chosen, owners, strict=True):
                target, at = campaign.targets[members[owner]], element - firsts[owner]
                sites.append(starts[members[owner]] + at * bits + bit)
                place = ", ".join(map(str, np.unravel_index(at, target.grid[:-1])))
                names.append(f"{target.name}[{place}]")
            groups.append((kind, bit, elements, names))
    return np.array(sites), groups


def _arrays(results: TrialResults) -> dict[str, np.ndarray]:
    """The numbers of a cell, in percent, `[trials]`."""
    names, examples = list(OUTCOMES), results.correct.shape[1]
    rates = {name: 100 * results.outcomes[:, names.index(name)] / examples for name in RATES}
    return {"accuracy": 100 * results.correct.mean(axis=1), **rates}


def worst_sites(cells: Sequence[Cell], count: int) -> list[tuple[float, str, int | None]]:
    """Accuracy, name and bit of the single flips with the lowest accuracy."""
    flips = [
        (float(accuracy), name, cell.bit)
        for cell in cells
        for accuracy, name in zip(cell.accuracy, cell.names, strict=False)
    ]
    return sorted(flips)[:count]
