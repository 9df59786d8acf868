"""Accuracy on the test set under a named attack, or under the worst of several for each image.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks", for
the number; Carlini et al. (2019), "On Evaluating Adversarial Robustness", for the numbers reported
with it; Croce and Hein (2020), "Reliable Evaluation of Adversarial Robustness with an Ensemble of
Diverse Parameter-Free Attacks", for the worst of several attacks.

It is an upper bound: a stronger attack may succeed more often. `attack_red_flags.py` checks for
signs of that.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.attacks.apgd import APGD, TargetedAPGD
from ftnoise.attacks.attack import Attack
from ftnoise.attacks.evaluation import Evaluation, chosen, frozen
from ftnoise.core.checks import boolean, count, expect, instance
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.spec import spec_id

AN_ATTACK = "an attack, such as PGD(attack_epsilon=8 / 255)"


@dataclass(frozen=True, kw_only=True)
class UnderAttack(Measure):
    """Base of the measures of an attack on test examples.

    Args:
        attack: the attack; all models get the same random starts.
        examples: number of test examples, drawn once for all models; None for all.
    """

    attack: Attack
    examples: int | None = None

    def __post_init__(self) -> None:
        instance(Attack, AN_ATTACK, attack=self.attack)
        count(optional=True, examples=self.examples)

    def begun(self, trained: MeasureInput) -> tuple[Evaluation, np.ndarray, np.ndarray]:
        """The evaluation, which resumes if it is interrupted, the examples and their labels."""
        which = chosen(len(trained.data.y_test), self.examples)
        evaluation = Evaluation(trained.checkpointing, spec_id(self))
        return evaluation, trained.data.x_test[which], trained.data.y_test[which]


@dataclass(frozen=True, kw_only=True)
class RobustAccuracy(UnderAttack):
    """Share of the test examples that are right without the attack and with it.

    Scalars, in percent: `robust_accuracy` with its Clopper-Pearson 95 % interval
    `robust_accuracy_low`, `robust_accuracy_high` (over examples, for this one network), and
    `unattacked_accuracy` on the same examples. `attack_distortion` is the mean distance, in the
    norm of the attack's ball, over the examples that it broke; missing where it broke none.

    With votes, a prediction is the class that most draws of a network that draws predict, and
    `single_pass_robust_accuracy` is the accuracy under attack of a single one, the mean over them.

    Arrays, bits packed into bytes: `survives` and `right`, whether each example is right with and
    without the attack. Info: `attack`, its label, and `examples`, their number; with several
    attacks also `accuracies`, those under the first one, two, ... of them.

    Args:
        attack, examples: see `UnderAttack`.
        also: attacks in the same ball, each on the examples that survive those before it: an
            example is broken if any of them breaks it.
        votes: number of draws that vote, at least 1.
        frozen: the network is held in one draw, which the attack sees and which judges it: it has
            to fail as a deterministic one, or the attack is too weak.
    """

    also: tuple[Attack, ...] = ()
    votes: int = 1
    frozen: bool = False

    limits = (("examples", "attacked"), ("votes", "trials"))

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(tuple, "a tuple of attacks", also=self.also)
        count(votes=self.votes)
        boolean(frozen=self.frozen)
        for other in self.also:
            instance(Attack, AN_ATTACK, also=other)
            expect(
                (other.ball, other.attack_epsilon)
                == (self.attack.ball, self.attack.attack_epsilon),
                f"attacks in one ball, {self.attack.region}",
                also=other.label,
            )

    @property
    def label(self) -> str:
        """`PGD-20, l_inf 8/255`, or `worst of PGD-20 and APGD-50, l_inf 8/255`."""
        *names, last = [attack.name for attack in (self.attack, *self.also)]
        name = f"worst of {', '.join(names)} and {last}, {self.attack.region}" if names else None
        votes = f", vote of {self.votes}" if self.votes > 1 else ""
        return (name or self.attack.label) + votes + (", frozen noise" if self.frozen else "")

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks the network; resumes if interrupted."""
        evaluation, x, y = self.begun(trained)
        network = frozen(trained.network) if self.frozen else trained.network
        found = evaluation.attacked("attack", self.attack, network, x, y, votes=self.votes)
        accuracies = [found.accuracy]
        for number, other in enumerate(self.also):
            if (left := found.survives).any():
                part = f"also_{number}"
                more = evaluation.attacked(part, other, network, x[left], y[left], votes=self.votes)
                found = found.then(more)
            accuracies.append(found.accuracy)
        low, high = found.interval
        scalars: dict[str, float | None] = {
            "robust_accuracy": found.accuracy,
            "robust_accuracy_low": low,
            "robust_accuracy_high": high,
            "unattacked_accuracy": found.clean_accuracy,
            "attack_distortion": found.mean_distortion,
            "single_pass_robust_accuracy": found.single_pass_accuracy,
        }
        return Measurement(
            scalars={name: value for name, value in scalars.items() if value is not None},
            arrays={"survives": np.packbits(found.survives), "right": np.packbits(found.clean)},
            info={"attack": self.label, "examples": len(found)}
            | ({"accuracies": accuracies} if self.also else {}),
        )


def with_apgd(attack: Attack) -> RobustAccuracy:
    """Under the worst of an attack and of APGD with both of its losses, in the same ball.

    The 20 steps for each of 9 targets take the most time. With 50 the natural fmnist_cnn2 loses 0.6
    points more at 8/255, and none at 2/255 (500 test images).
    """
    radius, ball = attack.attack_epsilon, attack.ball
    aimed = TargetedAPGD(attack_epsilon=radius, ball=ball, steps=20)
    return RobustAccuracy(attack=attack, also=(APGD(attack_epsilon=radius, ball=ball), aimed))


def columns(measure: RobustAccuracy) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    titles = {
        "robust_accuracy": f"Accuracy under attack ({measure.label})",
        "robust_accuracy_low": "Low end of its 95 % interval",
        "robust_accuracy_high": "High end of its 95 % interval",
    }
    if measure.votes > 1:
        titles["single_pass_robust_accuracy"] = f"In a single pass ({measure.attack.label})"
    ends = ("robust_accuracy_low", "robust_accuracy_high")
    return columns_of(measure, titles, robust_accuracy=ends)
