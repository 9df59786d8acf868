"""How estimates of global robustness gather as the tolerated error falls.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", section 4.1 and figure 1:
for each tolerance, 50 estimates from as many examples as Hoeffding's bound takes, each drawn from
the test set.

Deviations
1. The paper searches the ball exhaustively. Here an example counts as robust where the verifier
   verifies it; where neither side decides, it does not count, and `undecided` is their number.
2. All examples of the test set are decided once, and the estimates draw from the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect, instance, is_number
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.stats.sampling import samples_needed


@dataclass(frozen=True, kw_only=True)
class RobustnessConvergence(Measure):
    """Estimates of R from samples of the sizes that tolerances take.

    Scalars: `robustness` of all examples, in percent; `undecided`, examples that are neither
    attacked nor verified; `within`, the share of all estimates within their tolerance of
    `robustness`, in percent. Arrays, along the tolerances: `tolerances` (points), `needed` (number
    of examples), `estimate` (mean of the estimates, percent), `low` and `high` (`robustness` minus
    and plus the tolerance, within 0 to 100), and `estimates` `[tolerances, estimates]`.

    Args:
        local: how one example is decided, with the verifier, at one radius; its tolerance does not
            count.
        tolerances: falling, in (0, 1); those that take more examples than there are are left out.
        estimates: for each tolerance, at least 2.
    """

    local: GlobalRobustness
    tolerances: tuple[float, ...] = (0.25, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02)
    estimates: int = 50

    limits = (("estimates", "trials"),)

    def __post_init__(self) -> None:
        instance(GlobalRobustness, "GlobalRobustness", local=self.local)
        one = self.local.verify is not None and len(self.local.radii) == 1
        expect(one, "the verifier and one radius", verify=self.local.verify, radii=self.local.radii)
        expect(
            isinstance(self.tolerances, tuple)
            and len(self.tolerances) > 0
            and all(is_number(one) and 0 < one < 1 for one in self.tolerances)
            and all(one > other for one, other in pairwise(self.tolerances)),
            "falling tolerances in (0, 1)",
            tolerances=self.tolerances,
        )
        count(least=2, estimates=self.estimates)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Decides all examples, then draws the estimates from them."""
        robust, undecided = self.local.decided(trained)
        size, truth = len(robust), 100 * float(robust.mean())
        confidence = self.local.confidence
        needed = {one: samples_needed(one, confidence) for one in self.tolerances}
        needed = {one: number for one, number in needed.items() if number <= size}
        expect(len(needed) > 0, f"a tolerance that takes at most {size} examples", needed=needed)
        tolerances, numbers = 100 * np.array(list(needed)), np.array(list(needed.values()))
        generator = np.random.default_rng(seeds.key(self.local.seed, "estimates of robustness"))
        estimates = 100 * np.array(
            [
                [
                    robust[generator.choice(size, number, replace=False)].mean()
                    for _ in range(self.estimates)
                ]
                for number in numbers
            ]
        )
        within = np.abs(estimates - truth) <= tolerances[:, None]
        return Measurement(
            scalars={
                "robustness": truth,
                "undecided": float(undecided.sum()),
                "within": 100 * float(within.mean()),
            },
            arrays={
                "tolerances": tolerances,
                "needed": numbers.astype(float),
                "estimate": estimates.mean(axis=1),
                "low": np.maximum(0.0, truth - tolerances),
                "high": np.minimum(100.0, truth + tolerances),
                "estimates": estimates,
            },
            info={"examples": size},
        )


def columns(measure: RobustnessConvergence) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    region = measure.local.attacks[0].at(measure.local.radii[0]).region
    titles = {
        "robustness": (f"R of the whole test set ({region})", "%", 2),
        "undecided": ("Undecided examples", "", 0),
        "within": ("Estimates within their tolerance", "%", 2),
    }
    return columns_of(measure, titles)


def picture(measure: RobustnessConvergence) -> Series:
    """The figure of the estimates against the tolerance."""
    return Series(
        name="estimates",
        title="Estimates of global robustness against the tolerance",
        measure=measure,
        x="tolerances",
        x_title="Tolerance",
        x_unit="points",
        y="estimate",
        y_title="Global robustness",
        y_unit="%",
        low="low",
        high="high",
        band="R of the whole test set minus and plus the tolerance",
        values="estimates",
        draws="estimates",
        table=("needed",),
    )
