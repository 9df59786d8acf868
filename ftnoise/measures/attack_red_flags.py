"""Signs that a network only looks robust because the attack on it fails.

Source: Athalye et al. (2018), "Obfuscated Gradients Give a False Sense of Security"; Carlini et al.
(2019), "On Evaluating Adversarial Robustness", for the checks. Each compares the attack with
another on the same examples. One that should be weaker does more if it breaks what the other does
not more often than the reverse (exact sign test, 2.5 %); other differences count if they are beyond
the 95 % interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import Attack
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.checks import expect, is_count
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.preset import Preset
from ftnoise.core.spec import JSON
from ftnoise.measures.robust_accuracy import check_attack, check_examples

if TYPE_CHECKING:
    from numpy import ndarray

    from ftnoise.attacks.compiled import Compiled
    from ftnoise.attacks.evaluation import Attacked

BATCH = 500
# Largest share, in percent, of examples that may survive any change of the image, and of right
# examples without a gradient: some images are so alike, and some networks so sure.
FEW = 1.0


@dataclass(frozen=True, kw_only=True)
class AttackRedFlags(Measure):
    """How an attack compares with others that should be weaker or stronger.

    Scalars: `red_flags`, how many there are; `zero_gradients`, the share of right examples (%)
    whose gradient is zero in all elements, or no number. Accuracies (%): `accuracy_attacked` (the
    attack itself), `accuracy_single_step` (FGSM), `accuracy_half_radius`, `accuracy_twice_radius`,
    `accuracy_widest_radius` (anything in [0, 1]), `accuracy_twice_steps`; on the first `queried`
    examples `accuracy_black_box` (SPSA, which asks for no gradient) and `accuracy_white_box` (the
    attack). What an attack has not (steps, an l_inf ball) is missing. Info: `red_flags`, sentences.

    Args:
        attack: the attack that is looked at, with attack_epsilon > 0.
        examples: test examples, chosen once for all models; None for all.
        queried: how many of them SPSA attacks, at least 1; it takes 2,500 passes for each.
    """

    attack: Attack
    examples: int | None = 500
    queried: int = 100

    def __post_init__(self) -> None:
        check_attack(self.attack)
        expect(
            self.attack.attack_epsilon > 0,
            "attack with attack_epsilon > 0",
            attack_epsilon=self.attack.attack_epsilon,
        )
        check_examples(self.examples)
        expect(is_count(self.queried), "queried >= 1", queried=self.queried)

    def red_flags(self, info: dict[str, JSON]) -> list[str]:
        return info["red_flags"]

    def scaled(self, preset: Preset) -> AttackRedFlags:
        """At most the preset's number of attacked examples, of which SPSA attacks its share."""
        if preset.attacked is None:
            return self
        most = self.examples or preset.attacked
        queried = max(1, min(self.queried, self.queried * preset.attacked // most))
        return replace(self, examples=min(most, preset.attacked), queried=queried)

    def compared(self, shape: tuple[int, ...]) -> dict[str, Attack]:
        """The attacks on all examples, by the names of their accuracies; the first is its own."""
        attack, widest = self.attack, self.attack.ball.widest(shape)
        found: dict[str, Attack | None] = {
            "attacked": attack,
            "single_step": FGSM(attack_epsilon=attack.attack_epsilon, ball=attack.ball),
            "half_radius": attack.at(attack.attack_epsilon / 2),
            "twice_radius": attack.at(min(2 * attack.attack_epsilon, widest)),
            "widest_radius": attack.at(widest),
            "twice_steps": attack.longer(),
        }
        return {name: other for name, other in found.items() if other is not None}

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks one way after the other, and goes on where it was if it is interrupted."""
        from ftnoise.attacks.evaluation import Evaluation, chosen

        which = chosen(len(trained.data.y_test), self.examples)
        x, y = trained.data.x_test[which], trained.data.y_test[which]
        asked = {name: (other, len(y)) for name, other in self.compared(x.shape[1:]).items()}
        if isinstance(self.attack.ball, LinfBall):
            query = SPSA(attack_epsilon=self.attack.attack_epsilon)
            asked["black_box"] = (query, min(self.queried, len(y)))
        work = sum(other.gradients * count for other, count in asked.values())
        evaluation = Evaluation(trained.checkpointing, work)
        found = {
            name: evaluation.attacked(name, other, trained.network, x[:count], y[:count])
            for name, (other, count) in asked.items()
        }
        if "black_box" in found:
            found["white_box"] = found["attacked"].first(len(found["black_box"]))
        zero = without_gradient(evaluation.compiled(trained.network, x.shape[1:]), x, y)
        flags = sentences(found, zero)
        return Measurement(
            scalars={
                "red_flags": float(len(flags)),
                "zero_gradients": zero,
                **{f"accuracy_{name}": one.accuracy for name, one in found.items()},
            },
            info={"red_flags": flags, "attack": self.attack.label, "images": len(y)},
        )


def sentences(found: dict[str, Attacked], zero: float) -> list[str]:
    """What is suspicious, a sentence each.

    Args:
        found: what became of the examples, by the names of the accuracies.
        zero: share of right examples without a gradient, in percent.
    """
    attacked = found["attacked"]
    own, (low, high) = attacked.accuracy, attacked.interval
    accuracy = {name: one.accuracy for name, one in found.items()}
    flags = []

    def flag(wrong: bool, text: str) -> None:
        if wrong:
            flags.append(text)

    def against(name: str) -> str:
        return f"{accuracy[name]:.1f} % stay right, {own:.1f} % under the attack itself"

    flag(zero > FEW, f"{zero:.1f} % of the right examples have no gradient to follow.")
    flag(
        found["single_step"].does_more_than(attacked),
        f"A single step does more than the attack ({against('single_step')}).",
    )
    flag(
        found["half_radius"].does_more_than(attacked),
        f"Half the radius does more than the whole ({against('half_radius')}).",
    )
    flag(
        attacked.does_more_than(found["twice_radius"]),
        f"Twice the radius does less ({against('twice_radius')}).",
    )
    left = accuracy["widest_radius"]
    flag(left > FEW, f"{left:.1f} % stay right though the attack may change all of the image.")
    if "twice_steps" in found:
        flag(
            not low <= accuracy["twice_steps"] <= high,
            f"Twice the iterations change the result ({against('twice_steps')}).",
        )
    if "black_box" in found:
        black, white = found["black_box"], found["white_box"]
        flag(
            black.does_more_than(white),
            "An attack that asks for no gradient does more than the one that does "
            f"({black.accuracy:.1f} % against {white.accuracy:.1f} % stay right).",
        )
    return flags


def without_gradient(network: Compiled, x: ndarray, y: ndarray) -> float:
    """The share of right examples (%) whose gradient is zero, or no number, in all elements."""
    import numpy as np
    import tensorflow as tf

    right, dead = [], []
    for start in range(0, len(y), BATCH):
        images = tf.constant(x[start : start + BATCH], tf.float32)
        labels = tf.constant(y[start : start + BATCH], tf.int32)
        gradient = network.loss_gradient(images, labels).numpy().reshape(len(labels), -1)
        right.append(network.right(images, labels).numpy())
        dead.append(~(np.isfinite(gradient) & (gradient != 0)).any(axis=1))
    answered, stuck = np.concatenate(right), np.concatenate(right) & np.concatenate(dead)
    return 100.0 * float(stuck.sum()) / max(int(answered.sum()), 1)


def columns(measure: AttackRedFlags) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    title = "Red flags of the attack"
    return (Column(name="red_flags", measure=measure, title=title, digits=0),)
