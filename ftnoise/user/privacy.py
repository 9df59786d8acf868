"""The privacy guarantee of DP-SGD, of a run or of given parameters, without training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, instance, positive
from ftnoise.core.data import Sources
from ftnoise.core.interfaces import Run
from ftnoise.privacy import MOST_STEPS, Mechanism, Statement, noise_for, statement
from ftnoise.report.table import rounded_up
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD

PUBLIC = (
    "This run's key is NOT secret: whoever knows the run can compute the noise and subtract it.\n"
    "For a private release, train with DPSGD(..., secret_key=True)."
)


@dataclass(frozen=True, kw_only=True)
class PrivacyStatement(Statement):
    """A `Statement` that prints as text; its epsilons are at `mechanism.delta`.

    Attributes:
        public_key: it is that of a run whose key is not secret, so that nothing is private.
    """

    public_key: bool = False

    def __str__(self) -> str:
        """The statement for a terminal."""
        mechanism = self.mechanism
        poisson = mechanism.sampler == "poisson"
        text = [
            f"Noise multiplier {mechanism.noise_multiplier:.4g}, {mechanism.sampler} batches of "
            f"{'expected ' if poisson else ''}{mechanism.batch_size} out of {mechanism.examples}, "
            f"{mechanism.steps} steps, delta {mechanism.delta:g}.",
            f"Neighboring training sets: {self.adjacency}.",
            "",
        ]
        if poisson:
            text += [
                f"  epsilon, smallest sound value     {_at_most(self.epsilon)}",
                f"    by RDP, today's accounting      {_at_most(self.epsilon_rdp)}",
                f"    by privacy loss distributions   {_at_most(self.epsilon_pld)}",
                f"  as the paper's software gave it   {self.epsilon_paper:.4g}",
            ]
        else:
            text += [
                f"  epsilon is at most                {_at_most(self.epsilon)}",
                f"  and at least                      {_at_least(self.low)}",
                f"  as the paper's software gave it   {self.epsilon_paper:.4g}   NO guarantee: "
                "it assumes Poisson batches",
            ]
        text += [
            "",
            "Bound on the generalization error of a loss in [0, 1], by Theorem 1 of the paper:",
            f"  as printed                        {_bound(self.theorem1)}",
            f"  for one example replaced          {_bound(self.theorem1_replace_one)}",
            "",
            "Assumes a secret key of the noise, and that noise drawn in single precision is "
            "Gaussian. Does not count",
            "earlier calibration on the same examples, nor other trainings on them: those that are "
            "released together",
            "compose, N equal ones to the epsilon of N times the epochs. Epsilons are rounded up.",
            *([PUBLIC] if self.public_key else []),
        ]
        return "\n".join(text)


def _places(value: float) -> int:
    """The number of digits after the point of which four count."""
    return 3 - math.floor(math.log10(value)) if value > 0 else 0


def _at_most(value: float | None) -> str:
    return "-" if value is None else f"{rounded_up(value, _places(value)):.4g}"


def _at_least(value: float) -> str:
    return f"{abs(rounded_up(-value, _places(value))):.4g}"


def _bound(value: float) -> str:
    return f"{value:.4g}" + ("   vacuous: 1 or more" if value >= 1 else "")


def privacy_statement(
    run: Run | None = None,
    *,
    noise_multiplier: float | None = None,
    target_epsilon: float | None = None,
    batch_size: int | None = None,
    examples: int | None = None,
    epochs: float | None = None,
    sampler: str = "poisson",
    delta: float = 1e-5,
) -> PrivacyStatement:
    """States the epsilon that DP-SGD guarantees, for a run or for given parameters.

    Nothing is trained. Sources: Abadi et al. (2016), "Deep Learning with Differential Privacy";
    `ftnoise/privacy.py` has those of the accounting. An interrupted training may have released
    steps that were lost: the measure `PrivacyLoss` counts those of a stored run.

    Args:
        run: with `DPSGD` in its `gradients` slot; then only `delta` may be given.
        noise_multiplier: standard deviation of the noise in units of the clipping norm, > 0.
        target_epsilon: instead of it, the epsilon, > 0, to find the noise for.
        batch_size: expected number of examples a step, >= 1.
        examples: size of the training set, >= `batch_size`.
        epochs: passes over it, > 0.
        sampler: how batches are drawn, "poisson" or "shuffled".
        delta: in (0, 1).

    Raises:
        BadInput: an argument is missing or out of range, or the run has no noise in its gradients.
    """
    given = {
        "noise_multiplier": noise_multiplier,
        "target_epsilon": target_epsilon,
        "batch_size": batch_size,
        "examples": examples,
        "epochs": epochs,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if run is not None:
        expect(not given, "a run, or parameters without one", **given)
        return _of_run(run, delta)
    expect(
        {"batch_size", "examples", "epochs"} <= given.keys() and len(given) == 4,
        "a run, or batch_size, examples, epochs and either noise_multiplier or target_epsilon",
        given=list(given),
    )
    assert batch_size is not None
    assert examples is not None
    assert epochs is not None
    positive(epochs=epochs)
    sizes: dict[str, Any] = {
        "batch_size": batch_size,
        "examples": examples,
        "sampler": sampler,
        "delta": delta,
    }
    # Checked before anything is computed from them; the noise follows.
    steps_per_epoch = Mechanism(noise_multiplier=1.0, steps=1, **sizes).steps_per_epoch
    expect(
        epochs <= MOST_STEPS / steps_per_epoch,
        f"epochs of {steps_per_epoch} steps that make {MOST_STEPS:g} steps at most",
        epochs=epochs,
    )
    steps, noise = math.ceil(epochs * steps_per_epoch), noise_multiplier
    if noise is None:
        assert target_epsilon is not None
        # As it is printed: less of it would not reach the target.
        noise = noise_for(target_epsilon, steps=steps, **sizes)
        noise = rounded_up(noise, _places(noise))
    return _stated(Mechanism(noise_multiplier=noise, steps=steps, **sizes))


def _of_run(run: Run, delta: float) -> PrivacyStatement:
    instance(Run, "a Run", run=run)
    training = run.training
    gradients = training.gradients if isinstance(training, Training) else None
    noisy = isinstance(gradients, DPSGD) and gradients.noise_multiplier > 0
    expect(noisy, "a run with DPSGD and noise in its gradients", gradients=gradients)
    assert isinstance(gradients, DPSGD)
    examples = run.examples()
    if examples is None or run.data.train_size is None:
        data = run.data.load(Sources.from_environment())
        examples = len(data.take(run.train_examples, None).y_train)
    mechanism = Mechanism(
        noise_multiplier=gradients.noise_multiplier,
        batch_size=run.schedule.batch_size,
        examples=examples,
        steps=run.schedule.epochs * run.schedule.steps_per_epoch(examples),
        sampler=gradients.sampler.slug,
        delta=delta,
    )
    return _stated(mechanism, public_key=not gradients.secret_key)


def _stated(mechanism: Mechanism, public_key: bool = False) -> PrivacyStatement:
    return PrivacyStatement(**vars(statement(mechanism)), public_key=public_key)
