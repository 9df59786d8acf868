"""What must hold before a campaign is believed, on the network and the images at hand.

What the campaign computes without faults is what Keras predicts; what it computes for a mask, and
for the mask of all places, is what one gets who puts the mask into the model, asks Keras to
predict, and takes it out again. Where the network's layers say that faults everywhere leave the
biases alone, that is the same for every image.

Rounding may decide what a network says of an image. That is excused where the two largest outputs
are within `CLOSE` of each other, and, should anything else differ, where Keras' own answer is
another one as soon as the parameters are off by their last bits, as happens under faults that make
huge numbers which cancel. Such images are counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np

from ftnoise.core import seeds
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.amounts import Amount, Share
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.finding import blind
from ftnoise.faults.injection import injected

IMAGES = 1000
CLOSE = 1e-5  # of the largest output: what rounding may decide
APART = 1e-4  # of an image's largest output: more than rounding does to a sound network
LAST_BITS = 2.0**-18  # more than the rounding of a long sum
TIMES = 100.0  # of what those bits do, rounding may do at most
HUGE = 1e30  # sums of such numbers may be infinite in one order and not in another

Faults = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True)
class Agreement:
    """How the campaign's outputs of some images compare with Keras' own.

    Attributes:
        images: how many.
        exact: whether all outputs are the same bit for bit.
        exceptions: images of which rounding makes them say otherwise, or differ by more than
            `APART`.
        distance: the largest difference of an output, exceptions aside, relative to the largest one
            of its image (or of a middle image, if that is larger).
    """

    images: int
    exact: bool
    exceptions: int
    distance: float

    def __str__(self) -> str:
        how = "bit-identical outputs" if self.exact else f"outputs within {self.distance:.0e}"
        return f"{how}, {self.exceptions} exceptions"


@dataclass(frozen=True)
class Gates:
    """What was seen.

    Attributes:
        sound: without faults.
        faulty: with a mask, which Keras' model got by injection.
        constant: whether all faults give the same outputs for all images; None if not asked.
        everywhere: with all faults; None if not asked.
    """

    sound: Agreement
    faulty: Agreement
    constant: bool | None
    everywhere: Agreement | None = None

    @property
    def exceptions(self) -> int:
        """Images on which rounding makes the campaign and Keras disagree, in all cases."""
        seen = (self.sound, self.faulty, self.everywhere)
        return sum(one.exceptions for one in seen if one is not None)

    def __str__(self) -> str:
        parts = [
            f"no faults against Keras on {self.sound.images} images: {self.sound}",
            f"a mask against inject, predict, restore: {self.faulty}",
        ]
        if self.constant is not None:
            said = "the same answer for every image" if self.constant else "answers differ"
            seen = "" if self.everywhere is None else f" ({self.everywhere})"
            parts.append(f"all faults: {said}{seen}")
        return "; ".join(parts)


def gates(campaign: Campaign, amount: Amount) -> Gates:
    """Looks at a campaign's network under no faults, all faults and mask 0.

    Raises:
        BadInput: the network is random in inference.
        RunFailed: no faults change outputs; or outputs are not Keras', by more than rounding does;
            or all faults should leave the biases alone, and do not.
    """
    count = min(IMAGES, len(campaign.y))
    clean = campaign.run([0], Share(rate=0.0))
    if clean.distance_max[0] != 0 or not np.array_equal(clean.correct[0], campaign.correct):
        outputs = [campaign.outputs(0, Share(rate=0.0), count) for _ in range(2)]
        _expect_same(campaign, *outputs)
        raise RunFailed(
            f"Expected no faults to leave {campaign.network.name} as it is. Received: other "
            "outputs."
        )
    sound = agreement(campaign, campaign.golden[:count])
    everywhere = constant = None
    if isinstance(campaign.fault.what, StuckAt) and not campaign.one_by_one:
        everywhere, constant = _everywhere(campaign, count)
    fault = campaign.fault.at(amount)
    if campaign.one_by_one:
        # Each example has parameters of its own; the first one's can be injected.
        fault, count = replace(fault, transient=False), 1
    faulty = agreement(campaign, campaign.outputs(0, amount, count), _injected(campaign, fault))
    return Gates(sound=sound, faulty=faulty, constant=constant, everywhere=everywhere)


def _injected(campaign: Campaign, fault: Any) -> Faults:
    return partial(injected, campaign.network, fault, seed=campaign.drawer.seed)


def _everywhere(campaign: Campaign, count: int) -> tuple[Agreement, bool]:
    """All places stuck: as Keras has it, and the same for all images where it has to be."""
    amount = Share(rate=1.0)
    outputs = campaign.outputs(0, amount, count)
    seen = agreement(campaign, outputs, _injected(campaign, campaign.fault.at(amount)))
    with np.errstate(invalid="ignore"):
        constant = bool((np.abs(outputs - outputs[:1]) <= CLOSE * np.abs(outputs[:1]).max()).all())
    at_zero = isinstance(campaign.fault.what, StuckAt) and campaign.fault.what.value == 0
    whole = at_zero and not campaign.fault.where.indices
    if whole and not constant and blind(campaign.faulty.graph, campaign.sites):
        raise RunFailed(
            f"Expected {campaign.network.name} with all {campaign.fault.label} to say of every "
            "image what its biases say. Received: answers that differ."
        )
    return seen, constant


def _predicted(campaign: Campaign, count: int, faults: Faults) -> np.ndarray:
    """What Keras predicts for the first so many images, in batches of the campaign's size."""
    x = [array[:count] for array in campaign.x]
    examples = x if len(x) > 1 else x[0]
    with faults():
        return campaign.network.predict(examples, batch_size=campaign.images, verbose=0)


def agreement(
    campaign: Campaign, ours: np.ndarray, faults: Faults = contextlib.nullcontext
) -> Agreement:
    """Compares outputs `[n, classes]` of the first n images with those that Keras predicts.

    Args:
        campaign: of the network.
        ours: what the campaign has computed.
        faults: puts the faults into the network for as long as a block lasts.

    Raises:
        BadInput: Keras predicts something else each time.
        RunFailed: they differ, and not by rounding.
    """
    count, name = len(ours), campaign.network.name
    theirs = _predicted(campaign, count, faults)
    otherwise, apart = _differences(campaign, ours, theirs)
    suspicious = (otherwise & (_margin(campaign, theirs) > CLOSE)) | ~(apart <= APART)
    excused = np.zeros(count, bool)
    if suspicious.any():
        _expect_same(campaign, theirs, _predicted(campaign, count, faults))
        excused = suspicious & _excused(campaign, theirs, apart, faults)
    if wrong := int(np.count_nonzero(suspicious & ~excused)):
        far = apart[suspicious & ~excused].max()
        raise RunFailed(
            f"Expected the campaign to agree with Keras on {name}. Received: {wrong} of {count} "
            f"images that differ, by up to {far:.0e} of their largest output."
        )
    return Agreement(
        images=count,
        exact=np.array_equal(ours, theirs, equal_nan=True),
        exceptions=int(np.count_nonzero(otherwise | excused)),
        distance=float(apart[~excused].max(initial=0.0)),
    )


def _differences(
    campaign: Campaign, ours: np.ndarray, theirs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of which images they say otherwise, and by how much they differ, relatively; `[n]`."""
    otherwise = campaign.right(ours) != campaign.right(theirs)
    sizes = np.where(np.isfinite(theirs), np.abs(theirs), 0).max(axis=1).astype(np.float64)
    scale = np.maximum(np.maximum(sizes, np.median(sizes)), np.finfo(np.float32).tiny)
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    # The same infinity is no difference; NaN is one from all but itself.
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return otherwise, np.nan_to_num(np.where(same, 0, apart), nan=np.inf).max(axis=1) / scale


def _expect_same(campaign: Campaign, first: np.ndarray, second: np.ndarray) -> None:
    """Raises `BadInput` if two calls of the same function gave other outputs."""
    if not np.allclose(first, second, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise BadInput(
            f"Expected {campaign.network.name} to say the same of the same examples. Received: "
            "outputs that differ from call to call, so that a layer is random in inference."
        )


def _excused(
    campaign: Campaign, theirs: np.ndarray, apart: np.ndarray, faults: Faults
) -> np.ndarray:
    """Of which images Keras is as little sure, its parameters being known to their last bits."""

    @contextlib.contextmanager
    def blurred() -> Iterator[None]:
        with faults(), _blurred(campaign.network):
            yield

    otherwise, moved = _differences(campaign, _predicted(campaign, len(theirs), blurred), theirs)
    unsure = (otherwise | ~(moved <= APART)) & (apart <= TIMES * moved)
    return unsure | ~(np.abs(theirs).max(axis=1) < HUGE)


@contextlib.contextmanager
def _blurred(network: keras.Model) -> Iterator[None]:
    """The network's parameters are off by their last bits inside the block."""
    draw = seeds.generator(0, "last bits")
    before = network.get_weights()
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            network.set_weights(
                [
                    value * (1 + LAST_BITS * draw.choice([-1, 1], value.shape)).astype(value.dtype)
                    if value.dtype.kind == "f"
                    else value
                    for value in before
                ]
            )
        yield
    finally:
        network.set_weights(before)


def _margin(campaign: Campaign, outputs: np.ndarray) -> np.ndarray:
    """By how much the largest output exceeds the next, relative to it; `[n]`."""
    if outputs.shape[1] == 1:
        return np.abs(outputs[:, 0] - campaign.threshold)
    largest = np.sort(outputs, axis=1)[:, -2:]
    scale = np.maximum(np.abs(largest[:, 1]), np.finfo(np.float32).tiny)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num((largest[:, 1] - largest[:, 0]) / scale, nan=np.inf)


def untouched(network: keras.Model, before: str) -> None:
    """Raises `RunFailed` unless a network's digest still is `before`."""
    if digest(network) != before:
        raise RunFailed(f"Expected {network.name} to be unchanged. Received: another digest.")
