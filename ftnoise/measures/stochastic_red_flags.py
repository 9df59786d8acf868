"""Signs that a network that draws only looks robust because its noise hides the gradient.

Source: Athalye et al. (2018), "Obfuscated Gradients Give a False Sense of Security"; Carlini et al.
(2019), "On Evaluating Adversarial Robustness", for frozen noise; Gao et al. (2022), "On the
Limitations of Stochastic Pre-processing Defenses", for the same budget of gradients. The tests are
those of `attack_red_flags.py`, whose measure compares radii and steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import Attack, OverDraws
from ftnoise.attacks.evaluation import Attacked, frozen
from ftnoise.attacks.spsa import SPSA
from ftnoise.core.checks import count, instance, positive
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import MeasureInput, Measurement
from ftnoise.core.preset import Preset
from ftnoise.measures.robust_accuracy import UnderAttack

FEW = 1.0  # share of examples, in percent, that may survive any change of the image
MORE = 5  # times the draws


@dataclass(frozen=True, kw_only=True)
class StochasticRedFlags(UnderAttack):
    """Compares an attack over draws with others that should be no stronger, or much stronger.

    Scalars: `red_flags`, their number. Accuracies (%): `accuracy_attacked` (the attack itself),
    `accuracy_more_draws` (five times the draws), `accuracy_same_budget` (as many gradients, each in
    one draw, in more steps; missing for an attack without steps), `accuracy_frozen_noise` (the
    network held in one draw that the attack sees) and `accuracy_frozen_widest` (the same, anything
    in [0, 1]); on the first `queried` examples, in an l_inf ball, `accuracy_black_box` (SPSA over
    the same draws, without gradients) and `accuracy_white_box` (the attack). Info: `red_flags`,
    sentences; `attack`, its label; `examples`, their number.

    Args:
        attack: one that averages over draws, such as PGD, with attack_epsilon > 0.
        examples: of the test set; see `UnderAttack`.
        queried: number of them that SPSA attacks, at least 1; it takes 2,500 passes for each and
            each draw.
        votes: number of draws whose vote is the prediction, at least 1.
    """

    attack: OverDraws
    examples: int | None = 500
    queried: int = 50
    votes: int = 1

    limits = (("examples", "attacked"), ("votes", "trials"))

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(OverDraws, "an attack that averages over draws, such as PGD", attack=self.attack)
        positive(attack_epsilon=self.attack.attack_epsilon)
        count(queried=self.queried, votes=self.votes)

    def scaled(self, preset: Preset) -> StochasticRedFlags:
        """SPSA attacks a tenth of the preset's number of attacked examples at most."""
        queried = min(self.queried, max(1, (preset.attacked or 10 * self.queried) // 10))
        return replace(super().scaled(preset), queried=queried)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Runs one attack after the other; resumes if interrupted."""
        evaluation, x, y = self.begun(trained)
        held, widest = frozen(trained.network), self.attack.ball.widest(x.shape[1:])
        draws, alone = self.attack.draws, self.attack.averaged(1)
        fresh: dict[str, Attack | None] = {
            "attacked": self.attack,
            "more_draws": self.attack.averaged(MORE * draws),
            "same_budget": self.attack.undrawn(),
        }

        def run(name: str, attack: Attack, network: Any, size: int | None = None) -> Attacked:
            part = (network, x[:size], y[:size])
            return evaluation.attacked(name, attack, *part, votes=self.votes)

        found = {n: run(n, one, trained.network) for n, one in fresh.items() if one is not None}
        found["frozen_noise"] = run("frozen_noise", alone, held)
        found["frozen_widest"] = run("frozen_widest", alone.at(widest), held)
        if isinstance(self.attack.ball, LinfBall):
            query = SPSA(attack_epsilon=self.attack.attack_epsilon, draws=draws)
            black = run("black_box", query, trained.network, self.queried)
            found |= {"black_box": black, "white_box": found["attacked"].first(len(black))}
        flags = sentences(found)
        return Measurement(
            scalars={
                "red_flags": float(len(flags)),
                **{f"accuracy_{name}": one.accuracy for name, one in found.items()},
            },
            info={"red_flags": flags, "attack": self.attack.label, "examples": len(y)},
        )


def sentences(found: dict[str, Attacked]) -> list[str]:
    """One sentence for each red flag, from the outcomes by the names of their accuracies."""
    own, left = found["attacked"], found["frozen_widest"].accuracy

    def against(name: str, other: str = "attacked") -> str:
        return f"({found[name].accuracy:.1f} % against {found[other].accuracy:.1f} % stay right)."

    flags = {
        f"More draws for a gradient do more {against('more_draws')}": (
            found["more_draws"].does_more_than(own)
        ),
        f"The attack does less where the noise is frozen {against('frozen_noise')}": (
            own.does_more_than(found["frozen_noise"])
        ),
        f"{left:.1f} % stay right though the noise is frozen and the attack may change all of the "
        "image.": left > FEW,
    }
    if "same_budget" in found:
        flags[f"As many gradients in one draw each do more {against('same_budget')}"] = found[
            "same_budget"
        ].does_more_than(own)
    if "black_box" in found:
        flags[f"An attack that uses no gradient does more {against('black_box', 'white_box')}"] = (
            found["black_box"].does_more_than(found["white_box"])
        )
    return [sentence for sentence, raised in flags.items() if raised]


def columns(measure: StochasticRedFlags) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    titles = {
        "accuracy_frozen_noise": f"Frozen noise ({measure.attack.label})",
        "accuracy_same_budget": "As many gradients in one draw each",
        "accuracy_black_box": "SPSA, on fewer examples",
    }
    accuracies = (Column(name=n, measure=measure, title=t, unit="%") for n, t in titles.items())
    flags = Column(name="red_flags", measure=measure, title="Red flags of the noise", digits=0)
    return (*accuracies, flags)
