"""Accuracy under attack against the radius of the attack.

Source: Carlini et al. (2019), "On Evaluating Adversarial Robustness", for showing the whole curve:
it has to fall, to 0 in the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, rising
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.measures.robust_accuracy import UnderAttack


@dataclass(frozen=True, kw_only=True)
class RobustCurve(UnderAttack):
    """The accuracy under an attack at several radii, on the same examples from the same starts.

    Scalars, in percent: `accuracy_1`, `accuracy_2`, `accuracy_3`, `accuracy_4` and so on, at the
    first radius, the second one, ...
    Arrays, along the radii: `radii`, `accuracy` with its Clopper-Pearson 95 % interval
    `accuracy_low`, `accuracy_high`; where draws vote, `single_pass_accuracy`, too. Info: `attack`,
    its label at the first radius; `examples`, their number.

    Args:
        attack, examples: the radius of the attack does not count; see `UnderAttack`.
        radii: at least one, rising, >= 0.
        votes: number of draws of the network whose vote is the prediction, at least 1.
    """

    radii: tuple[float, ...]
    examples: int | None = 1000
    votes: int = 1

    limits = (("examples", "attacked"), ("votes", "trials"))

    def __post_init__(self) -> None:
        super().__post_init__()
        rising(radii=self.radii)
        count(votes=self.votes)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Attacks at one radius after the other; resumes if interrupted."""
        evaluation, x, y = self.begun(trained)
        attacks = [self.attack.at(radius) for radius in self.radii]
        found = [
            evaluation.attacked(f"at_{n}", attack, trained.network, x, y, votes=self.votes)
            for n, attack in enumerate(attacks)
        ]
        accuracies = [one.accuracy for one in found]
        low, high = np.transpose([one.interval for one in found])
        arrays = {
            "radii": np.array(self.radii),
            "accuracy": np.array(accuracies),
            "accuracy_low": low,
            "accuracy_high": high,
        }
        if self.votes > 1:
            single = [one.single_pass_accuracy for one in found]
            arrays["single_pass_accuracy"] = np.array(single, float)
        return Measurement(
            scalars={f"accuracy_{n}": one for n, one in enumerate(accuracies, 1)},
            arrays=arrays,
            info={"attack": attacks[0].label, "examples": len(y)},
        )


def columns(measure: RobustCurve, name: str) -> tuple[Column, ...]:
    """A column `NAME_1`, `NAME_2`, ... for each radius."""
    return tuple(
        Column(
            name=f"{name}_{n}",
            scalar=f"accuracy_{n}",
            measure=measure,
            title=f"Accuracy under attack ({measure.attack.at(radius).label})",
            unit="%",
        )
        for n, radius in enumerate(measure.radii, 1)
    )


def picture(measure: RobustCurve) -> Series:
    """The figure of the accuracy against the radius."""
    return Series(
        name="radius",
        title=f"Accuracy under {measure.attack.name} against the radius",
        measure=measure,
        x="radii",
        x_title="Radius of the attack",
        y="accuracy",
        y_title="Accuracy under attack",
        y_unit="%",
        low="accuracy_low",
        high="accuracy_high",
        band="95 % interval over examples",
        table=("single_pass_accuracy",) if measure.votes > 1 else (),
    )
