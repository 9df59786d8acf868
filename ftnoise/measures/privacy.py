"""The privacy guarantee of a trained model, from the ledger of its own training.

Source: section 5 and Theorem 1 of the paper; `ftnoise/privacy.py` for the accounting.

Assumptions: the noise key is secret (the key of a published run is not, see `gradients/dpsgd.py`);
the noise, drawn in single precision by Philox, is Gaussian. The calibration of hyper-parameters on
the same examples is not counted, nor are other trainings: those published together compose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core.checks import fraction
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.spec import canonical, snake_case
from ftnoise.privacy import Mechanism, statement


@dataclass(frozen=True, kw_only=True)
class PrivacyLoss(Measure):
    """Epsilon of the steps that were taken, and Theorem 1's bound on the generalization error.

    Scalars: `privacy_steps` (noised sums that may have been released, lost ones too) and, where
    there were any, `privacy_key_secret` (1 if all of their noise had a secret key, else 0: then
    anyone can remove the noise). For a training with noise in its gradients also, at `delta`:
    `privacy_epsilon` (the smallest proven value for the sampler that drew the batches),
    `privacy_epsilon_low` (a lower bound on it; the same for Poisson batches),
    `privacy_epsilon_paper` (as the paper's software computed it, which assumes Poisson batches),
    `generalization_bound` (Theorem 1 as printed, from `privacy_epsilon_paper`, in points) and
    `generalization_bound_replace_one` (from `privacy_epsilon`, for neighbors with one example
    replaced, which the theorem's proof needs). A bound of 100 points is vacuous. If the ledger
    was lost, there is only `privacy_ledger_lost`, 1.

    Args:
        delta: in (0, 1).
    """

    delta: float = 1e-5

    needs_run: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fraction(zero=False, one=False, delta=self.delta)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Reads the ledger in the run's record; the network is not evaluated."""
        kept = trained.record.get("gradients")
        if kept is None:
            return Measurement(scalars={"privacy_steps": 0.0})
        if kept.get("lost"):
            return Measurement(scalars={"privacy_ledger_lost": 1.0})
        steps = sum(attempt["to"] - attempt["from"] for attempt in kept["ledger"])
        secret = all(attempt["key"] == "secret" for attempt in kept["ledger"])
        scalars = {"privacy_steps": float(steps), "privacy_key_secret": float(secret)}
        assert trained.run is not None
        gradients = canonical(trained.run, everything=True)["training"]["gradients"]
        if gradients["noise_multiplier"] > 0:
            found = statement(
                Mechanism(
                    noise_multiplier=gradients["noise_multiplier"],
                    batch_size=trained.run.schedule.batch_size,
                    examples=kept["examples"],
                    steps=steps,
                    sampler=snake_case(gradients["sampler"]["class"]),
                    delta=self.delta,
                )
            )
            scalars |= {
                "privacy_epsilon": found.epsilon,
                "privacy_epsilon_low": found.low,
                "privacy_epsilon_paper": found.epsilon_paper,
                "generalization_bound": 100 * min(found.theorem1, 1.0),
                "generalization_bound_replace_one": 100 * min(found.theorem1_replace_one, 1.0),
            }
        return Measurement(scalars=scalars)


COLUMNS = (
    *(
        Column(name=name, measure=PrivacyLoss(), title=title, upward=upward)
        for name, title, upward in (
            ("privacy_epsilon_paper", "Epsilon as the paper computed it", False),
            ("privacy_epsilon", "Epsilon, smallest valid value", True),
        )
    ),
    *(
        Column(name=name, measure=PrivacyLoss(), title=title, unit="points", vacuous=100.0)
        for name, title in (
            ("generalization_bound", "Bound on the generalization error by Theorem 1"),
            ("generalization_bound_replace_one", "That bound for one example replaced"),
        )
    ),
)
AGAINST_EPSILON = Curves(
    name="against_epsilon",
    title="Accuracy and generalization error against epsilon",
    x="privacy_epsilon_paper",
    panels=(("train_accuracy", "test_accuracy"), ("generalization_error",)),
    logarithmic=True,
)
NOTE = (
    "Theorem 1 holds for neighbors with one example replaced; as printed it takes the paper's "
    "epsilon, which is for one added or removed. A bound of 100 points is vacuous: no "
    "generalization error is above it. Epsilon, at delta 1e-5, assumes that the key of the noise "
    "is secret, which that of a run that can be repeated is not, and does not count that clipping "
    "norm and rate were calibrated. It is that of one training, rounded up: seeds and rows that "
    "are published together compose (noise 1.1, three seeds: 4.35, not 2.35)."
)
