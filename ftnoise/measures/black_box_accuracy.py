"""Accuracy on the test set under examples made for another network: the attacker behind an API.

Source: the paper's threat model, section 3, whose attacker sees no weights; Papernot et al. (2017),
"Practical Black-Box Attacks against Machine Learning", for a surrogate that he trains himself and
attacks in place of the target.

Deviations
1. The surrogate has the target's architecture, data and schedule, which real attackers can only
   guess, and is trained on the true labels, not on the answers of the API: so he is stronger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftnoise.attacks.attack import Attack
from ftnoise.core.checks import expect
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement, Run
from ftnoise.core.preset import Preset, limited
from ftnoise.core.spec import JSON, Spec
from ftnoise.measures.robust_accuracy import check_attack, check_examples


@dataclass(frozen=True, kw_only=True)
class BlackBoxAccuracy(Measure):
    """Share of the test examples that are right without the attack and with what transfers.

    Scalars, in percent: `black_box_accuracy` with its Clopper-Pearson 95 % interval
    `black_box_accuracy_low`, `black_box_accuracy_high`; on the same examples `white_box_accuracy`
    (the same attack on the target itself), `unattacked_accuracy`, and
    `surrogate_accuracy`, that of the surrogate without an attack.

    Arrays, bits packed into bytes: `survives` and `right`, whether each example is right with and
    without what transfers. Info: `attack` and `surrogate` in words, `images`, how many there are,
    and `red_flags`: a sentence if what transfers does more than the attack on the target.

    Args:
        attack: made for the surrogate.
        surrogate: how the attacker trains his network (`Training()`); the rest of its run is the
            target's, with the next seed.
        examples: test examples, chosen once for all models; None for all.
    """

    attack: Attack
    surrogate: Spec
    examples: int | None = None

    def __post_init__(self) -> None:
        check_attack(self.attack)
        expect(
            isinstance(self.surrogate, Spec) and hasattr(self.surrogate, "train"),
            "surrogate to be a training, such as Training()",
            surrogate=self.surrogate,
        )
        check_examples(self.examples)

    def others(self, run: Run) -> tuple[Run, ...]:
        """The run of the surrogate, which shares no initial weights with the target."""
        return (replace(run, training=self.surrogate, seed=run.seed + 1),)

    def red_flags(self, info: dict[str, JSON]) -> list[str]:
        return info["red_flags"]

    def scaled(self, preset: Preset) -> BlackBoxAccuracy:
        """At most the preset's number of attacked examples."""
        return replace(self, examples=limited(self.examples, preset.attacked))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks the surrogate, then the target, and goes on where it was if interrupted."""
        import numpy as np

        from ftnoise.attacks.evaluation import Evaluation, chosen
        from ftnoise.measures.generalization import accuracy_and_loss

        (run,) = self.others(trained.run)
        which = chosen(len(trained.data.y_test), self.examples)
        x, y = trained.data.x_test[which], trained.data.y_test[which]
        surrogate = trained.others[run]
        evaluation = Evaluation(trained.checkpointing, 2 * len(y) * self.attack.gradients)

        transferred = evaluation.attacked(
            "transferred", self.attack, surrogate, x, y, judge=trained.network
        )
        white = evaluation.attacked("white_box", self.attack, trained.network, x, y)
        low, high = transferred.interval
        flags = []
        if transferred.does_more_than(white):
            flags.append(
                "An attack on another network does more than one on this network itself "
                f"({transferred.accuracy:.1f} % against {white.accuracy:.1f} % stay right)."
            )
        return Measurement(
            scalars={
                "black_box_accuracy": transferred.accuracy,
                "black_box_accuracy_low": low,
                "black_box_accuracy_high": high,
                "white_box_accuracy": white.accuracy,
                "unattacked_accuracy": transferred.clean_accuracy,
                "surrogate_accuracy": accuracy_and_loss(surrogate, x, y)[0],
            },
            arrays={
                "survives": np.packbits(transferred.survives),
                "right": np.packbits(transferred.clean),
            },
            info={
                "attack": self.attack.label,
                "surrogate": run.slug,
                "images": len(y),
                "red_flags": flags,
            },
        )


def columns(measure: BlackBoxAccuracy) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    attack = measure.attack.label
    named = (
        ("black_box_accuracy", f"Accuracy under transferred attack ({attack})"),
        ("black_box_accuracy_low", "Low end of its 95 % interval"),
        ("black_box_accuracy_high", "High end of its 95 % interval"),
        ("white_box_accuracy", "Accuracy under the same attack on the model itself"),
        ("surrogate_accuracy", "Accuracy of the attacked surrogate without an attack"),
    )
    return tuple(Column(name=name, measure=measure, title=title, unit="%") for name, title in named)
