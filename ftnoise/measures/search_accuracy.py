"""Accuracy on the nearest wrong examples of a search, in draws that the search has not seen.

Source: Khan et al. (2019), "Non-Determinism in Neural Networks for Adversarial Robustness", Table
1, and the authors' code. It is no accuracy under attack: a search ends at the first pass that errs,
so the score of a network that draws is about its accuracy close to the example. The adaptive
numbers are those of `RobustAccuracy` with an attack over draws and of `StochasticRedFlags`.

Deviations
1. The score is the mean over several draws, not that of one.
2. The authors' code counts the examples that the search succeeded on; the others count too here,
   without a perturbation. Both are reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.attacks.evaluation import Evaluation, chosen
from ftnoise.attacks.search import Search
from ftnoise.core.checks import boolean, count, instance
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.spec import spec_id

QUANTILES = (10, 50, 90)


@dataclass(frozen=True, kw_only=True)
class SearchAccuracy(Measure):
    """How often fresh draws get right what a search found.

    Scalars, in percent: `search_accuracy` over all examples; `search_accuracy_found` over those
    that the search succeeded on; `search_success`, their share, with those that its first pass got
    wrong; and `unsearched_accuracy`, without a search. `distance_10`, `distance_50` and
    `distance_90` are quantiles of the distance where it succeeded, in the norm of the search
    (`l_inf` or `l_2`, in units of inputs in [0, 1]). Where it never did, they and
    `search_accuracy_found` are missing.

    Arrays, one number for each example: `found` (0 or 1), `distance`, and `right`, the share of
    draws. Info: `search`, its label; `examples`, their number.

    Args:
        search: the search; all models get the same seeds.
        examples: number of test examples, drawn once for all models; None for all.
        draws: over which the score is averaged, at least 1.
        mean_network: the search sees the network at the mean of its draws, and fresh draws score.
    """

    search: Search
    examples: int | None = None
    draws: int = 20
    mean_network: bool = False

    limits = (("examples", "attacked"), ("draws", "trials"))

    def __post_init__(self) -> None:
        instance(Search, "a search, such as DeepFool()", search=self.search)
        count(optional=True, examples=self.examples)
        count(draws=self.draws)
        boolean(mean_network=self.mean_network)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Searches from each example; resumes if interrupted."""
        from ftnoise.layers.drawing import Fixed

        which = chosen(len(trained.data.y_test), self.examples)
        x, y = trained.data.x_test[which], trained.data.y_test[which]
        network = Fixed(trained.network) if self.mean_network else trained.network
        evaluation = Evaluation(trained.checkpointing, spec_id(self))
        results = evaluation.searched(
            "search", self.search, network, x, y, trained.network, self.draws
        )
        found, distance, right = (results[name] for name in ("found", "distance", "right"))
        scalars = {
            "search_accuracy": 100 * float(right.mean()),
            "search_success": 100 * float(found.mean()),
            "unsearched_accuracy": 100 * float(results["clean"].mean()),
        }
        if found.any():
            scalars["search_accuracy_found"] = 100 * float(right[found].mean())
            near = np.quantile(distance[found], [share / 100 for share in QUANTILES])
            scalars |= {f"distance_{q}": float(d) for q, d in zip(QUANTILES, near, strict=True)}
        return Measurement(
            scalars=scalars,
            arrays={"found": found.astype(np.uint8), "distance": distance, "right": right},
            info={"search": self.search.label, "examples": len(y)},
        )


def columns(measure: SearchAccuracy, name: str) -> tuple[Column, ...]:
    """The columns of a table of this measure, named `NAME_accuracy` and so on."""
    label, norm = measure.search.label, measure.search.ball.label
    shown: Any = {"measure": measure}
    return (
        Column(
            name=f"{name}_accuracy", scalar="search_accuracy", title=f"Accuracy after {label}",
            unit="%", **shown,
        ),
        found(measure, name),
        Column(
            name=f"{name}_distance", scalar="distance_50", title=f"Median distance ({norm})",
            digits=3, **shown,
        ),
    )  # fmt: skip


def found(measure: SearchAccuracy, name: str) -> Column:
    """The column `NAME_accuracy_found`."""
    seen = " on the mean network" if measure.mean_network else ""
    # A label may end in a clause of its own.
    label = measure.search.label + ("," if "," in measure.search.label else "")
    return Column(
        name=f"{name}_accuracy_found",
        scalar="search_accuracy_found",
        measure=measure,
        title=f"Where {label} succeeded{seen}",
        unit="%",
    )
