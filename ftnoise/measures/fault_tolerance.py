"""How accuracy falls with the share of a network that is faulty.

Source: sections 2.1 and 4.5 and figure 3 of the paper, whose faults are parameters stuck at 0;
`ftnoise/faults` for what each word means, `ftnoise/stats` for the intervals.

All intervals are over masks, on the one network and the test images at hand. Two networks of one
architecture get the same masks, and the masks at a low rate are part of those at a higher one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Levels, Pairs, Series
from ftnoise.core.interfaces import Figure, Measure, MeasureInput, Measurement
from ftnoise.core.preset import Preset, limited
from ftnoise.faults.amounts import Share
from ftnoise.faults.effects import Effect, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.places import Parameters, Where

if TYPE_CHECKING:
    from ftnoise.faults.findings import Findings
    from ftnoise.faults.gates import Gates

# Close to 0 too, where a network loses its first points.
RATES = (0.0, 0.01, 0.02, 0.05, *(tenth / 10 for tenth in range(1, 10)))
DROP = (0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class FaultTolerance(Measure):
    """Testing accuracy under faults at rising rates, from `masks` random masks at each.

    Scalars, accuracies in percent, drops in points, rates in percent of the places:
    `golden_accuracy` (without faults); `accuracy_at_50` and `accuracy_at_90` (means over masks);
    `drop_from_50_to_90` (of the means); `silent_corruptions_at_50` (images that are right without
    faults and wrong with them, in percent of the former; the rate of silent data corruption);
    `area_under_curve` (mean accuracy from no faults to the highest rate); `rate_1_point_lost`,
    `rate_5_points_lost` and `rate_50_points_lost` (where the mean accuracy has fallen so far;
    missing if it never does); `largest_rate_surely_under_1_point_lost` and
    `largest_rate_surely_under_5_points_lost` (the largest tested rate whose drop is under so much
    with 95 % confidence, whatever the distribution; 0 if none is); `unclear_rates` (how many rates
    with faults have an interval wider than their drop: more masks would tell); `exceptions` (images
    on which rounding makes the campaign and the usual loop disagree, see `faults/gates.py`). What
    needs a rate that is not tested is missing.

    Arrays, along the rates: `rates` (percent), `accuracy` with Student's interval `low`, `high` and
    a distribution-free one `free_low`, `free_high`, `silent_corruptions` (percent),
    `distance_mean`, `distance_max` (Definition 1 of the paper: Euclidean distance of the outputs to
    those without faults, over images and masks), `not_finite` (images with outputs that are not
    finite, on average) and `faults` (places that are hit). Along rates and masks: `accuracies`.
    Along rates and classes: `class_accuracy`. `drops` `[1, masks]` is the drop from 50 to 90 %
    under each mask, paired over nested masks, and `drop_to` `[1]` is 90. `correct` `[rates, masks,
    images / 8]` and `golden` `[images / 8]` are the bits themselves, packed. Info: `gates`, what
    was checked, and `images`, how many there are.

    Args:
        where: which places are hit.
        what: what becomes of them.
        rates: rising shares of the places, in [0, 1], exact and without replacement.
        masks: random masks for each rate, >= 2.
        seed: >= 0; draws the masks, and has nothing to do with that of the training.
    """

    where: Where = field(default_factory=Parameters)
    what: Effect = field(default_factory=StuckAt)
    rates: tuple[float, ...] = RATES
    masks: int = 100
    seed: int = 0

    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        expect(
            isinstance(self.rates, tuple)
            and len(self.rates) > 0
            and all(is_number(rate) and 0 <= rate <= 1 for rate in self.rates)
            and all(low < high for low, high in pairwise(self.rates))
            and self.rates[-1] > 0,
            "rates to be shares in [0, 1] that rise, the last above 0",
            rates=self.rates,
        )
        expect(is_count(self.masks, least=2), "masks >= 2", masks=self.masks)
        expect(is_count(self.seed, least=0), "seed an integer >= 0", seed=self.seed)
        _ = self.fault  # checks where and what

    @property
    def fault(self) -> Fault:
        """The fault, at the highest rate."""
        return Fault(where=self.where, what=self.what, amount=Share(rate=self.rates[-1]))

    def scaled(self, preset: Preset) -> FaultTolerance:
        """At most the preset's number of trials."""
        return replace(self, masks=limited(self.masks, preset.trials) or self.masks)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Runs the campaign, which goes on where it was if it is interrupted."""
        from ftnoise.faults.campaign import Campaign, digest
        from ftnoise.faults.gates import gates, untouched
        from ftnoise.faults.sweep import sweep

        before = digest(trained.network)
        data = trained.data
        campaign = Campaign(trained.network, data.x_test, data.y_test, self.fault, seed=self.seed)
        amounts = [Share(rate=rate) for rate in self.rates]
        seen = gates(campaign, amounts[len(amounts) // 2])
        found = sweep(campaign, amounts, masks=self.masks, checkpointing=trained.checkpointing)
        untouched(trained.network, before)
        return answer(self.rates, found, seen)


def answer(rates: tuple[float, ...], found: Findings, seen: Gates) -> Measurement:
    """Scalars and arrays of a campaign with the same number of masks at each of these shares."""
    import numpy as np

    from ftnoise.stats.bounded import bounded_interval
    from ftnoise.stats.curves import SURE, Curve, is_unclear, summaries, surely
    from ftnoise.stats.interval import student_interval

    places = range(len(rates))
    accuracies = np.stack([found.accuracies(place) for place in places])
    curve = Curve(
        rates=[100 * rate for rate in rates],
        accuracies=accuracies,
        golden=found.golden_accuracy,
        percent=True,
    )
    students = [student_interval(row) for row in accuracies]
    free = [bounded_interval(row, high=100.0) for row in accuracies]
    silent = np.array([found.silent_corruptions(place).mean() for place in places])
    scalars: dict[str, float | None] = {
        "golden_accuracy": curve.golden,
        **summaries(curve),
        "unclear_rates": float(
            sum(
                rate > 0 and is_unclear(student, sure, curve.golden)
                for rate, student, sure in zip(rates, students, free, strict=True)
            )
        ),
        "exceptions": float(seen.exceptions),
    }
    for name in map(surely, SURE):
        scalars[name] = scalars[name] or 0.0
    for rate in DROP:
        if rate in rates:
            scalars[f"accuracy_at_{100 * rate:.0f}"] = float(accuracies[rates.index(rate)].mean())
    if DROP[0] in rates:
        scalars["silent_corruptions_at_50"] = float(silent[rates.index(DROP[0])])
    drops = {}
    if set(DROP) <= set(rates):
        first, second = (accuracies[rates.index(rate)] for rate in DROP)
        scalars["drop_from_50_to_90"] = float((first - second).mean())
        drops = {"drop_to": np.array([100 * DROP[1]]), "drops": (first - second)[None]}

    def mean(name: str) -> Any:
        return np.array([row.mean() for row in found.numbers[name]])

    return Measurement(
        scalars={name: value for name, value in scalars.items() if value is not None},
        arrays={
            "rates": np.array(curve.rates),
            "accuracy": accuracies.mean(axis=1),
            "low": np.array([interval.low for interval in students]),
            "high": np.array([interval.high for interval in students]),
            "free_low": np.array([interval.low for interval in free]),
            "free_high": np.array([interval.high for interval in free]),
            "silent_corruptions": silent,
            "distance_mean": np.array([found.distance(place)[0] for place in places]),
            "distance_max": np.array([found.distance(place)[1] for place in places]),
            "not_finite": mean("not_finite"),
            "faults": mean("faults"),
            "accuracies": accuracies,
            "class_accuracy": np.stack([found.class_accuracies(p).mean(axis=0) for p in places]),
            "correct": np.stack(found.packed),
            "golden": np.packbits(found.golden),
            **drops,
        },
        info={"gates": str(seen), "images": len(found.y)},
    )


def columns(measure: FaultTolerance) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    from ftnoise.stats.curves import surely

    named = (
        ("golden_accuracy", "Testing accuracy without faults", "%"),
        ("accuracy_at_50", "Testing accuracy with 50 % faults", "%"),
        ("accuracy_at_90", "Testing accuracy with 90 % faults", "%"),
        ("drop_from_50_to_90", "Drop from 50 to 90 % faults", "points"),
        ("area_under_curve", "Mean accuracy over all rates", "%"),
        ("rate_1_point_lost", "Rate at which 1 point is lost", "%"),
        ("rate_5_points_lost", "Rate at which 5 points are lost", "%"),
        ("rate_50_points_lost", "Rate at which 50 points are lost", "%"),
        (surely(1), "Largest rate with a drop surely under 1 point", "%"),
        (surely(5), "Largest rate with a drop surely under 5 points", "%"),
        ("silent_corruptions_at_50", "Silent corruptions with 50 % faults", "%"),
        ("unclear_rates", "Rates with an interval wider than their drop", ""),
        ("exceptions", "Images on which the usual loop says otherwise", ""),
    )
    counts = ("unclear_rates", "exceptions")
    return tuple(
        Column(
            name=name, measure=measure, title=title, unit=unit, digits=0 if name in counts else 2
        )
        for name, title, unit in named
    )


def figures(measure: FaultTolerance, compared: tuple[str, ...] = ()) -> tuple[Figure, ...]:
    """What is shown beside a table of this measure; `compared` are rows, all if it is empty."""
    hit = f"{measure.where.label} {measure.what.label}"
    x: dict[str, Any] = {
        "measure": measure,
        "x": "rates",
        "x_title": f"Share of {hit}",
        "x_unit": "%",
    }
    return (
        Series(
            name="curve",
            title=f"Testing accuracy against the share of {hit}",
            y="accuracy",
            y_title="Testing accuracy",
            y_unit="%",
            low="low",
            high="high",
            band="95 % t interval over masks, at each share by itself",
            values="accuracies",
            draws="masks",
            table=(
                "free_low",
                "free_high",
                "silent_corruptions",
                "distance_mean",
                "distance_max",
                "not_finite",
                "faults",
            ),
            **x,
        ),
        Pairs(
            name="pairs",
            title="Testing accuracy compared on the same masks",
            values="accuracies",
            value_title="Testing accuracy",
            value_unit="points",
            rows=compared,
            draws="masks",
            **x,
        ),
        Pairs(
            name="drops",
            title="Drop from 50 to 90 % faults, alone and compared on the same masks",
            values="drops",
            value_title="Drop in testing accuracy",
            value_unit="points",
            rows=compared,
            draws="masks",
            alone=True,
            **x | {"x": "drop_to"},
        ),
        Levels(
            name="levels",
            title="Where the uncertainty comes from",
            at=50.0,
            bits="correct",
            images="images",
            draws="masks",
            **x,
        ),
    )
