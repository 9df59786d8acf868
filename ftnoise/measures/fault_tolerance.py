"""How accuracy falls with the share of a network that is faulty.

Source: sections 2.1 and 4.5 and figure 3 of the paper, whose faults are parameters stuck at 0;
`ftnoise/faults` for what each word means, `ftnoise/stats` for the intervals.

All intervals are over masks, on the one network and the test images at hand. Two networks of one
architecture get the same masks, and the masks at a low rate are part of those at a higher one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ftnoise.faults.amounts import Share
from ftnoise.faults.effects import Effect, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.places import Parameters, Where
from ftnoise.pictures import Levels, Pairs, Picture, Series
from ftnoise.spec import Column, Spec, expect, is_count, is_number
from ftnoise.workspace import Answer, Subject

if TYPE_CHECKING:
    from ftnoise.faults.findings import Findings
    from ftnoise.faults.gates import Gates

TENTHS = tuple(tenth / 10 for tenth in range(10))
FALLS = (1, 5, 50)
TOLERATED = (1, 5)
DROP = (0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class FaultTolerance(Spec):
    """Testing accuracy under faults at rising rates, from `masks` random masks at each.

    Scalars, accuracies in percent, drops in points, rates in percent of the places:
    `golden_accuracy` (without faults); `accuracy_at_50` and `accuracy_at_90` (means over masks);
    `drop_from_50_to_90` (of the means, paired over nested masks) with the ends of its interval
    `drop_from_50_to_90_low` and `drop_from_50_to_90_high`; `silent_corruptions_at_50` (images that
    are right without faults and wrong with them, in percent of the former);
    `area_under_curve` (mean accuracy from no faults to the highest rate); `rate_of_1_point`,
    `rate_of_5_points` and `rate_of_50_points` (where the mean accuracy has fallen so far; missing
    if it never does); `tolerated_rate_1_point` and `tolerated_rate_5_points` (the largest tested
    rate whose drop is under so much with 95 % confidence; 0 if none is); `unclear_rates` (how many
    rates have an interval wider than their drop: more masks would tell); `exceptions` (images on
    which rounding makes the campaign and the usual loop disagree, see `faults/gates.py`).
    What needs a rate that is not tested is missing.

    Arrays, along the rates: `rates` (percent), `accuracy` with Student's interval `low`, `high` and
    a distribution-free one `free_low`, `free_high`, `silent_corruptions` (percent),
    `distance_mean`, `distance_max` (Definition 1 of the paper: Euclidean distance of the outputs to
    those without faults, over images and masks; infinite where an output is), `not_finite` (images
    with outputs that are not finite, on average) and `faults` (places that are hit). Along rates
    and masks: `accuracies`. Along rates and classes: `class_accuracy`. `correct` `[rates, masks,
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
    rates: tuple[float, ...] = TENTHS
    masks: int = 100
    seed: int = 0

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

    @property
    def passes(self) -> int:
        """Passes over the test set that it takes, the checks included."""
        return len(self.rates) * self.masks + 10

    def with_masks(self, masks: int) -> FaultTolerance:
        """The same from at most so many masks."""
        return replace(self, masks=min(self.masks, masks))

    def evaluate(self, subject: Subject) -> Answer:
        """Runs the campaign, which goes on where it was if it is interrupted."""
        from ftnoise.faults.campaign import Campaign, digest
        from ftnoise.faults.gates import gates, untouched
        from ftnoise.faults.sweep import sweep

        before = digest(subject.network)
        data = subject.data
        campaign = Campaign(subject.network, data.x_test, data.y_test, self.fault, seed=self.seed)
        amounts = [Share(rate=rate) for rate in self.rates]
        seen = gates(campaign, amounts[len(amounts) // 2])
        found = sweep(campaign, amounts, masks=self.masks, workspace=subject.workspace)
        untouched(subject.network, before)
        return answer(self.rates, found, seen)


def answer(rates: tuple[float, ...], found: Findings, seen: Gates) -> Answer:
    """Scalars and arrays of a campaign with the same number of masks at each of these shares."""
    import numpy as np

    from ftnoise.stats.bounded import bounded_interval
    from ftnoise.stats.curves import Curve
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
        "area_under_curve": curve.area().mean,
        "unclear_rates": float(
            sum(2 * s.half_width > abs(curve.golden - (s.mean or 0.0)) > 0 for s in students)
        ),
        "exceptions": float(seen.exceptions),
    }
    for rate in DROP:
        if rate in rates:
            scalars[f"accuracy_at_{100 * rate:.0f}"] = float(accuracies[rates.index(rate)].mean())
    if DROP[0] in rates:
        scalars["silent_corruptions_at_50"] = float(silent[rates.index(DROP[0])])
    if set(DROP) <= set(rates):
        drop = curve.drop(*(100 * rate for rate in DROP))
        scalars |= {
            "drop_from_50_to_90": drop.difference,
            "drop_from_50_to_90_low": drop.low,
            "drop_from_50_to_90_high": drop.high,
        }
    for points in FALLS:
        scalars[f"rate_of_{_points(points)}"] = curve.rate_at_drop(points)
    for points in TOLERATED:
        tolerated = curve.tolerated_rate(points)
        scalars[f"tolerated_rate_{_points(points)}"] = tolerated or 0.0

    def mean(name: str) -> Any:
        return np.array([row.mean() for row in found.numbers[name]])

    return Answer(
        scalars={name: value for name, value in scalars.items() if value is not None},
        arrays={
            "rates": np.array(curve.rates),
            "accuracy": accuracies.mean(axis=1),
            "low": np.array([interval.low for interval in students]),
            "high": np.array([interval.high for interval in students]),
            "free_low": np.array([interval.low for interval in free]),
            "free_high": np.array([interval.high for interval in free]),
            "silent_corruptions": silent,
            "distance_mean": mean("distance_mean"),
            "distance_max": np.array([row.max() for row in found.numbers["distance_max"]]),
            "not_finite": mean("not_finite"),
            "faults": mean("faults"),
            "accuracies": accuracies,
            "class_accuracy": np.stack([found.class_accuracies(p).mean(axis=0) for p in places]),
            "correct": np.stack(found.packed),
            "golden": np.packbits(found.golden),
        },
        info={"gates": str(seen), "images": len(found.y)},
    )


def _points(points: int) -> str:
    return "1_point" if points == 1 else f"{points}_points"


def columns(measure: FaultTolerance) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    named = (
        ("golden_accuracy", "Testing accuracy without faults", "%"),
        ("accuracy_at_50", "Testing accuracy with 50 % faults", "%"),
        ("accuracy_at_90", "Testing accuracy with 90 % faults", "%"),
        ("drop_from_50_to_90", "Drop from 50 to 90 % faults", "points"),
        ("drop_from_50_to_90_low", "Drop, low end of its 95 % interval over masks", "points"),
        ("drop_from_50_to_90_high", "Drop, high end of its 95 % interval over masks", "points"),
        ("area_under_curve", "Mean accuracy over all rates", "%"),
        ("rate_of_1_point", "Rate at which 1 point is lost", "%"),
        ("rate_of_5_points", "Rate at which 5 points are lost", "%"),
        ("rate_of_50_points", "Rate at which 50 points are lost", "%"),
        ("tolerated_rate_5_points", "Largest rate with a drop surely under 5 points", "%"),
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


def pictures(measure: FaultTolerance, compared: tuple[str, ...] = ()) -> tuple[Picture, ...]:
    """What is shown beside a table of this measure; `compared` are rows, all if it is empty."""
    x: dict[str, Any] = {
        "measure": measure,
        "x": "rates",
        "x_title": "Share of faulty places",
        "x_unit": "%",
    }
    return (
        Series(
            name="curve",
            title="Testing accuracy against the share of faulty places",
            y="accuracy",
            y_title="Testing accuracy",
            y_unit="%",
            low="low",
            high="high",
            band="95 % interval over masks",
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
