"""What a campaign found: one bit for each mask and image, and all that follows from the bits.

The mask is the unit of replication: the test images are the same for all masks, so masks times
images are no independent trials, and every interval is over masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ftnoise.faults.amounts import Amount

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Outcome

NUMBERS = ("distance_mean", "distance_max", "not_finite", "faults")


@dataclass(eq=False)
class Findings:
    """The outcomes of masks 0, 1, ... at each of some amounts.

    Attributes:
        amounts: how many places are hit, rising.
        golden: whether the network is right without faults, bool `[images]`.
        y: labels `[images]`.
        packed: for each amount, the bits whether the network is right, uint8
            `[masks, images / 8]`, as `numpy.packbits` packs them.
        numbers: for each name in `NUMBERS` and each amount, `[masks]`; see `Outcome`.
    """

    amounts: tuple[Amount, ...]
    golden: np.ndarray
    y: np.ndarray
    packed: list[np.ndarray] = field(default_factory=list)
    numbers: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.packed:
            width = -(-len(self.y) // 8)
            self.packed = [np.zeros((0, width), np.uint8) for _ in self.amounts]
            self.numbers = {name: [np.zeros(0) for _ in self.amounts] for name in NUMBERS}

    def add(self, place: int, outcome: Outcome) -> None:
        """Takes the outcome of the next masks at the amount of that place."""
        packed = np.packbits(outcome.correct, axis=1)
        self.packed[place] = np.concatenate([self.packed[place], packed])
        for name, found in self.numbers.items():
            found[place] = np.concatenate([found[place], getattr(outcome, name)])

    def masks(self, place: int) -> int:
        """How many masks there are at an amount."""
        return len(self.packed[place])

    def correct(self, place: int) -> np.ndarray:
        """Whether the network is right, bool `[masks, images]`."""
        return np.unpackbits(self.packed[place], axis=1, count=len(self.y)).astype(bool)

    @property
    def golden_accuracy(self) -> float:
        """Without faults, in percent."""
        return 100 * float(self.golden.mean())

    def accuracies(self, place: int) -> np.ndarray:
        """In percent, `[masks]`."""
        return 100 * self.correct(place).mean(axis=1)

    def class_accuracies(self, place: int) -> np.ndarray:
        """In percent, `[masks, classes]`; NaN for a class without images."""
        classes = int(self.y.max()) + 1
        of_class = self.y[:, None] == np.arange(classes)
        counts = of_class.sum(axis=0)
        right = self.correct(place).astype(np.float32) @ of_class.astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 100 * right / counts

    def silent_corruptions(self, place: int) -> np.ndarray:
        """Images that are right without faults and wrong with them, in percent of the former.

        `[masks]`; the rate of silent data corruption. 0 where none is right without faults.
        """
        wrong = np.count_nonzero(self.golden & ~self.correct(place), axis=1)
        return 100 * wrong / max(1, np.count_nonzero(self.golden))

    def distance(self, place: int) -> tuple[float, float]:
        """Mean and maximum of Definition 1 over masks that leave finite outputs; infinite if none.

        The paper's distance of the outputs to those without faults, over masks and images.
        """
        mean, most = (self.numbers[f"distance_{kind}"][place] for kind in ("mean", "max"))
        finite = np.isfinite(mean)
        if not finite.any():
            return float("inf"), float("inf")
        return float(mean[finite].mean()), float(most[finite].max())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by name; `from_arrays` gives it back."""
        return {
            "golden": np.packbits(self.golden),
            "masks": np.array([len(bits) for bits in self.packed]),
            "correct": np.concatenate(self.packed),
            **{name: np.concatenate(found) for name, found in self.numbers.items()},
        }

    @classmethod
    def from_arrays(
        cls, amounts: Sequence[Amount], y: np.ndarray, arrays: Mapping[str, Any]
    ) -> Findings:
        """The findings that `to_arrays` gave.

        Raises:
            ValueError, KeyError: the arrays are of something else.
        """
        ends = np.cumsum(arrays["masks"])
        width = -(-len(y) // 8)
        if len(ends) != len(amounts):
            raise ValueError(f"{len(ends)} amounts")
        shapes = {"golden": (width,), "correct": (ends[-1], width)}
        shapes |= dict.fromkeys(NUMBERS, (ends[-1],))
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} {arrays[name].shape}")
        golden = np.unpackbits(arrays["golden"], count=len(y)).astype(bool)
        numbers = {name: np.split(arrays[name], ends[:-1]) for name in NUMBERS}
        return cls(tuple(amounts), golden, y, list(np.split(arrays["correct"], ends[:-1])), numbers)
