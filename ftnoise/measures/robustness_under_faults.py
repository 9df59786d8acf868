"""Global robustness of the networks that random faults make of a trained one, by attacks.

Source: no paper measures it. Definition 1 of "Global Adversarial Robustness Guarantees for Neural
Networks", of a network with faults as in Duddu et al., section 4.4.

In each trial the attacks see the faulty network, and the class that counts is the one it predicts.
So a network that faults make predict one class everywhere is robust: read it beside the accuracy.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ftnoise.core.checks import count, expect, instance
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.preset import Preset
from ftnoise.core.spec import spec_id
from ftnoise.faults.fault import Fault
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.stats.summary import summarize


@dataclass(frozen=True, kw_only=True)
class RobustnessUnderFaults(Measure):
    """R, the share of examples whose prediction the attacks do not change, under faults.

    Scalars, for the first radius `..._1`, the second `..._2` and so on: `faulty_robust`, the mean
    over trials in percent; `faulty_robust_low` and `faulty_robust_high`, its 95 % t interval over
    trials; `robust_drop`, R without faults minus that mean, in points. And `faulty_accuracy`, the
    mean accuracy of the faulty networks on the same examples, in percent. Arrays:
    `faulty_robust_by_trial` `[radii, trials]`.

    Args:
        local: how the examples are drawn and attacked; its verifier does not count.
        fault: of parameters.
        trials: random draws of the faults, at least 2.
    """

    local: GlobalRobustness
    fault: Fault
    trials: int = 10

    def __post_init__(self) -> None:
        instance(GlobalRobustness, "GlobalRobustness", local=self.local)
        instance(Fault, "a fault", fault=self.fault)
        kind = not self.fault.where.outputs and not self.fault.transient
        expect(kind, "a permanent fault of parameters", fault=self.fault.label)
        count(least=2, trials=self.trials)

    def scaled(self, preset: Preset) -> RobustnessUnderFaults:
        """Fewer trials and examples where the preset limits them."""
        trials = max(2, min(self.trials, preset.trials or self.trials))
        return dataclasses.replace(self, local=self.local.scaled(preset), trials=trials)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks the network without faults, then in each trial."""
        import numpy as np

        from ftnoise.attacks.evaluation import Evaluation
        from ftnoise.faults.injection import injected

        drawn = self.local.drawn(len(trained.data.x_test))
        x, y = trained.data.x_test[drawn], trained.data.y_test[drawn]
        evaluation = Evaluation(trained.checkpointing, spec_id(self))
        golden = self.local.attacked(evaluation, trained.network, x)
        robust, right = [], []
        for trial in range(self.trials):
            with injected(trained.network, self.fault, seed=self.local.seed, trial=trial):
                found = self.local.attacked(evaluation, trained.network, x, f"trial_{trial}_")
            robust.append(100 * (1 - found["changed"].mean(axis=1)))
            right.append(100 * float((found["predicted"] == y).mean()))
        scalars = {"faulty_accuracy": float(np.mean(right))}
        for n, values in enumerate(np.transpose(robust), 1):
            summary = summarize(values.tolist())
            before = 100 * (1 - golden["changed"][n - 1].mean())
            scalars |= {
                f"faulty_robust_{n}": summary.mean,
                f"faulty_robust_low_{n}": max(0.0, summary.low or 0.0),
                f"faulty_robust_high_{n}": min(100.0, summary.high or 0.0),
                f"robust_drop_{n}": float(before - summary.mean),
            }
        return Measurement(
            scalars=scalars,
            arrays={"faulty_robust_by_trial": np.transpose(robust)},
            info={"sites": self.fault.where.label, "examples": len(x)},
        )


def columns(measure: RobustnessUnderFaults) -> tuple[Column, ...]:
    """For each radius R under faults, its interval, and the drop; then the accuracy."""
    found = []
    fault = f"{measure.fault.label}, {measure.fault.rate.label}"
    for n, radius in enumerate(measure.local.radii, 1):
        at = measure.local.attacks[0].at(radius).region
        titles = {
            "faulty_robust": (f"R, not attacked ({at}), with {fault}", "%"),
            "faulty_robust_low": (f"Low end of its interval over trials ({at})", "%"),
            "faulty_robust_high": (f"High end of its interval over trials ({at})", "%"),
            "robust_drop": (f"Drop of R by these faults ({at})", "points"),
        }
        found += [
            Column(name=f"{name}_{n}", measure=measure, title=title, unit=unit)
            for name, (title, unit) in titles.items()
        ]
    accuracy = Column(
        name="faulty_accuracy", measure=measure, title=f"Accuracy with {fault}", unit="%"
    )
    return (*found, accuracy)
