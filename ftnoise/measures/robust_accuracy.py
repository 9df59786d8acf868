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
from ftnoise.spec import Column, Spec, expect, is_count
from ftnoise.workspace import Answer, Subject


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(Spec):
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

    @property
    def passes(self) -> int:
        """Passes over 10,000 test examples that it takes as long as."""
        return passes(self.attack, self.examples)

    def with_examples(self, examples: int) -> RobustAccuracy:
        """The same on at most so many examples."""
        return replace(self, examples=min(self.examples or examples, examples))

    def evaluate(self, subject: Subject) -> Answer:
        """Attacks in batches, which go on where they were if it is interrupted."""
        import numpy as np

        from ftnoise.attacks.evaluation import Evaluation, chosen

        which = chosen(len(subject.data.y_test), self.examples)
        x, y = subject.data.x_test[which], subject.data.y_test[which]
        evaluation = Evaluation(subject.workspace, len(y) * self.attack.gradients)
        found = evaluation.attacked("attack", self.attack, subject.network, x, y)
        low, high = found.interval
        scalars: dict[str, float | None] = {
            "robust_accuracy": found.accuracy,
            "robust_accuracy_low": low,
            "robust_accuracy_high": high,
            "unattacked_accuracy": found.clean_accuracy,
            "attack_distortion": found.mean_distortion,
        }
        return Answer(
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


def passes(attack: Attack, examples: int | None) -> int:
    """Passes over 10,000 examples that take as long as an attack on so many (None: 10,000)."""
    # There and back is about three times the way there.
    return -(-3 * attack.gradients * (examples or 10_000) // 10_000)


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
