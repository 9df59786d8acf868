"""The result of a fault campaign on one model, and the comparison of two under the same trials.

All numbers follow from the results of each trial; intervals are over trials, on the same examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput, one_line
from ftnoise.core.spec import JSON
from ftnoise.stats.bounded import SEQUENCE
from ftnoise.stats.comparing import holm, paired
from ftnoise.stats.interval import STUDENT
from ftnoise.user import statistics
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted, row_cells, standard_error, table

if TYPE_CHECKING:
    import numpy as np
    import pandas

    from ftnoise.faults.outcomes import Outcomes

METHODS = {
    STUDENT: f"{STUDENT}, for a number of trials that was fixed beforehand",
    SEQUENCE: f"{SEQUENCE}, valid at any stopping time (2 to 20 times as wide as Student's)",
}
LEGEND = (
    "Distribution-free: an interval that assumes only accuracies in 0 to 100 %. SDC rate: share of "
    "the examples classified correctly without faults that faults make wrong (silent data "
    "corruption). Deviation: Euclidean distance of the outputs to those without faults, mean over "
    "trials and examples."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class InjectionResult:
    """The accuracy of a model under faults; printing it gives a table.

    Attributes:
        model: name of the model.
        settings: of the campaign.
        sites: number of sites that can be hit.
        checks: how the campaign was compared with Keras on this model.
        weights: SHA-256 (hex) of the model's variables, the same before and after.
        outcomes: correctness of each trial and example, and what follows from it.
    """

    model: str
    settings: CampaignSettings
    sites: int
    checks: str
    weights: str
    outcomes: Outcomes

    @property
    def examples(self) -> int:
        """The number of examples."""
        return len(self.outcomes.y)

    @property
    def golden_accuracy(self) -> float:
        """Accuracy without faults, in percent."""
        return self.outcomes.golden_accuracy

    @property
    def accuracies(self) -> list[np.ndarray]:
        """The accuracy in each trial in percent, `[trials]` for each rate."""
        return statistics.accuracies(self.outcomes)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of `lines` as JSON, with None where there is no number."""
        return statistics.rows(self.outcomes, self.settings)

    @property
    def lines(self) -> pandas.DataFrame:
        """A line for each rate; accuracies, intervals and rates are in percent.

        Columns:
            rate: label, such as `50 %`; share: the rate as a number in [0, 1], NaN for a count.
            faults: sites that are hit, mean over trials.
            trials: their number.
            accuracy, sd: mean and sample standard deviation over trials.
            low, high: interval of the mean accuracy by `method`: Student's for a fixed number of
                trials, a confidence sequence for trials up to a half-width.
            free_low, free_high: distribution-free interval; the same for a confidence sequence.
            reached: whether the half-width was reached; None without one.
            sdc_rate: share of the examples classified correctly without faults that are wrong.
            output_deviation_mean, output_deviation_max: Euclidean distance of the outputs to those
                without faults, over the examples with finite outputs; NaN if there are none.
            not_finite: number of examples whose outputs are not finite, mean over trials.
            unclear: whether the interval is wider than the drop.
            trial_error, example_error: what the draw of trials, and that of examples, adds to the
                standard error of the accuracy over new draws of both, in points (see
                `stats/levels.py`); the intervals are over trials alone.
            enlarge: what reduces the standard error most, `trials` or `examples`.
            class_accuracies: a list with the accuracy of each class, None without examples.
        """
        import pandas

        return pandas.DataFrame(self.rows)

    @cached_property
    def summaries(self) -> dict[str, float | None]:
        """The curve in a few numbers in percent; empty unless the rates are shares of one kind.

        `area_under_curve`: mean accuracy from no faults to the last rate.
        `rate_..._lost`: rate at which the accuracy has dropped by that many points, or None.
        `largest_rate_surely_under_..._lost`: largest tested rate with a smaller drop, with
        `settings.confidence`, or None.
        """
        return statistics.summaries(self.outcomes, self.settings)

    @property
    def warnings(self) -> list[str]:
        """What a reader must not overlook, one sentence each."""
        found, half_width = [], self.settings.half_width
        if unclear := [row["rate"] for row in self.rows if row["unclear"]]:
            how = "" if half_width is None else " by a smaller half-width"
            where = ", ".join(unclear)
            found.append(f"The interval is wider than the drop at {where}: draw more trials{how}.")
        if missed := [row for row in self.rows if row["reached"] is False]:
            where = ", ".join(f"{row['rate']} ({row['trials']} trials)" for row in missed)
            width = counted(half_width or 0, "point")
            found.append(f"The half-width of {width} was not reached at {where}: use more trials.")
        if nothing := [row["rate"] for row in self.rows if row["share"] and row["faults"] == 0]:
            found.append(
                f"No site was hit at {', '.join(nothing)}, of {counted(self.sites, 'site')}: "
                "choose a higher rate."
            )
        return found

    def against(
        self, other: InjectionResult, names: tuple[str, str] | None = None
    ) -> InjectionComparison:
        """Compares this model with another under the same trials.

        Args:
            other: a result with the same fault, rates, seed, confidence, sites and labels.
            names: of the two models, for the text; None takes their own.

        Raises:
            BadInput: the settings or the examples differ.
        """
        alike = {
            **{
                name: (getattr(self.settings, name), getattr(other.settings, name))
                for name in ("fault", "rates", "seed", "confidence")
            },
            "number of sites": (self.sites, other.sites),
            "number of examples": (self.examples, other.examples),
        }
        for name, (mine, theirs) in alike.items():
            expect(mine == theirs, f"two results with the same {name}", first=mine, second=theirs)
        same = bool((self.outcomes.y == other.outcomes.y).all())
        expect(same, "two results with the same labels", same=same)
        return InjectionComparison(
            first=self, second=other, names=names or (self.model, other.model)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The results of each trial by name, for `from_json`; see `Outcomes.to_arrays`."""
        return {**self.outcomes.to_arrays(), "y": self.outcomes.y}

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "model": self.model,
            "settings": self.settings.to_json(),
            "sites": self.sites,
            "examples": self.examples,
            "golden_accuracy": self.golden_accuracy,
            "lines": self.rows,
            "summaries": self.summaries,
            "checks": self.checks,
            "weights": self.weights,
            "warnings": self.warnings,
        }

    @classmethod
    def from_json(cls, form: JSON, arrays: Mapping[str, np.ndarray]) -> InjectionResult:
        """The result of which `form` is `to_json()` and `arrays` is `arrays()`.

        Raises:
            BadInput: they are something else.
        """
        from ftnoise.faults.outcomes import Outcomes

        try:
            settings = CampaignSettings.from_json(form["settings"])
            outcomes = Outcomes.from_arrays(settings.rates, arrays["y"], arrays)
            given = {name: form[name] for name in ("model", "sites", "checks", "weights")}
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"Expected JSON and arrays of an InjectionResult. Received: {one_line(error)}."
            ) from error
        return cls(settings=settings, outcomes=outcomes, **given)

    def __str__(self) -> str:
        """The table, the summaries and the warnings, for a terminal."""
        settings, rows = self.settings, self.rows
        free = settings.precision is None
        head = [
            *("rate", "faults", "trials", "accuracy %", "sd", f"{_percent(settings)} interval"),
            *(["distribution-free"] if free else []),
            *("SDC rate %", "deviation"),
        ]
        golden = ["none", "0", "", f"{self.golden_accuracy:.2f}"]
        cells = [golden + [""] * (len(head) - len(golden))]
        cells += [row_cells(row, free) for row in rows]
        labels = {self._label(name): self._value(name) for name in self.summaries}
        width = max(map(len, labels), default=0)
        method = rows[0]["method"]
        lines = [
            f"{self.model}, {_what(self)}.",
            "",
            *table(head, cells),
            "",
            *(f"{label.ljust(width)}  {value}" for label, value in labels.items()),
            *[""] * bool(labels),
            f"Intervals of the mean over trials: {METHODS.get(method, method)}.",
            *standard_error(rows[-1]),
        ]
        if all(row["reached"] for row in rows):
            half_width = counted(settings.half_width or 0, "point")
            lines.append(f"The half-width of {half_width} was reached at every rate.")
        lines.append(LEGEND)
        if bad := [f"{r['not_finite']:,.1f} at {r['rate']}" for r in rows if r["not_finite"] > 0]:
            lines.append(
                f"Outputs that are not finite, of {counted(self.examples, 'example')}, mean over "
                f"trials (not part of the deviation): {', '.join(bad)}."
            )
        lines.append(f"Checked {self.checks}; the model is unchanged ({self.weights[:12]}).")
        return "\n".join([*lines, *(f"WARNING: {warning}" for warning in self.warnings)])

    def _label(self, name: str) -> str:
        """A summary's name for a reader."""
        if name == "area_under_curve":
            return f"Mean accuracy from no faults to {self.rows[-1]['rate']} (area under the curve)"
        (points,) = re.findall(r"\d+", name)
        drop = counted(int(points), "point")
        if name.startswith("rate_"):
            return f"Fault rate with a drop of {drop}"
        return f"Largest tested rate with a drop < {drop} ({_percent(self.settings)} confidence)"

    def _value(self, name: str) -> str:
        value = self.summaries[name]
        if name.startswith("largest"):
            return "none" if value is None else f"{value:g} %"
        if value is None:
            return f"not up to {self.rows[-1]['rate']}"
        lowest = min((100 * row["share"] for row in self.rows if row["share"]), default=0)
        below = name.startswith("rate_") and value < lowest
        return f"{value:.2f} %" + (", below the lowest tested" if below else "")


@dataclass(frozen=True, kw_only=True, eq=False)
class InjectionComparison:
    """Two models under the same trials; printing it gives a table.

    In one trial two accuracies rise and fall together, so their difference is known more precisely
    than either (`stats/comparing.py`).

    Attributes:
        first, second: the results.
        names: of the models.
    """

    first: InjectionResult
    second: InjectionResult
    names: tuple[str, str]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of `lines` as JSON."""
        pairs = [
            [row[: min(len(row), len(other))] for row in (row, other)]
            for row, other in zip(self.first.accuracies, self.second.accuracies, strict=True)
        ]
        found = [paired(one, two, self.first.settings.confidence) for one, two in pairs]
        adjusted = holm([comparison.p_value for comparison in found])
        return [
            {
                "rate": rate.label,
                "trials": comparison.count,
                "first": float(one.mean()),
                "second": float(two.mean()),
                "difference": comparison.difference,
                "low": comparison.low,
                "high": comparison.high,
                "p_value": comparison.p_value,
                "adjusted_p_value": p,
            }
            for rate, (one, two), comparison, p in zip(
                self.first.settings.rates, pairs, found, adjusted, strict=True
            )
        ]

    @property
    def lines(self) -> pandas.DataFrame:
        """A line for each rate, accuracies in percent and differences in points.

        Columns:
            rate: label; trials: number of trials that both have.
            first, second: mean accuracies in them.
            difference, low, high: mean of first minus second, and its interval.
            p_value: of no difference, two-sided, by the paired t test.
            adjusted_p_value: after Holm's correction for all rates.
        """
        import pandas

        return pandas.DataFrame(self.rows)

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "names": list(self.names),
            "settings": self.first.settings.to_json(),
            "golden_accuracies": [self.first.golden_accuracy, self.second.golden_accuracy],
            "lines": self.rows,
        }

    def __str__(self) -> str:
        """The table, for a terminal."""
        first, second = self.first.golden_accuracy, self.second.golden_accuracy
        interval = f"{_percent(self.first.settings)} interval"
        head = ["rate", "trials", "first %", "second %", "difference", interval, "p"]
        cells = [["none", "", f"{first:.2f}", f"{second:.2f}", f"{first - second:+.2f}", "", ""]]
        for row in self.rows:
            numbers = [f"{row[name]:.2f}" for name in ("first", "second")]
            bounds = f"{row['low']:+.2f} to {row['high']:+.2f}"
            p = row["adjusted_p_value"]
            cells.append(
                [
                    *(row["rate"], str(row["trials"]), *numbers, f"{row['difference']:+.2f}"),
                    *(bounds, "< 0.001" if p < 0.001 else f"{p:.3f}"),
                ]
            )
        lines = [
            f"{self.names[0]} (first) against {self.names[1]} (second), {_what(self.first)}.",
            "",
            *table(head, cells),
            "",
            "Difference: first minus second, in points, over the same trials; Student's interval "
            "over pairs for each rate alone. p: of no difference, paired t test after Holm's "
            f"correction for {counted(len(self.rows), 'rate')}.",
        ]
        if {self.first.settings.half_width, self.second.settings.half_width} != {None}:
            lines.append(
                "The t test assumes a number of trials fixed beforehand. These were drawn up to a "
                "half-width: take p as a hint, or use a fixed number of trials."
            )
        return "\n".join(lines)


def _percent(settings: CampaignSettings) -> str:
    return f"{100 * settings.confidence:g} %"


def _what(result: InjectionResult) -> str:
    return (
        f"{result.settings.fault.label}: {result.sites:,} sites, {result.examples:,} examples, "
        f"seed {result.settings.seed}"
    )
