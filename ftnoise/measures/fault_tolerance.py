"""Accuracy against the share of a network that is faulty.

Source: sections 2.1 and 4.5 and figure 3 of the paper, whose faults are parameters stuck at 0;
`ftnoise/faults` defines the terms, `ftnoise/stats` the intervals.

All intervals are over trials, on the one network and the test examples at hand. Two networks of one
architecture get the same trials, and the trials at a low rate are part of those at a higher one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core.checks import count, fraction, rising
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.figures import Levels, Pairs, Series
from ftnoise.core.interfaces import Figure, Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.faults.effects import Effect, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.outcomes import OUTCOMES, Outcomes
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Parameters, Where
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.curves import TOLERATED, Curve, is_unclear, summaries, tolerated_name
from ftnoise.stats.interval import student_interval

if TYPE_CHECKING:
    from ftnoise.faults.agreement import Agreement

# Close to 0 too, where a network loses its first points.
RATES = (0.0, 0.01, 0.02, 0.05, *(tenth / 10 for tenth in range(1, 10)))
DROP = (0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class FaultTolerance(Measure):
    """Testing accuracy under faults at rising rates, from `trials` random trials at each.

    Scalars, accuracies in percent, drops in points, rates in percent of the sites; those of a rate
    that is not tested are missing: `golden_accuracy` (without faults), `golden_spread` (its
    standard deviation over the draws of the trials, where the network draws), `accuracy_at_...` (at
    each rate, such as `accuracy_at_50`: means over trials), `drop_from_50_to_90` (of the means),
    `sdc_rate_at_50` (silent data corruption: examples that are right without faults and wrong with
    them, with finite outputs, in percent of the former); by `stats.curves.summaries`
    `area_under_curve`, `rate_1_point_lost`, `rate_5_points_lost`, `rate_50_points_lost`,
    `largest_rate_surely_under_1_point_lost` and `largest_rate_surely_under_5_points_lost` (0 if
    there is none; with a single rate above 0 these two alone); `float32_accuracy` (without faults,
    before parameters are stored in a format; missing if they are not); `unclear_rates` (number of
    rates with faults whose interval is wider than their drop: more trials would help); `exceptions`
    (examples on which rounding makes the campaign and Keras disagree without faults).

    Arrays, along the rates: `rates` (percent), `accuracy` with Student's interval `low`, `high` and
    a distribution-free one `free_low`, `free_high`; in percent of the examples, as
    `Outcomes.outcome_rates` defines them, `due_rate`, `sdc_1_rate`, `sdc_rate`, `sdc_5_rate`,
    `sdc_10_percent_rate`, `sdc_20_percent_rate`, `masked_rate` and `repaired_rate`, each with
    Student's interval `..._low`, `..._high`; `output_deviation_mean` and `output_deviation_max`
    (Definition 1 of the paper: Euclidean distance of the outputs to those without faults, over
    examples and trials); `trials_values_not_finite` and `trials_outputs_not_finite` (number of
    trials that put NaN or infinity into parameters or outputs of neurons, and of those with outputs
    of the network that are not finite); `faults` (number of sites that are hit), `accuracies`
    `[rates, trials]`, `class_accuracy` `[rates, classes]`. `drops` `[1, trials]` is the drop from
    50 to 90 % in each trial, paired over nested trials, and `drop_to` `[1]` is 90. `correct_at`
    `[1]` is 50, at which `correct` `[1, trials, examples / 8]` are the bits themselves, packed.
    Info: `checks`, how the campaign agrees with Keras, and `examples`, their number.

    Args:
        where: which sites are hit.
        what: the effect on them.
        rates: rising shares of the sites, in [0, 1], exact and without replacement.
        trials: random trials for each rate, >= 2.
        seed: >= 0; draws the trials, independent of the seed of the training.
    """

    where: Where = field(default_factory=Parameters)
    what: Effect = field(default_factory=StuckAt)
    rates: tuple[float, ...] = RATES
    trials: int = 100
    seed: int = 0

    revision: ClassVar[int] = 3
    limits = (("trials", "trials"),)

    def __post_init__(self) -> None:
        rising(rates=self.rates)
        fraction(zero=False, rates=self.rates[-1])
        count(least=2, trials=self.trials)
        count(least=0, seed=self.seed)
        _ = self.fault  # checks where and what

    @property
    def fault(self) -> Fault:
        """The fault, at the highest rate."""
        return Fault(where=self.where, what=self.what, rate=Share(rate=self.rates[-1]))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Runs the campaign, which resumes if it is interrupted."""
        from ftnoise.faults.agreement import agreement, float32_accuracy
        from ftnoise.faults.campaign import Campaign, unchanged
        from ftnoise.faults.sweep import sweep

        data = trained.data
        campaign = Campaign(trained.network, data.x_test, data.y_test, self.fault, seed=self.seed)
        rates = [Share(rate=rate) for rate in self.rates]
        with unchanged(trained.network):
            agreed = agreement(campaign)
            found = sweep(campaign, rates, trials=self.trials, checkpointing=trained.checkpointing)
        measured = summarized(self.rates, found, agreed)
        if self.where.stored is None:
            return measured
        exact = {"float32_accuracy": float32_accuracy(campaign)}
        return replace(measured, scalars={**measured.scalars, **exact})


def summarized(rates: tuple[float, ...], found: Outcomes, agreed: Agreement) -> Measurement:
    """Scalars and arrays of a campaign with the same number of trials at each of these shares."""
    at, percent = range(len(rates)), [100 * rate for rate in rates]
    accuracies = np.stack([found.accuracies(index) for index in at])
    students = [student_interval(row, low=0.0, high=100.0) for row in accuracies]
    free = [bounded_interval(row, high=100.0) for row in accuracies]
    rates_of = [found.outcome_rates(index) for index in at]
    outcomes = {name: np.stack([row[name] for row in rates_of]) for name in OUTCOMES}
    not_finite = np.array([found.trials_not_finite(index) for index in at])
    deviations = np.array([found.output_deviation(index) for index in at])
    golden = found.golden_accuracy
    curve = Curve(rates=percent, accuracies=accuracies, golden=golden)
    scalars: dict[str, float | None] = {"golden_accuracy": golden, **summaries(curve)}
    for name in map(tolerated_name, TOLERATED):
        scalars[name] = scalars[name] or 0.0
    unclear = [
        rate > 0 and is_unclear(student, sure, golden)
        for rate, student, sure in zip(rates, students, free, strict=True)
    ]
    if np.ptp(found.golden_right):
        spread = 100 / len(found.y) * float(found.golden_right.std(ddof=1))
        scalars["golden_spread"] = spread
    scalars |= {"unclear_rates": float(sum(unclear)), "exceptions": float(agreed.exceptions)}
    arrays = {
        "rates": np.array(percent),
        "accuracy": accuracies.mean(axis=1),
        "low": np.array([interval.low for interval in students]),
        "high": np.array([interval.high for interval in students]),
        "free_low": np.array([interval.low for interval in free]),
        "free_high": np.array([interval.high for interval in free]),
        "output_deviation_mean": deviations[:, 0],
        "output_deviation_max": deviations[:, 1],
        "trials_values_not_finite": not_finite[:, 0],
        "trials_outputs_not_finite": not_finite[:, 1],
        "faults": np.array([one["faults"].mean() for one in found.results]),
        "accuracies": accuracies,
        "class_accuracy": np.stack([found.class_accuracies(index).mean(axis=0) for index in at]),
    }
    for name, values in outcomes.items():
        arrays[name] = values.mean(axis=1)
        # An outcome that is not defined has no interval.
        defined = np.isfinite(values).all()
        ends = [student_interval(row, low=0.0, high=100.0) for row in values] if defined else []
        arrays[f"{name}_low"] = np.array([end.low for end in ends] or arrays[name])
        arrays[f"{name}_high"] = np.array([end.high for end in ends] or arrays[name])
    for rate, values in zip(rates, accuracies, strict=True):
        scalars[f"accuracy_at_{100 * rate:g}"] = float(values.mean())
    tested = {rate: rates.index(rate) for rate in DROP if rate in rates}
    if DROP[0] in tested:
        arrays["correct_at"] = np.array([100 * DROP[0]])
        arrays["correct"] = found.results[tested[DROP[0]]]["correct"][None]
        scalars["sdc_rate_at_50"] = float(arrays["sdc_rate"][tested[DROP[0]]])
    if len(tested) == len(DROP):
        drops = accuracies[tested[DROP[0]]] - accuracies[tested[DROP[1]]]
        scalars["drop_from_50_to_90"] = float(drops.mean())
        arrays |= {"drop_to": np.array([100 * DROP[1]]), "drops": drops[None]}
    return Measurement(
        scalars={name: value for name, value in scalars.items() if value is not None},
        arrays=arrays,
        info={"checks": str(agreed), "examples": len(found.y)},
    )


def columns(measure: FaultTolerance) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    titles: dict[str, str | tuple[str, str, int]] = {
        "golden_accuracy": "Testing accuracy without faults",
        "accuracy_at_50": "Testing accuracy with 50 % faults",
        "accuracy_at_90": "Testing accuracy with 90 % faults",
        "drop_from_50_to_90": ("Drop from 50 to 90 % faults", "points", 2),
        "area_under_curve": "Mean accuracy over all rates",
        "rate_1_point_lost": "Rate at which 1 point is lost",
        "rate_5_points_lost": "Rate at which 5 points are lost",
        "rate_50_points_lost": "Rate at which 50 points are lost",
        tolerated_name(1): "Largest rate with a drop < 1 point (95 % confidence)",
        tolerated_name(5): "Largest rate with a drop < 5 points (95 % confidence)",
        "sdc_rate_at_50": "SDC rate with 50 % faults",
        "unclear_rates": ("Rates with an interval wider than their drop", "", 0),
        "exceptions": ("Examples on which Keras disagrees without faults", "", 0),
    }
    return columns_of(measure, titles)


def figures(
    measure: FaultTolerance, compared: tuple[str, ...] = (), baseline: str = ""
) -> tuple[Figure, ...]:
    """What is shown beside a table of this measure.

    `compared` are rows, all if it is empty; with a `baseline` each is compared with it alone.
    """
    hit = f"{measure.where.label} {measure.what.label}"
    x: Any = {"measure": measure, "x": "rates", "x_title": f"Share of {hit}", "x_unit": "%"}
    pairs: Any = {"value_unit": "points", "rows": compared, "baseline": baseline}
    pairs["draws"] = "trials"
    return (
        Series(
            name="curve",
            title=f"Testing accuracy against the share of {hit}",
            y="accuracy",
            y_title="Testing accuracy",
            y_unit="%",
            low="low",
            high="high",
            band="95 % t interval over trials, at each share by itself",
            values="accuracies",
            draws="trials",
            table=(
                "free_low",
                "free_high",
                *(f"{name}{end}" for name in OUTCOMES for end in ("", "_low", "_high")),
                "output_deviation_mean",
                "output_deviation_max",
                "trials_values_not_finite",
                "trials_outputs_not_finite",
                "faults",
            ),
            **x,
        ),
        Pairs(
            name="pairs",
            title="Testing accuracy compared on the same trials",
            values="accuracies",
            value_title="Testing accuracy",
            **pairs,
            **x,
        ),
        Pairs(
            name="drops",
            title="Drop from 50 to 90 % faults, alone and compared on the same trials",
            values="drops",
            value_title="Drop in testing accuracy",
            alone=True,
            **pairs | x | {"x": "drop_to"},
        ),
        Levels(
            name="levels",
            title="Where the uncertainty comes from",
            at=50.0,
            bits="correct",
            examples="examples",
            draws="trials",
            **x | {"x": "correct_at"},
        ),
    )
