"""The results of a campaign: one correctness bit for each trial and example, and derived numbers.

The trial is the unit of replication: all trials share the test examples, so trials times examples
are no independent draws, and every interval is over trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ftnoise.faults.rates import Rate

NUMBERS = ("output_deviation_mean", "output_deviation_max", "not_finite", "faults")


@dataclass(frozen=True, eq=False)
class TrialResults:
    """The results of some trials at one rate.

    Attributes:
        correct: whether the network is right, bool `[trials, examples]`; NaN is never right.
        output_deviation_mean, output_deviation_max: the Euclidean distance of the network's
            outputs to those without faults (Definition 1 of the paper), over the examples whose
            outputs are finite, float64 `[trials]`; infinite where there are none.
        not_finite: number of examples whose outputs are not finite, `[trials]`.
        faults: number of sites that are hit, `[trials]`; the mean over examples if transient.
    """

    correct: np.ndarray
    output_deviation_mean: np.ndarray
    output_deviation_max: np.ndarray
    not_finite: np.ndarray
    faults: np.ndarray

    def first(self, trials: int) -> TrialResults:
        """The results of the first trials."""
        return TrialResults(*(getattr(self, each.name)[:trials] for each in fields(self)))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results by name, `[trials, ...]`; `correct` as bits that `numpy.packbits` packs."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        return arrays | {"correct": np.packbits(self.correct, axis=1)}

    @classmethod
    def joined(cls, parts: Sequence[TrialResults]) -> TrialResults:
        """The results of several groups of trials, one after the other."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The results of trials 0, 1, ... at each of some rates. `index` is the position of a rate.

    Attributes:
        rates: how many sites are hit, rising.
        golden: whether the network is right without faults, bool `[examples]`.
        y: labels `[examples]`.
        packed: for each rate, whether the network is right, uint8 `[trials, examples / 8]`, as
            `numpy.packbits` packs the bits.
        numbers: for each name in `NUMBERS` and each rate, `[trials]`; see `TrialResults`.
    """

    rates: tuple[Rate, ...]
    golden: np.ndarray
    y: np.ndarray
    packed: list[np.ndarray]
    numbers: dict[str, list[np.ndarray]]

    @classmethod
    def of(
        cls,
        rates: Sequence[Rate],
        golden: np.ndarray,
        y: np.ndarray,
        results: Sequence[Mapping[str, np.ndarray]],
    ) -> Outcomes:
        """Outcomes from the results of `TrialResults.to_arrays` at each rate."""
        numbers = {name: [arrays[name] for arrays in results] for name in NUMBERS}
        return cls(tuple(rates), golden, y, [arrays["correct"] for arrays in results], numbers)

    def at(self, index: int) -> dict[str, np.ndarray]:
        """The results at a rate, as `TrialResults.to_arrays` gives them."""
        numbers = {name: found[index] for name, found in self.numbers.items()}
        return {"correct": self.packed[index], **numbers}

    def trials(self, index: int) -> int:
        """The number of trials at a rate."""
        return len(self.packed[index])

    def correct(self, index: int) -> np.ndarray:
        """Whether the network is right, bool `[trials, examples]`."""
        return np.unpackbits(self.packed[index], axis=1, count=len(self.y)).astype(bool)

    @property
    def golden_accuracy(self) -> float:
        """Without faults, in percent."""
        return 100 * float(self.golden.mean())

    def accuracies(self, index: int) -> np.ndarray:
        """In percent, `[trials]`."""
        return 100 * self.correct(index).mean(axis=1)

    def class_accuracies(self, index: int) -> np.ndarray:
        """In percent, `[trials, classes]`; NaN for a class without examples."""
        classes = int(self.y.max()) + 1
        of_class = self.y[:, None] == np.arange(classes)
        counts = of_class.sum(axis=0)
        right = self.correct(index).astype(np.float32) @ of_class.astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 100 * right / counts

    def sdc_rate(self, index: int) -> np.ndarray:
        """Rate of silent data corruption in percent, `[trials]`.

        The share of examples that are right without faults and wrong with them, of the former; 0
        where none is right without faults.
        """
        wrong = np.count_nonzero(self.golden & ~self.correct(index), axis=1)
        return 100 * wrong / max(1, np.count_nonzero(self.golden))

    def output_deviation(self, index: int) -> tuple[float, float]:
        """Mean and maximum of the Euclidean distance of the outputs to those without faults.

        Definition 1 of the paper, over the examples and trials with finite outputs; infinite
        if there are none.
        """
        mean, most = (self.numbers[f"output_deviation_{kind}"][index] for kind in ("mean", "max"))
        finite = np.isfinite(mean)
        if not finite.any():
            return float("inf"), float("inf")
        return float(mean[finite].mean()), float(most[finite].max())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by name; `from_arrays` reads them."""
        return {
            "golden": np.packbits(self.golden),
            "trials": np.array([len(bits) for bits in self.packed]),
            "correct": np.concatenate(self.packed),
            **{name: np.concatenate(found) for name, found in self.numbers.items()},
        }

    @classmethod
    def from_arrays(
        cls, rates: Sequence[Rate], y: np.ndarray, arrays: Mapping[str, Any]
    ) -> Outcomes:
        """The outcomes that `to_arrays` gave.

        Raises:
            ValueError, KeyError: the arrays are of something else.
        """
        ends = np.cumsum(arrays["trials"])
        width = -(-len(y) // 8)
        if len(ends) != len(rates):
            raise ValueError(f"{len(ends)} rates")
        shapes = {"golden": (width,), "correct": (ends[-1], width)}
        shapes |= dict.fromkeys(NUMBERS, (ends[-1],))
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} {arrays[name].shape}")
        golden = np.unpackbits(arrays["golden"], count=len(y)).astype(bool)
        numbers = {name: np.split(arrays[name], ends[:-1]) for name in NUMBERS}
        return cls(tuple(rates), golden, y, list(np.split(arrays["correct"], ends[:-1])), numbers)
