"""Accuracy under attack against the number of draws over which the attack averages its gradients.

Source: Athalye et al. (2018), "Obfuscated Gradients Give a False Sense of Security", for the
expectation over transformations (EOT); Carlini et al. (2019), "On Evaluating Adversarial
Robustness", for showing that an attack has converged. An accuracy under attack means something
where this curve is flat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from ftnoise.attacks.attack import OverDraws
from ftnoise.core.checks import count, expect, instance
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.preset import Preset, limited
from ftnoise.measures.robust_accuracy import UnderAttack


@dataclass(frozen=True, kw_only=True)
class EOTConvergence(UnderAttack):
    """The accuracy under attack with each of several numbers of draws.

    Scalars: `last_drop`, by how much the last increase lowers the accuracy, in points. Arrays:
    `draws`, and the accuracies `accuracy` (percent) with their Clopper-Pearson 95 %
    intervals `accuracy_low`, `accuracy_high`. Info: `attack`, its label; `examples`, their number;
    and `red_flags`: a sentence if the last increase breaks significantly more examples.

    Args:
        attack: one that averages over draws, such as PGD; its number of draws does not count.
        examples: of the test set; see `UnderAttack`.
        numbers: of draws, at least two, increasing.
        votes: number of draws whose vote is the prediction, at least 1.
    """

    attack: OverDraws
    numbers: tuple[int, ...] = (1, 5, 20, 60, 200)
    examples: int | None = 1000
    votes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(OverDraws, "an attack that averages over draws, such as PGD", attack=self.attack)
        instance(tuple, "a tuple of integers", numbers=self.numbers)
        for number in self.numbers:
            count(numbers=number)
        rising = all(one < next_one for one, next_one in pairwise(self.numbers))
        expect(len(self.numbers) > 1 and rising, "two or more rising numbers", numbers=self.numbers)
        count(votes=self.votes)

    def scaled(self, preset: Preset) -> EOTConvergence:
        """At most the preset's number of attacked examples; as few draws as its trials."""
        numbers = self.numbers
        if preset.trials is not None:
            numbers = tuple(n for n in numbers if n <= preset.trials)
        few = numbers if len(numbers) > 1 else self.numbers[:2]
        examples = limited(self.examples, preset.attacked)
        votes = min(self.votes, preset.trials or self.votes)
        return replace(self, numbers=few, examples=examples, votes=votes)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks with each number of draws; resumes if interrupted."""
        evaluation, x, y = self.begun(trained)
        found = [
            evaluation.attacked(
                f"draws_{n}", self.attack.averaged(n), trained.network, x, y, votes=self.votes
            )
            for n in self.numbers
        ]
        accuracies = [one.accuracy for one in found]
        flags = []
        if found[-1].does_more_than(found[-2]):
            flags.append(
                f"{self.numbers[-1]} draws do more than {self.numbers[-2]} "
                f"({accuracies[-1]:.1f} % against {accuracies[-2]:.1f} % stay right)."
            )
        intervals = [one.interval for one in found]
        return Measurement(
            scalars={"last_drop": accuracies[-2] - accuracies[-1]},
            arrays={
                "draws": np.array(self.numbers, float),
                "accuracy": np.array(accuracies),
                "accuracy_low": np.array([low for low, _ in intervals]),
                "accuracy_high": np.array([high for _, high in intervals]),
            },
            info={"attack": self.attack.label, "examples": len(y), "red_flags": flags},
        )


def curve(measure: EOTConvergence) -> Series:
    """The figure of the accuracy against the number of draws."""
    return Series(
        name="eot",
        title=f"Accuracy under {measure.attack.label} against the draws of a gradient",
        measure=measure,
        x="draws",
        x_title="Draws of a gradient",
        y="accuracy",
        y_title="Accuracy under attack",
        y_unit="%",
        low="accuracy_low",
        high="accuracy_high",
        band="95 % interval over examples",
    )
