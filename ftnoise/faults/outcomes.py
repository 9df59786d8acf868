"""The results of a fault campaign: correct predictions, outcomes of the faults, output deviation.

The trial is the unit of replication: all trials share the test examples, so trials times examples
are no independent draws, and every interval is over trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ftnoise.core.lazy import np
from ftnoise.faults.rates import Rate

# Rates of outcomes in percent, with short titles. `decisions.py` decides which an example has.
OUTCOMES = {
    "due_rate": "DUE",
    "sdc_1_rate": "SDC-1",
    "sdc_rate": "right to wrong",
    "sdc_5_rate": "SDC-5",
    "sdc_10_percent_rate": "SDC-10%",
    "sdc_20_percent_rate": "SDC-20%",
    "masked_rate": "masked",
    "repaired_rate": "repaired",
}


@dataclass(frozen=True, eq=False)
class TrialResults:
    """The results of some trials at one rate.

    Attributes:
        correct: whether the network is right, bool `[trials, examples]`; NaN is never right.
        output_deviation_mean, output_deviation_max: the Euclidean distance of the network's
            outputs to those without faults (Definition 1 of the paper), over the examples whose
            outputs are finite, float64 `[trials]`; infinite where there are none.
        values_not_finite: 1 where the trial makes a parameter or the output of a neuron that it
            hits NaN or infinite, else 0, `[trials]`.
        faults: number of sites that are hit, `[trials]`; the mean over examples if transient.
        golden_right: number of examples that are right without faults, in the trial's draw of a
            network that draws, `[trials]`.
        outcomes: number of examples with each of the `OUTCOMES`, `[trials, outcomes]`; NaN for
            SDC-5 of at most five classes.
    """

    correct: np.ndarray
    output_deviation_mean: np.ndarray
    output_deviation_max: np.ndarray
    values_not_finite: np.ndarray
    faults: np.ndarray
    golden_right: np.ndarray
    outcomes: np.ndarray

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results by name, `[trials, ...]`; `correct` as bits that `numpy.packbits` packs."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        return arrays | {"correct": np.packbits(self.correct, axis=1)}


NUMBERS = tuple(each.name for each in fields(TrialResults))[1:]  # all but `correct`


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The results of trials 0, 1, ... at each of some rates. `index` is the position of a rate.

    The rates rise. `golden` is whether the network is right without faults, bool `[examples]`; in
    the draw of trial 0 if it draws. `results` has for each rate the arrays of
    `TrialResults.to_arrays`.
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
        """Without faults, in percent; the mean over the draws of a network that draws."""
        return 100 * (float(self.golden_right.mean()) / len(self.y))

    @property
    def golden_right(self) -> np.ndarray:
        """Number of examples that are right without faults, in the draw of each trial."""
        trials = [arrays["golden_right"] for arrays in self.results]
        most = max(trials, key=len, default=np.zeros(0))
        return most if len(most) else np.array([float(self.golden.sum())])

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

    def outcome_rates(self, index: int) -> dict[str, np.ndarray]:
        """The rates of the `OUTCOMES` in percent, `[trials]` each.

        Of all examples: `due_rate` (detected unrecoverable errors: outputs that are not all finite)
        and, with finite outputs, `sdc_1_rate` (another class is ranked first than without faults),
        `sdc_5_rate` (it is not among the five that were; NaN for up to five classes),
        `sdc_10_percent_rate` and `sdc_20_percent_rate` (the confidence of the class that is ranked
        first changes by more than this share) and `masked_rate` (the outputs are identical). Of the
        examples that are right without faults, `sdc_rate`: those that are wrong, with finite
        outputs. Of those that are wrong without faults, `repaired_rate`: those that are right, with
        finite outputs. The last two are 0 where there are no such examples. A network that draws is
        compared with itself in the same draw.
        """
        right = self.results[index]["golden_right"]
        wrong = len(self.y) - right
        of = {"sdc_rate": np.maximum(1, right), "repaired_rate": np.maximum(1, wrong)}
        counts = self.results[index]["outcomes"].T
        return {
            name: 100 * row / of.get(name, len(self.golden))
            for name, row in zip(OUTCOMES, counts, strict=True)
        }

    def trials_not_finite(self, index: int) -> tuple[int, int]:
        """Number of trials that put NaN or infinity into parameters or outputs of neurons.

        And of those with examples whose outputs are not finite, for whatever reason.
        """
        due = self.outcome_rates(index)["due_rate"]
        put = self.results[index]["values_not_finite"]
        return int(np.count_nonzero(put)), int(np.count_nonzero(due))

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
        """The outcomes that `to_arrays` gave; `ValueError` or `KeyError` for other arrays."""
        ends, names = np.cumsum(arrays["trials"]), ("correct", *NUMBERS)
        lengths = {len(arrays[name]) for name in names}
        if len(ends) != len(rates) or lengths != {ends[-1]}:
            raise ValueError(f"{len(ends)} rates with {sorted(lengths)} trials")
        golden = np.unpackbits(arrays["golden"], count=len(y)).astype(bool)
        parts = zip(*(np.split(arrays[name], ends[:-1]) for name in names), strict=True)
        return cls(rates, golden, y, [dict(zip(names, part, strict=True)) for part in parts])
