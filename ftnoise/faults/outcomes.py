"""The results of a fault campaign: correct predictions, accuracy, SDC rate, output deviation.

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

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results by name, `[trials, ...]`; `correct` as bits that `numpy.packbits` packs."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        return arrays | {"correct": np.packbits(self.correct, axis=1)}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The results of trials 0, 1, ... at each of some rates. `index` is the position of a rate.

    Attributes:
        rates: how many sites are hit, rising.
        golden: whether the network is right without faults, bool `[examples]`.
        y: labels `[examples]`.
        results: for each rate, the arrays of `TrialResults.to_arrays`.
    """

    rates: Sequence[Rate]
    golden: np.ndarray
    y: np.ndarray
    results: Sequence[Mapping[str, np.ndarray]]

    def correct(self, index: int) -> np.ndarray:
        """Whether the network is right, bool `[trials, examples]`."""
        packed = self.results[index]["correct"]
        return np.unpackbits(packed, axis=1, count=len(self.y)).astype(bool)

    @property
    def golden_accuracy(self) -> float:
        """Without faults, in percent."""
        return 100 * float(self.golden.mean())

    def trials(self, index: int) -> int:
        """The number of trials."""
        return len(self.results[index]["correct"])

    def accuracies(self, index: int) -> np.ndarray:
        """In percent, `[trials]`."""
        return 100 * self.correct(index).mean(axis=1)

    def class_accuracies(self, index: int) -> np.ndarray:
        """In percent, `[trials, classes]`; NaN for a class without examples."""
        of_class = self.y[:, None] == np.arange(int(self.y.max()) + 1)
        right = self.correct(index).astype(np.float32) @ of_class.astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 100 * right / of_class.sum(axis=0)

    def sdc_rate(self, index: int) -> np.ndarray:
        """Rate of silent data corruption in percent, `[trials]`.

        The share of examples that are right without faults and wrong with them, of the former; 0
        where none is right without faults.
        """
        wrong = np.count_nonzero(self.golden & ~self.correct(index), axis=1)
        return 100 * wrong / max(1, np.count_nonzero(self.golden))

    def output_deviation(self, index: int) -> tuple[float, float]:
        """Mean and maximum over examples and trials with finite outputs; infinite if none has."""
        mean, most = (self.results[index][name] for name in NUMBERS[:2])
        finite = np.isfinite(mean)
        if not finite.any():
            return float("inf"), float("inf")
        return float(mean[finite].mean()), float(most[finite].max())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by name; `from_arrays` reads them."""
        joined = {
            name: np.concatenate([arrays[name] for arrays in self.results])
            for name in ("correct", *NUMBERS)
        }
        trials = np.array([len(arrays["correct"]) for arrays in self.results])
        return {"golden": np.packbits(self.golden), "trials": trials, **joined}

    @classmethod
    def from_arrays(
        cls, rates: Sequence[Rate], y: np.ndarray, arrays: Mapping[str, Any]
    ) -> Outcomes:
        """The outcomes that `to_arrays` gave.

        Raises:
            ValueError, KeyError: the arrays are of something else.
        """
        ends, names = np.cumsum(arrays["trials"]), ("correct", *NUMBERS)
        lengths = {len(arrays[name]) for name in names}
        if len(ends) != len(rates) or lengths != {ends[-1]}:
            raise ValueError(f"{len(ends)} rates with {sorted(lengths)} trials")
        golden = np.unpackbits(arrays["golden"], count=len(y)).astype(bool)
        parts = zip(*(np.split(arrays[name], ends[:-1]) for name in names), strict=True)
        return cls(rates, golden, y, [dict(zip(names, part, strict=True)) for part in parts])
