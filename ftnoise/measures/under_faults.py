"""Any measure of a trained network under random faults.

Source: the faults are those of Duddu et al., "Fault Tolerance of Neural Networks in Adversarial
Settings", section 4.4. In each trial the measure gets the faulty network: attacks attack it, and
where a measure uses predictions, they are those of the faulty network, not of the fault-free one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import boolean, count, expect, instance, is_name
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.resumable import Resumable
from ftnoise.core.spec import spec_id
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Count
from ftnoise.stats.summary import summarize


@dataclass(frozen=True, kw_only=True)
class UnderFaults(Measure):
    """Scalars of a measure, over random faults.

    Scalars, for each of `scalars` that the measure returns in all trials: `faulty_...`, the mean
    over trials; `faulty_..._low` and `faulty_..._high`, its 95 % t interval over trials;
    `drop_of_...`, the scalar without faults (in the same storage format) minus that mean. Arrays:
    `by_trial_...` `[trials]`.

    Args:
        measure: of each faulty network.
        scalars: names of its scalars, at least one.
        fault: not transient; parameters stored in int8 have the ranges of the test examples.
        trials: random draws of the faults, at least 2.
        seed: of the trials, >= 0; it draws the same for all networks of an architecture.
        percent: the scalars are in percent, so intervals are clipped to [0, 100].
    """

    measure: Measure
    scalars: tuple[str, ...]
    fault: Fault
    trials: int = 10
    seed: int = 0
    percent: bool = True

    limits = (("trials", "trials"),)

    def __post_init__(self) -> None:
        instance(Measure, "a measure", measure=self.measure)
        names = isinstance(self.scalars, tuple) and all(map(is_name, self.scalars))
        expect(names and len(self.scalars) > 0, "names of scalars", scalars=self.scalars)
        instance(Fault, "a fault", fault=self.fault)
        expect(not self.fault.transient, "a fault that is not transient", fault=self.fault.label)
        count(least=2, trials=self.trials)
        count(least=0, seed=self.seed)
        boolean(percent=self.percent)

    @property
    def needs_run(self) -> bool:
        return self.measure.needs_run

    @property
    def needs_training_data(self) -> bool:
        return self.measure.needs_training_data

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Measures without faults, then trial by trial; resumes at the first unfinished one."""
        from ftnoise.faults.injection import injected

        alone = dataclasses.replace(trained, checkpointing=Checkpointing())
        none = self.fault.at(Count(faults=0))

        def measured(start: int, stop: int) -> dict[str, Any]:
            found = []
            for trial in range(start - 1, stop - 1):
                if trial < 0 and not self.fault.where.stored:
                    found.append(self.measure.evaluate(alone).scalars)
                    continue
                # In a storage format, the network without faults is the stored one.
                fault, x = self.fault if trial >= 0 else none, trained.data.x_test
                with injected(trained.network, fault, self.seed, max(trial, 0), x):
                    found.append(self.measure.evaluate(alone).scalars)
            return {name: [one.get(name, np.nan) for one in found] for name in self.scalars}

        work = Resumable(trained.checkpointing, spec_id(self))
        found = work.batches(measured, self.trials + 1, 1, text="trials with faults")
        scalars: dict[str, float] = {}
        arrays: dict[str, Any] = {}
        for name, (golden, *values) in found.items():
            if not np.isfinite([golden, *values]).all():
                continue
            summary = summarize(values)
            ends = np.array([summary.low, summary.high], float)
            low, high = (np.clip(ends, 0, 100) if self.percent else ends).tolist()
            scalars |= {
                f"faulty_{name}": summary.mean,
                f"faulty_{name}_low": low,
                f"faulty_{name}_high": high,
                f"drop_of_{name}": float(golden - summary.mean),
            }
            arrays[f"by_trial_{name}"] = np.array(values)
        return Measurement(scalars=scalars, arrays=arrays, info={"trials": self.trials})


def columns(
    measure: UnderFaults, titles: tuple[str, ...], *, brief: bool = False, suffix: str = ""
) -> tuple[Column, ...]:
    """Mean and interval over trials of each scalar, and its drop, in percent.

    `titles` are of the measure's scalars, in their order. With `brief`, there are only the means.
    `suffix` is of the columns' names, where a table has several of these measures.
    """
    fault = f"{measure.fault.label}, {measure.fault.rate.label}"
    found = []
    for scalar, what in zip(measure.scalars, titles, strict=True):
        shown = {f"faulty_{scalar}": f"{what}, {fault}"}
        ends = (f"faulty_{scalar}_low{suffix}", f"faulty_{scalar}_high{suffix}")
        if not brief:
            shown |= {
                f"faulty_{scalar}_low": f"Low end of its interval over trials ({what}, {fault})",
                f"faulty_{scalar}_high": f"High end of its interval over trials ({what}, {fault})",
                f"drop_of_{scalar}": f"Drop by {fault} ({what})",
            }
        found += [
            Column(
                name=f"{name}{suffix}",
                scalar=name,
                measure=measure,
                title=title,
                unit="points" if name.startswith("drop") else "%",
                ends=ends if name == f"faulty_{scalar}" else None,
            )
            for name, title in shown.items()
        ]
    return tuple(found)
