"""Signs that a network only looks robust because the attack on it fails.

Source: Athalye et al. (2018), "Obfuscated Gradients Give a False Sense of Security"; Carlini et al.
(2019), "On Evaluating Adversarial Robustness", for the checks. Each compares the attack with
another on the same examples, of which one has to break significantly more than the other: McNemar's
exact test of the examples that one of them alone breaks, at 2.5 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import Attack
from ftnoise.attacks.evaluation import Attacked
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.checks import count, positive
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import MeasureInput, Measurement
from ftnoise.core.preset import Preset
from ftnoise.measures.robust_accuracy import UnderAttack

# Largest tolerated share, in percent, of examples that survive any change of the image, and of
# correct examples with a zero gradient: a few such examples are normal.
FEW = 1.0


@dataclass(frozen=True, kw_only=True)
class AttackRedFlags(UnderAttack):
    """Compares an attack with others that should be weaker or stronger.

    Scalars: `red_flags`, their number; `zero_gradients`, the share of right examples (%)
    whose gradient is zero in all elements, or no number. Accuracies (%): `accuracy_attacked` (the
    attack itself), `accuracy_single_step` (FGSM), `accuracy_half_radius`, `accuracy_twice_radius`,
    `accuracy_widest_radius` (anything in [0, 1]), `accuracy_twice_steps`, `accuracy_five_starts`
    (five times the random starts); on the first `queried` examples `accuracy_black_box` (SPSA,
    which uses no gradient) and `accuracy_white_box` (the attack). Those that need steps, random
    starts or an l_inf ball are missing where the attack has none. Info: `red_flags`, sentences;
    `attack`, its label; `examples`, their number.

    Args:
        attack, examples: the attack that is checked, with attack_epsilon > 0; see `UnderAttack`.
        queried: number of them that SPSA attacks, at least 1; it takes 2,500 passes for each.
    """

    examples: int | None = 500
    queried: int = 100

    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(attack_epsilon=self.attack.attack_epsilon)
        count(queried=self.queried)

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
            "five_starts": attack.restarted(),
        }
        return {name: other for name, other in found.items() if other is not None}

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Runs one attack after the other; resumes if interrupted."""
        evaluation, x, y = self.begun(trained)
        attacks = {name: (attack, len(y)) for name, attack in self.compared(x.shape[1:]).items()}
        if isinstance(self.attack.ball, LinfBall):
            query = SPSA(attack_epsilon=self.attack.attack_epsilon)
            attacks["black_box"] = (query, min(self.queried, len(y)))
        found = {
            name: evaluation.attacked(name, attack, trained.network, x[:size], y[:size])
            for name, (attack, size) in attacks.items()
        }
        if "black_box" in found:
            found["white_box"] = found["attacked"].first(len(found["black_box"]))
        no_gradient, right = evaluation.zero_gradients(trained.network, x, y)
        zero = 100.0 * float((no_gradient & right).sum()) / max(int(right.sum()), 1)
        flags = sentences(found, zero)
        return Measurement(
            scalars={
                "red_flags": float(len(flags)),
                "zero_gradients": zero,
                **{f"accuracy_{name}": one.accuracy for name, one in found.items()},
            },
            info={"red_flags": flags, "attack": self.attack.label, "examples": len(y)},
        )


def sentences(found: dict[str, Attacked], zero: float) -> list[str]:
    """One sentence for each red flag, from the outcomes by the names of their accuracies.

    `zero` is the share of right examples without a gradient, in percent.
    """
    own = found["attacked"]

    def against(name: str) -> str:
        return f"({found[name].accuracy:.1f} % stay right, {own.accuracy:.1f} % under the attack)"

    left = found["widest_radius"].accuracy
    flags = {
        f"{zero:.1f} % of the right examples have no gradient to follow.": zero > FEW,
        f"A single step does more than the attack {against('single_step')}.": (
            found["single_step"].does_more_than(own)
        ),
        f"Half the radius does more than the whole {against('half_radius')}.": (
            found["half_radius"].does_more_than(own)
        ),
        f"Twice the radius does less {against('twice_radius')}.": (
            own.does_more_than(found["twice_radius"])
        ),
        f"{left:.1f} % stay right though the attack may change all of the image.": left > FEW,
    }
    if "twice_steps" in found:
        longer = found["twice_steps"]
        flags[f"Twice the iterations change the result {against('twice_steps')}."] = (
            longer.does_more_than(own) or own.does_more_than(longer)
        )
    if "five_starts" in found:
        flags[f"Five times the random starts do more {against('five_starts')}."] = found[
            "five_starts"
        ].does_more_than(own)
    if "black_box" in found:
        black, white = found["black_box"], found["white_box"]
        flags[
            "An attack that uses no gradient does more than the one that does "
            f"({black.accuracy:.1f} % against {white.accuracy:.1f} % stay right)."
        ] = black.does_more_than(white)
    return [sentence for sentence, raised in flags.items() if raised]


def columns(measure: AttackRedFlags) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    title = "Red flags of the attack"
    return (Column(name="red_flags", measure=measure, title=title, digits=0),)
