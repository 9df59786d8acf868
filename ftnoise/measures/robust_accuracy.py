"""Accuracy on the test set under a named attack.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks", for
the number; Carlini et al. (2019), "On Evaluating Adversarial Robustness", for what stands beside
it.

It is an upper bound: a stronger attack may find more. `attack_red_flags.py` looks for signs that
one would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftnoise.attacks.attack import Attack
from ftnoise.core.checks import expect, is_count
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.preset import Preset, limited


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Measure):
    """Share of the test examples that are right without the attack and with it.

    Scalars, in percent: `robust_accuracy` with its Clopper-Pearson 95 % interval
    `robust_accuracy_low`, `robust_accuracy_high` (over examples, for the one network at hand), and
    `unattacked_accuracy` on the same examples. `attack_distortion` is the mean distance, in the
    norm of the attack's ball, over the examples that it broke; missing where it broke none.

    Arrays, bits packed into bytes: `survives` and `right`, whether each example is right with and
    without the attack. Info: `attack` in words, and `images`, how many there are.

    Args:
        attack: the attack; all models meet the same random starts.
        examples: test examples, chosen once for all models; None for all.
    """

    attack: Attack
    examples: int | None = None

    def __post_init__(self) -> None:
        check_attack(self.attack)
        check_examples(self.examples)

    def scaled(self, preset: Preset) -> RobustAccuracy:
        """At most the preset's number of attacked examples."""
        return replace(self, examples=limited(self.examples, preset.attacked))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks in batches, which go on where they were if it is interrupted."""
        import numpy as np

        from ftnoise.attacks.evaluation import Evaluation, chosen

        which = chosen(len(trained.data.y_test), self.examples)
        x, y = trained.data.x_test[which], trained.data.y_test[which]
        evaluation = Evaluation(trained.checkpointing, len(y) * self.attack.gradients)
        found = evaluation.attacked("attack", self.attack, trained.network, x, y)
        low, high = found.interval
        scalars: dict[str, float | None] = {
            "robust_accuracy": found.accuracy,
            "robust_accuracy_low": low,
            "robust_accuracy_high": high,
            "unattacked_accuracy": found.clean_accuracy,
            "attack_distortion": found.mean_distortion,
        }
        return Measurement(
            scalars={name: value for name, value in scalars.items() if value is not None},
            arrays={"survives": np.packbits(found.survives), "right": np.packbits(found.clean)},
            info={"attack": self.attack.label, "images": len(found)},
        )


def columns(measure: RobustAccuracy) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    title = f"Accuracy under attack ({measure.attack.label})"
    return (
        Column(name="robust_accuracy", measure=measure, title=title, unit="%"),
        Column(
            name="robust_accuracy_low",
            measure=measure,
            title="Low end of its 95 % interval",
            unit="%",
        ),
        Column(
            name="robust_accuracy_high",
            measure=measure,
            title="High end of its 95 % interval",
            unit="%",
        ),
    )


def check_attack(attack: Any) -> None:
    """Raises `BadInput` unless it is an attack."""
    expect(
        isinstance(attack, Attack) and type(attack) is not Attack,
        "attack to be an attack, such as PGD(attack_epsilon=8 / 255)",
        attack=attack,
    )


def check_examples(examples: Any) -> None:
    """Raises `BadInput` unless it is a number of examples, or None for all."""
    expect(examples is None or is_count(examples), "examples >= 1 or None", examples=examples)
