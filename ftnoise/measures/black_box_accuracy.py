"""Accuracy on the test set under examples made for another network: the attacker behind an API.

Source: the paper's threat model, section 3, whose attacker sees no weights; Papernot et al. (2017),
"Practical Black-Box Attacks against Machine Learning", for attacking a surrogate that the attacker
trains in place of the target.

Deviations
1. The surrogate has the target's architecture, data and schedule, which real attackers can only
   guess, and is trained on the true labels, not on the outputs of the API: the attacker is
   stronger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ftnoise.core.checks import instance
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.interfaces import MeasureInput, Measurement, Procedure, Run
from ftnoise.core.lazy import np
from ftnoise.measures.generalization import accuracy_and_loss
from ftnoise.measures.robust_accuracy import UnderAttack


@dataclass(frozen=True, kw_only=True)
class BlackBoxAccuracy(UnderAttack):
    """Share of the test examples that are right without and with an attack on a surrogate.

    Scalars, in percent: `black_box_accuracy` with its Clopper-Pearson 95 % interval
    `black_box_accuracy_low`, `black_box_accuracy_high`; on the same examples `white_box_accuracy`
    (the same attack on the target itself), `unattacked_accuracy`, and
    `surrogate_accuracy`, that of the surrogate without an attack.

    Arrays, bits packed into bytes: `survives` and `right`, whether each example is right with and
    without the transferred attack. Info: `attack`, its label; `surrogate`, the slug of its run;
    `examples`, their number; and `red_flags`: a sentence if the transferred attack breaks more than
    the attack on the target.

    Args:
        attack, examples: the attack is made for the surrogate; see `UnderAttack`.
        surrogate: how the attacker trains the surrogate (`Training()`); the rest of its run is the
            target's, with the next seed.
    """

    surrogate: Procedure

    needs_run: ClassVar[bool] = True

    limits = (("examples", "attacked"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(Procedure, "a training, such as Training()", surrogate=self.surrogate)

    def others(self, run: Run) -> tuple[Run, ...]:
        """The run of the surrogate, which shares no initial weights with the target."""
        return (replace(run, training=self.surrogate, seed=run.seed + 1),)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks the surrogate, then the target; resumes if interrupted."""
        assert trained.run is not None
        (run,) = self.others(trained.run)
        evaluation, x, y = self.begun(trained)
        network, surrogate = trained.network, trained.others[run]
        moved = evaluation.attacked("transferred", self.attack, surrogate, x, y, judge=network)
        white = evaluation.attacked("white_box", self.attack, network, x, y)
        low, high = moved.interval
        flags = []
        if moved.does_more_than(white):
            flags.append(
                "An attack on another network does more than one on this network itself "
                f"({moved.accuracy:.1f} % against {white.accuracy:.1f} % stay right)."
            )
        return Measurement(
            scalars={
                "black_box_accuracy": moved.accuracy,
                "black_box_accuracy_low": low,
                "black_box_accuracy_high": high,
                "white_box_accuracy": white.accuracy,
                "unattacked_accuracy": moved.clean_accuracy,
                "surrogate_accuracy": accuracy_and_loss(surrogate, x, y)[0],
            },
            arrays={"survives": np.packbits(moved.survives), "right": np.packbits(moved.clean)},
            info={
                "attack": self.attack.label,
                "surrogate": run.slug,
                "examples": len(y),
                "red_flags": flags,
            },
        )


def columns(measure: BlackBoxAccuracy) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    titles = {
        "black_box_accuracy": f"Accuracy under transferred attack ({measure.attack.label})",
        "black_box_accuracy_low": "Low end of its 95 % interval",
        "black_box_accuracy_high": "High end of its 95 % interval",
        "white_box_accuracy": "Accuracy under the same attack on the model itself",
        "surrogate_accuracy": "Accuracy of the attacked surrogate without an attack",
    }
    return columns_of(measure, titles)
