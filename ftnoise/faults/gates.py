"""What must hold before a campaign is believed, on the network and the images at hand.

No faults are the network itself; with all weights or neurons stuck at 0 a network says the same of
every image, what its biases say; and what the campaign computes for a mask is what one gets who
puts the mask into the model, asks Keras to predict, and takes it out again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras
import numpy as np

from ftnoise.errors import RunFailed
from ftnoise.faults.amounts import Amount, Share
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.injection import injected

IMAGES = 1000
CLOSE = 1e-5  # of the largest output: what rounding may decide


@dataclass(frozen=True)
class Agreement:
    """How the campaign's outputs of some images compare with Keras' own.

    Attributes:
        images: how many.
        exact: whether all outputs are the same bit for bit.
        exceptions: images on which they disagree whether the network is right.
        distance: the largest difference of an output, relative to the largest one.
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
    """

    sound: Agreement
    faulty: Agreement
    constant: bool | None

    @property
    def exceptions(self) -> int:
        """Images on which rounding makes the campaign and Keras disagree, in both cases."""
        return self.sound.exceptions + self.faulty.exceptions

    def __str__(self) -> str:
        parts = [
            f"no faults against Keras on {self.sound.images} images: {self.sound}",
            f"a mask against inject, predict, restore: {self.faulty}",
        ]
        if self.constant is not None:
            said = "the same answer for every image" if self.constant else "answers differ"
            parts.append(f"all faults: {said}")
        return "; ".join(parts)


def gates(campaign: Campaign, amount: Amount) -> Gates:
    """Looks at a campaign's network under no faults, all faults and mask 0.

    Raises:
        RunFailed: no faults change outputs, or outputs are not Keras' where the two largest ones
            of an image differ by more than `CLOSE` of the largest.
    """
    name = campaign.network.name
    clean = campaign.run([0], Share(rate=0.0))
    if clean.distance_max[0] != 0 or not np.array_equal(clean.correct[0], campaign.correct):
        raise RunFailed(f"Expected no faults to leave {name} as it is. Received: other outputs.")
    constant = None
    if isinstance(campaign.fault.what, StuckAt) and not campaign.one_by_one:
        outputs = campaign.outputs(0, Share(rate=1.0))
        constant = bool((outputs == outputs[:1]).all())
    count = min(IMAGES, len(campaign.y))
    sound = agreement(campaign, campaign.golden[:count], _predicted(campaign, count))
    fault = campaign.fault.at(amount)
    if campaign.one_by_one:
        # Each example has parameters of its own; the first one's can be injected.
        fault, count = replace(fault, transient=False), 1
    with injected(campaign.network, fault, seed=campaign.drawer.seed):
        theirs = _predicted(campaign, count)
    faulty = agreement(campaign, campaign.outputs(0, amount, count), theirs)
    return Gates(sound=sound, faulty=faulty, constant=constant)


def _predicted(campaign: Campaign, count: int) -> np.ndarray:
    """What Keras predicts for the first so many images, in batches of the campaign's size."""
    x = [array[:count] for array in campaign.x]
    examples = x if len(x) > 1 else x[0]
    return campaign.network.predict(examples, batch_size=campaign.images, verbose=0)


def agreement(campaign: Campaign, ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    """Compares outputs `[n, classes]` of the first n images.

    Raises:
        RunFailed: they say otherwise of an image, and not by a hair.
    """
    differing = campaign.right(ours) != campaign.right(theirs)
    wrong = int(np.count_nonzero(differing & (_margin(campaign, theirs) > CLOSE)))
    if wrong:
        raise RunFailed(
            f"Expected the campaign to agree with Keras on {campaign.network.name}. Received: "
            f"{wrong} of {len(ours)} images that differ."
        )
    finite = np.isfinite(ours) & np.isfinite(theirs)
    largest = max(np.finfo(np.float32).tiny, np.abs(theirs[finite]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        distance = np.abs(ours - theirs)[finite].max(initial=0.0) / largest
    return Agreement(
        images=len(ours),
        exact=np.array_equal(ours, theirs, equal_nan=True),
        exceptions=int(np.count_nonzero(differing)),
        distance=float(distance),
    )


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
