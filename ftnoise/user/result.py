"""The result of a fault campaign on one model, and the comparison of two under the same trials.

All numbers follow from the results of each trial; intervals are over trials, on the same examples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ftnoise.core.checks import expect
from ftnoise.core.lazy import np, pandas
from ftnoise.core.spec import JSON
from ftnoise.faults.outcomes import Outcomes
from ftnoise.report.figures.arrays import fault_curve
from ftnoise.stats import curves
from ftnoise.stats.comparing import holm, paired
from ftnoise.user.folder import Result
from ftnoise.user.plausibility import guessing
from ftnoise.user.rate_result import RateResult
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted, table

MBIT = 2**20  # bits
OUTCOMES_TITLE = (
    "Outcomes of faults on the examples, in % (second line: distribution-free interval over "
    "trials):"
)
LEGEND = (
    "Distribution-free: an interval that assumes only accuracies in 0 to 100 %. Deviation: "
    "Euclidean distance of the outputs to those without faults, mean over trials and examples.",
    "Outcomes: DUE (detected unrecoverable error): outputs that are not all finite. Silent data "
    "corruption, with finite outputs: SDC-1, another class is ranked first than without faults; "
    "SDC-5, a class that was not among the first five; SDC-10%, SDC-20%, the confidence of the "
    "class ranked first (of each run) changes by more than this share. Masked: identical outputs. "
    "Of all examples; right to wrong: of those right without faults; repaired (wrong to right): of "
    "those wrong without faults.",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class InjectionResult(Result):
    """The accuracy of a model under faults; printing it gives a table.

    Attributes:
        model: name of the model.
        settings: of the campaign.
        sites: number of sites that can be hit.
        checks: how the campaign was compared with Keras on this model.
        weights: SHA-256 (hex) of the model's variables, the same before and after.
        outcomes: correctness of each trial and example, and what follows from it.
        float32_accuracy: without faults, in percent, before parameters are stored in a format; the
            same as `golden_accuracy` if they are not.
        protected: share of the parameters whose faults are corrected.
    """

    model: str
    settings: CampaignSettings
    sites: int
    checks: str
    weights: str
    outcomes: Outcomes
    float32_accuracy: float
    protected: float = 0.0

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
        return [self.outcomes.accuracies(index) for index in range(len(self.settings.rates))]

    @cached_property
    def rows(self) -> list[RateResult]:
        """The numbers at each rate."""
        indices = range(len(self.settings.rates))
        return [RateResult.of(self.outcomes, self.settings, index) for index in indices]

    @property
    def lines(self) -> pandas.DataFrame:
        """A line for each rate; the columns are the numbers of `RateResult.to_json`."""
        return pandas.DataFrame([row.to_json() for row in self.rows])

    @cached_property
    def summaries(self) -> dict[str, float | None]:
        """The curve in a few numbers in percent; empty unless the rates are shares of one kind.

        `area_under_curve`: mean accuracy from no faults to the last rate.
        `rate_..._lost`: rate at which the accuracy has dropped by that many points, or None.
        `largest_rate_surely_under_..._lost`: largest tested rate with a smaller drop, with
        `settings.confidence`, or None; with a single rate above 0 there is nothing else.
        """
        sizes = [rate.size or ("count", 0) for rate in self.settings.rates]
        units = {unit for unit, _ in sizes}
        if len(units) > 1 or "count" in units or sizes[-1][1] == 0:
            return {}
        drawn, lows = self.accuracies, None
        if self.settings.precision:
            # Bounds that are valid at any stopping time, and means of unequal numbers of trials.
            lows = [row.low for row in self.rows]
            drawn = [np.full(2, accuracies.mean()) for accuracies in drawn]
        curve = curves.Curve(
            rates=[100 * size for _, size in sizes],
            accuracies=np.stack(drawn),
            golden=self.golden_accuracy,
        )
        return curves.summaries(curve, self.settings.confidence, lows)

    @property
    def warnings(self) -> list[str]:
        """Warnings for the reader, one sentence each."""
        found = guessing(self.outcomes.golden, self.outcomes.y)
        half_width = self.settings.half_width
        if unclear := [row for row in self.rows if row.unclear]:
            how = "" if half_width is None else " by a smaller half-width"
            where = ", ".join(row.rate for row in unclear)
            agree = any(row.ends != (row.low, row.high) for row in unclear)
            which = " (the distribution-free one where all trials agree)" if agree else ""
            found.append(
                f"The interval{which} is wider than the drop at {where}: draw more trials{how}."
            )
        if missed := [row for row in self.rows if row.reached is False]:
            where = ", ".join(f"{row.rate} ({row.trials} trials)" for row in missed)
            width = counted(half_width or 0, "point")
            found.append(f"The half-width of {width} was not reached at {where}: use more trials.")
        if nothing := [row.rate for row in self.rows if row.share and row.faults == 0]:
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
        for name in ("fault", "rates", "seed", "confidence"):
            mine, theirs = getattr(self.settings, name), getattr(other.settings, name)
            expect(mine == theirs, f"two results with the same {name}", first=mine, second=theirs)
        sites, examples = (self.sites, other.sites), (self.examples, other.examples)
        expect(sites[0] == sites[1], "two results with the same number of sites", sites=sites)
        same = self.outcomes.y.tolist() == other.outcomes.y.tolist()
        expect(same, "two results with the same labels", same=same, examples=examples)
        names = names or (self.model, other.model)
        return InjectionComparison(first=self, second=other, names=names)

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        own = ("model", "sites", "examples", "golden_accuracy", "float32_accuracy", "summaries")
        return {
            **{name: getattr(self, name) for name in (*own, "checks", "weights", "warnings")},
            "settings": self.settings.to_json(),
            "fit": None if self.fit is None else list(self.fit),
            "lines": [row.to_json() for row in self.rows],
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results of each trial and example, and the labels."""
        return {**self.outcomes.to_arrays(), "y": self.outcomes.y}

    @property
    def named_lines(self) -> pandas.DataFrame:
        """A line for each rate, with the model, the golden accuracy and the seed in front."""
        frame = self.lines.drop(columns="class_accuracies")
        frame.insert(0, "seed", self.settings.seed)
        frame.insert(0, "golden_accuracy", self.golden_accuracy)
        frame.insert(0, "model", self.model)
        return frame

    def figure(self) -> dict[str, bytes]:
        """Accuracy against the rate of faults, by suffix (`png`, `pdf`)."""
        rows = self.rows
        shares = [100 * row.share for row in rows if row.share is not None]
        are_shares = len(shares) == len(rows)
        return fault_curve(
            shares if are_shares else [row.faults for row in rows],
            [row.accuracy for row in rows],
            [row.low for row in rows],
            [row.high for row in rows],
            golden=self.golden_accuracy,
            x_title=f"{'Fault rate (%)' if are_shares else 'Faults'}: {self.settings.fault.label}",
            band=f"{_percent(self.settings)} interval of the mean over trials: {rows[0].method}",
        )

    def __str__(self) -> str:
        """The table, the summaries and the warnings, for a terminal."""
        settings, rows, free = self.settings, self.rows, self.settings.precision is None
        head = [
            *("rate", "faults", "trials", "accuracy %", "sd", f"{_percent(settings)} interval"),
            *(["distribution-free"] if free else []),
            "deviation",
        ]
        golden = ["none", "0", "", f"{self.golden_accuracy:.2f}", *[""] * (len(head) - 4)]
        lines = [
            f"{self.model}, {self.title}.",
            "",
            *table([head, golden, *(row.cells(free) for row in rows)]),
            "",
            OUTCOMES_TITLE,
            "",
            *table(
                [rows[0].outcome_titles, *(line for row in rows for line in row.outcome_cells())]
            ),
            "",
        ]
        if self.summaries:
            described = [self._described(*item) for item in self.summaries.items()]
            width = max(len(label) for label, _ in described)
            lines += [*(f"{label.ljust(width)}  {value}" for label, value in described), ""]
        if stored := settings.fault.where.stored:
            lines.append(
                f"Stored in {stored}, the model has {self.golden_accuracy:.2f} % without faults; "
                f"before, {self.float32_accuracy:.2f} %."
            )
        lines += self._safety()
        valid = "within 0 to 100 %, for a number of trials that was fixed beforehand"
        if not free:
            valid = "valid at any stopping time, and wider than Student's"
        lines.append(f"Intervals of the mean accuracy over trials: {rows[0].method}, {valid}.")
        if (last := rows[-1]).trial_error is not None:
            more = f"; more {last.enlarge} reduce it most" if last.enlarge else ""
            lines.append(
                f"Standard error at {last.rate}: {last.trial_error:.2f} points from the trials, "
                f"{last.example_error:.2f} from the examples (not part of the intervals){more}."
            )
        lines += LEGEND
        for what, name in (
            ("parameters or outputs of neurons", "trials_values_not_finite"),
            ("outputs of the model", "trials_outputs_not_finite"),
        ):
            counts = [(getattr(row, name), row) for row in rows]
            if bad := [f"{n} of {row.trials} at {row.rate}" for n, row in counts if n]:
                lines.append(f"Trials with NaN or infinity in {what}: {', '.join(bad)}.")
        lines.append(f"Checked {self.checks}; the model is unchanged ({self.weights[:12]}).")
        return "\n".join([*lines, *(f"WARNING: {warning}" for warning in self.warnings)])

    @property
    def fit(self) -> tuple[float, float, float] | None:
        """Failures in 1e9 hours by SDC-1, and their interval; None without `fit_per_mbit`.

        They are those of the outcome in `rows`, and as valid where trials stop at a half-width.
        """
        if (upsets := self.settings.fit_per_mbit) is None:
            return None
        factor, rate = upsets * self.sites / MBIT / 100, self.rows[0].outcomes["sdc_1_rate"]
        assert rate is not None
        return factor * rate.mean, factor * rate.low, factor * rate.high

    def _safety(self) -> list[str]:
        """The FIT, and that random flips are not the worst case."""
        lines = []
        if self.fit is not None:
            mean, low, high = self.fit
            ecc = "no ECC"
            if self.protected:
                ecc = f"no ECC but for the {100 * self.protected:g} % of parameters protected"
            lines.append(
                f"FIT: {mean:.4g} failures in 1e9 hours, {low:.4g} to {high:.4g} with "
                f"{_percent(self.settings)} confidence (distribution-free), of "
                f"{self.settings.fit_per_mbit:g} upsets in 1e9 hours and 2^20 bits. Assumes that "
                f"upsets hit each of {self.sites:,} bits alike and one at a time, with {ecc}, and "
                "stay until the parameters are loaded again; a failure is an input whose class "
                "changes (SDC-1), on inputs like these."
            )
        if self.settings.fault.of_bits:
            lines.append(
                "Random flips are not the worst case: --worst (ftnoise.worst_case) looks for it."
            )
        return lines

    @property
    def title(self) -> str:
        """The fault and the sizes of the campaign."""
        return (
            f"{self.settings.fault.label}: {self.sites:,} sites, {self.examples:,} examples, "
            f"seed {self.settings.seed}"
        )

    def _described(self, name: str, value: float | None) -> tuple[str, str]:
        """A label of one of the `summaries`, and its value."""
        last = self.rows[-1].rate
        if name == "area_under_curve":
            label = f"Mean accuracy from no faults to {last} (area under the curve)"
            return label, f"{value:.2f} %"
        drop = counted(int(re.sub(r"\D", "", name)), "point")
        if name.startswith("largest"):
            sure = f"{_percent(self.settings)} confidence"
            label = f"Largest tested rate with a drop < {drop} ({sure})"
            return label, "none" if value is None else f"{value:g} %"
        label = f"Fault rate with a drop of {drop}"
        if value is None:
            return label, f"not up to {last}"
        lowest = min(100 * row.share for row in self.rows if row.share)
        return label, f"{value:.2f} %" + (", below the lowest tested" if value < lowest else "")


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
    def lines(self) -> pandas.DataFrame:
        """A line for each rate, accuracies in percent and differences in points.

        Columns:
            rate: label; trials: number of trials that both have.
            first, second: mean accuracies in them.
            difference, low, high: mean of first minus second, and its interval.
            p_value: of no difference, two-sided, by the paired t test.
            adjusted_p_value: after Holm's correction for all rates.
        """
        rows = []
        both = zip(self.first.accuracies, self.second.accuracies, strict=True)
        for rate, pair in zip(self.first.settings.rates, both, strict=True):
            trials = min(map(len, pair))
            one, two = (accuracies[:trials] for accuracies in pair)
            found = paired(one, two, self.first.settings.confidence, 100.0)
            rows.append(
                {
                    "rate": rate.label,
                    "trials": trials,
                    "first": one.mean(),
                    "second": two.mean(),
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p_value": found.p_value,
                }
            )
        frame = pandas.DataFrame(rows)
        return frame.assign(adjusted_p_value=holm(frame["p_value"].to_numpy()))

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "names": list(self.names),
            "settings": self.first.settings.to_json(),
            "golden_accuracies": [self.first.golden_accuracy, self.second.golden_accuracy],
            "lines": self.lines.to_dict("records"),
        }

    def __str__(self) -> str:
        """The table, for a terminal."""
        first, second = self.first.golden_accuracy, self.second.golden_accuracy
        interval = f"{_percent(self.first.settings)} interval"
        cells = [
            ["rate", "trials", "first %", "second %", "difference", interval, "p"],
            ["none", "", f"{first:.2f}", f"{second:.2f}", f"{first - second:+.2f}", "", ""],
        ]
        for row in self.lines.itertuples():
            p = row.adjusted_p_value
            cells.append(
                [
                    *(row.rate, str(row.trials), f"{row.first:.2f}", f"{row.second:.2f}"),
                    *(f"{row.difference:+.2f}", f"{row.low:+.2f} to {row.high:+.2f}"),
                    "< 0.001" if p < 0.001 else f"{p:.3f}",
                ]
            )
        lines = [
            f"{self.names[0]} (first) against {self.names[1]} (second), {self.first.title}.",
            "",
            *table(cells),
            "",
            "Difference: first minus second, in points, over the same trials; Student's interval "
            "over pairs for each rate alone. p: of no difference, paired t test after Holm's "
            f"correction for {counted(len(self.lines), 'rate')}.",
        ]
        if {self.first.settings.half_width, self.second.settings.half_width} != {None}:
            lines.append(
                "The t test assumes a number of trials fixed beforehand. These were drawn up to a "
                "half-width: take p as a hint, or use a fixed number of trials."
            )
        return "\n".join(lines)


def _percent(settings: CampaignSettings) -> str:
    return f"{100 * settings.confidence:g} %"
