"""Accuracy with flipped bits of stored parameters, as the network is and with clamped activations.

`faults/storage.py` defines the formats, `faults/hardening.py` the clamps. The golden network is the
stored one. Intervals are over trials; two networks of one architecture get the same trials.

In int8, the ranges at which sums saturate, and the scales of biases, are those of the first 1,000
test examples, on which the accuracy is measured too. On new examples saturation may cost more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ftnoise.core.checks import count, expect, is_count
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.figures import HeatMap, Pairs, Series
from ftnoise.core.interfaces import Figure, Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np
from ftnoise.faults.effects import BitFlip
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Count
from ftnoise.faults.where import FORMATS, Parameters
from ftnoise.stats.interval import student_interval

FLIPS = (10, 100, 1_000, 10_000)
TO = ("", "bound", "zero")
RANGED = 10_000  # training examples that give the ranges of activations


@dataclass(frozen=True, kw_only=True)
class StoredFaults(Measure):
    """Testing accuracy with random flips of the stored bits of all parameters.

    Scalars in percent, means over trials, whose names begin with the format (`float32_...`,
    `bfloat16_...`, `float16_...`, `int8_...`), and then with `bound_` or `zero_` where activations
    are clamped: `golden_accuracy` (stored, without flips) and `float32_accuracy` (before it is
    stored); for each number of flips `accuracy_at_10`, ..., `sdc_1_rate_at_10`, ... and
    `due_rate_at_10`, ... (see `Outcomes.outcome_rates`). Arrays along
    the numbers of flips: `flips`, `accuracy` with Student's interval `low`, `high`, `sdc_1_rate`,
    `due_rate`, and `accuracies` `[flips, trials]`. Info: `sites`, the number of bits.

    Args:
        stored: `float32`, `bfloat16`, `float16` or `int8`.
        clamp: activations that leave the range of each channel on 10,000 training examples go to
            its nearest `bound`, or become `zero`; empty for the network as it is.
        flips: rising numbers of flips, >= 1; more than there are bits are left out.
        trials: for each number, >= 2.
        seed: >= 0; draws the trials.
    """

    stored: str
    clamp: str = ""
    flips: tuple[int, ...] = FLIPS
    trials: int = 50
    seed: int = 0

    needs_training_data = True

    limits = (("trials", "trials"),)

    def __post_init__(self) -> None:
        expect(self.stored in FORMATS, f"stored in {', '.join(FORMATS)}", stored=self.stored)
        expect(self.clamp in TO, "clamp to bound or zero, or empty", clamp=self.clamp)
        known = isinstance(self.flips, tuple) and all(is_count(one, least=1) for one in self.flips)
        rising = known and all(low < high for low, high in pairwise(self.flips))
        expect(rising and len(self.flips) > 0, "rising numbers of flips >= 1", flips=self.flips)
        count(least=2, trials=self.trials)
        count(least=0, seed=self.seed)

    @property
    def prefix(self) -> str:
        """What the names of its scalars begin with."""
        return f"{self.stored}_{f'{self.clamp}_' if self.clamp else ''}"

    @property
    def fault(self) -> Fault:
        """A flip of any stored bit."""
        return Fault(where=Parameters(stored=self.stored), what=BitFlip(), rate=Count(faults=1))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Runs the campaign, which resumes if it is interrupted."""
        from ftnoise.faults.agreement import agreement, float32_accuracy
        from ftnoise.faults.campaign import Campaign, unchanged
        from ftnoise.faults.sweep import sweep

        data = trained.data
        with unchanged(trained.network):
            network = hardened(trained.network, data.x_train, self.clamp)
            campaign = Campaign(network, data.x_test, data.y_test, self.fault, seed=self.seed)
            agreement(campaign)
            rates = [Count(faults=n) for n in self.flips if n <= campaign.site_count]
            found = sweep(campaign, rates, trials=self.trials, checkpointing=trained.checkpointing)
            exact = float32_accuracy(campaign)
        accuracies = np.stack([found.accuracies(n) for n in range(len(rates))])
        ends = [student_interval(row, low=0.0, high=100.0) for row in accuracies]
        outcomes = [found.outcome_rates(n) for n in range(len(rates))]
        arrays = {
            "flips": np.array([rate.faults for rate in rates]),
            "accuracy": accuracies.mean(axis=1),
            "low": np.array([end.low for end in ends]),
            "high": np.array([end.high for end in ends]),
            **{
                name: np.array([one[name].mean() for one in outcomes])
                for name in ("sdc_1_rate", "due_rate")
            },
        }
        scalars = {"golden_accuracy": found.golden_accuracy, "float32_accuracy": exact}
        for name in ("accuracy", "sdc_1_rate", "due_rate"):
            at = {
                f"{name}_at_{rate.faults}": v for rate, v in zip(rates, arrays[name], strict=True)
            }
            scalars |= {key: float(value) for key, value in at.items()}
        return Measurement(
            scalars={f"{self.prefix}{name}": value for name, value in scalars.items()},
            arrays=arrays | {"accuracies": accuracies},
            info={"sites": campaign.site_count},
        )


@dataclass(frozen=True, kw_only=True)
class BitMap(Measure):
    """Single flips of each stored bit in each layer.

    Scalars: `worst_drop` (points, the largest mean over the flips of one bit of one layer).
    Arrays: `bits` `[bits]`, `drop`, `sdc_1_rate` and `due_rate` `[layers, bits]` (means over
    flips, points and percent; NaN where a code does not have the bit). Info: `layers`, with the
    codes of an int8 network by themselves.

    Args:
        stored: as in `StoredFaults`.
        flips: of each bit in each layer, of different parameters, or of all if they are fewer.
        examples: of the test set, from its beginning.
        seed: >= 0; draws the flips.
    """

    stored: str
    flips: int = 20
    examples: int = 1000
    seed: int = 0

    limits = (("flips", "trials"),)

    def __post_init__(self) -> None:
        expect(self.stored in FORMATS, f"stored in {', '.join(FORMATS)}", stored=self.stored)
        count(least=2, flips=self.flips)
        count(examples=self.examples)
        count(least=0, seed=self.seed)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Flips bit after bit, and resumes with the next layer."""
        from ftnoise.faults.campaign import Campaign, unchanged
        from ftnoise.faults.maps import bit_map

        x, y = trained.data.x_test[: self.examples], trained.data.y_test[: self.examples]
        fault = StoredFaults(stored=self.stored).fault
        with unchanged(trained.network):
            golden = float(100 * Campaign(trained.network, x, y, fault).correct.mean())
            cells = bit_map(
                trained.network, x, y, fault, self.flips, trained.checkpointing, seed=self.seed
            )
        names = list(dict.fromkeys((cell.layer, cell.stored) for cell in cells))
        bits = 1 + max(cell.bit or 0 for cell in cells)
        arrays = {
            name: np.full((len(names), bits), np.nan) for name in ("drop", "sdc_1_rate", "due_rate")
        }
        for cell in cells:
            at = names.index((cell.layer, cell.stored)), cell.bit
            arrays["drop"][at] = golden - cell.accuracy.mean()
            arrays["sdc_1_rate"][at] = cell.sdc_1_rate.mean()
            arrays["due_rate"][at] = cell.due_rate.mean()
        return Measurement(
            scalars={"worst_drop": float(np.nanmax(arrays["drop"]))},
            arrays={"bits": np.arange(bits), **arrays},
            info={"layers": [f"{layer}, {stored}" for layer, stored in names]},
        )


def hardened(network: keras.Model, x: Any, clamp: str) -> keras.Model:
    """The network with activations clamped per channel by training examples; itself if empty."""
    from ftnoise.faults.hardening import clamped

    return clamped(network, x[:RANGED], per="channel", to=clamp) if clamp else network


def columns(measure: StoredFaults, flips: Sequence[int]) -> tuple[Column, ...]:
    """Accuracy without and with these numbers of flips."""
    how = f", clamped to {measure.clamp}" if measure.clamp else ""
    titles = {"golden_accuracy": f"Testing accuracy in {measure.stored}{how}"}
    titles |= {f"accuracy_at_{n}": f"With {n:,} flips in {measure.stored}{how}" for n in flips}
    return columns_of(measure, {f"{measure.prefix}{n}": title for n, title in titles.items()})


def curve(measure: StoredFaults, rows: tuple[str, ...]) -> Series:
    """Accuracy of these rows against the number of flips."""
    how = f", clamped to {measure.clamp}" if measure.clamp else ""
    return Series(
        name=f"{measure.prefix}curve",
        title=f"Testing accuracy against flips in {measure.stored}{how}",
        measure=measure,
        x="flips",
        x_title=f"Number of flipped bits in {measure.stored}",
        y="accuracy",
        y_title="Testing accuracy",
        y_unit="%",
        low="low",
        high="high",
        band="95 % t interval over trials, at each number by itself",
        values="accuracies",
        draws="trials",
        logarithmic_x=True,
        rows=rows,
        table=("sdc_1_rate", "due_rate"),
    )


def figures(
    measure: StoredFaults,
    mapped: BitMap,
    baseline: str,
    *,
    lines: tuple[str, ...],
    panels: tuple[str, ...],
) -> tuple[Figure, ...]:
    """Of a format: curves of some rows, differences of all to one on the same trials, and maps."""
    return (
        curve(measure, lines),
        Pairs(
            name=f"{measure.prefix}pairs",
            title=f"Testing accuracy with flips in {measure.stored}, on the same trials",
            measure=measure,
            x="flips",
            x_title=f"Number of flipped bits in {measure.stored}",
            values="accuracies",
            value_title="Testing accuracy",
            value_unit="points",
            baseline=baseline,
            draws="trials",
        ),
        HeatMap(
            name=f"{mapped.stored}_bits",
            title=f"Drop in accuracy by single flips in {mapped.stored}",
            measure=mapped,
            x="bits",
            x_title="Bit (0 is the lowest)",
            values="drop",
            labels="layers",
            value_title="Mean drop",
            value_unit="points",
            rows=panels,
        ),
    )
