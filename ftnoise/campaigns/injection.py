"""What became of a user's model under faults: a value that prints itself and becomes a JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ftnoise.campaigns.comparing import Against, compared
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import JSON, canonical
from ftnoise.faults.amounts import Amount
from ftnoise.faults.fault import Fault, restored
from ftnoise.stats.bounded import SEQUENCE
from ftnoise.stats.interval import STUDENT

if TYPE_CHECKING:
    import numpy as np

    from ftnoise.faults.findings import Findings

# What a reader has to know of an interval, by its method.
METHODS = {
    STUDENT: f"{STUDENT}, for a number of masks that was fixed beforehand",
    SEQUENCE: f"{SEQUENCE}, which holds whenever one stops (and is 2 to 20 times as wide as "
    "Student's)",
}
FREE = "for any law"
LEGEND = (
    "For any law: an interval that supposes of the accuracies only that they lie in 0 to 100. "
    "Places: the fault sites. Silent %: of the examples that are right without faults, those that "
    "faults make wrong (the SDC rate). Distance: of the outputs to those without faults, mean over "
    "masks and examples."
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of the model at one amount of faults; accuracies in percent.

    Attributes:
        amount: such as `50 %`.
        share: as a number in [0, 1]; None where the amount is a number of faults.
        faults: places that are hit, on average over masks.
        masks: how many were drawn.
        accuracy, spread: mean and sample standard deviation over masks.
        low, high: the interval of the mean, made as `method` says: Student's for a number of masks
            that was fixed, a confidence sequence where masks were drawn until it was narrow enough.
        free_low, free_high: a distribution-free interval; the same one for a sequence.
        silent_corruptions: images that are right without faults and wrong with them, in percent of
            the former.
        distance_mean, distance_max: Euclidean distance of the outputs to those without faults, over
            masks and the images whose outputs are finite; None where a mask leaves none finite.
        not_finite: images with outputs that are not finite, on average over masks.
        class_accuracies: for each class, None for one without images.
        unclear: whether the interval is wider than the drop.
        mask_error, example_error: what the choice of masks, and that of examples, adds to the
            standard error of the accuracy over new ones of both (see `stats/levels.py`), in points;
            None with a single mask or example. The intervals are over masks alone.
        enlarge: of which more would help most, "masks" or "examples"; None where nothing varies.
    """

    amount: str
    share: float | None
    faults: float
    masks: int
    accuracy: float
    spread: float | None
    low: float
    high: float
    free_low: float
    free_high: float
    method: str
    silent_corruptions: float
    distance_mean: float | None
    distance_max: float | None
    not_finite: float
    class_accuracies: tuple[float | None, ...]
    unclear: bool
    mask_error: float | None
    example_error: float | None
    enlarge: str | None


@dataclass(frozen=True, kw_only=True)
class Injection:
    """The answer about a model.

    Attributes:
        model: its name.
        fault: what was injected, at its highest amount.
        places: how many places there are.
        images: how many examples.
        seed: of the masks.
        confidence: of all intervals, in (0, 1).
        golden_accuracy: without faults, in percent.
        amounts: how many places were hit, rising.
        lines: one for each amount.
        summaries: the curve in a few numbers (see `stats/curves.py`), all in percent:
            `area_under_curve`, a mean accuracy; `rate_..._lost`, the share of faults that costs so
            many points; `largest_rate_surely_under_..._lost`, the largest tested share that costs
            less, with `confidence`. None where no share does; empty without a curve of shares.
        gates: what was checked on this model before.
        digest: SHA-256 of the model's variables, the same before and after.
        half_width: that was asked for, in points; None if the number of masks was.
        reached: for each amount, whether its half-width was; None if none was asked for.
        findings: what became of each mask and example; None if only the JSON was read. It is in
            injection.npz, in arrays that the JSON names.
    """

    model: str
    fault: Fault
    places: int
    images: int
    seed: int
    confidence: float
    golden_accuracy: float
    amounts: tuple[Amount, ...]
    lines: tuple[Line, ...]
    summaries: dict[str, float | None]
    gates: str
    digest: str
    half_width: float | None = None
    reached: tuple[bool, ...] | None = None
    findings: Findings | None = field(default=None, compare=False, repr=False)

    @property
    def accuracies(self) -> list[np.ndarray]:
        """Of each mask in percent, `[masks]` for each amount.

        Raises:
            BadInput: only the JSON was read.
        """
        if self.findings is None:
            raise BadInput("Expected an answer with its masks. Received: the JSON alone.")
        return [self.findings.accuracies(place) for place in range(len(self.amounts))]

    def against(self, other: Injection, names: tuple[str, str] | None = None) -> Against:
        """How this model compares with another one under the same masks; see `compared`.

        Args:
            other: the answer to the same question about another model.
            names: what the two are called; None takes the models' names.
        """
        return compared(self, other, names)

    def arrays(self) -> dict[str, np.ndarray]:
        """What became of each mask, by name: `Findings.to_arrays` and the labels `y`."""
        return {} if self.findings is None else {**self.findings.to_arrays(), "y": self.findings.y}

    @property
    def warnings(self) -> list[str]:
        """What a reader must not overlook, a sentence each."""
        found = []
        if unclear := [line.amount for line in self.lines if line.unclear]:
            how = "" if self.half_width is None else ", by a smaller half-width"
            where = ", ".join(unclear)
            found.append(f"The interval is wider than the drop at {where}: draw more masks{how}.")
        if self.half_width is not None and self.reached and not all(self.reached):
            missed = [
                f"{line.amount} ({counted(line.masks, 'mask')})"
                for line, enough in zip(self.lines, self.reached, strict=True)
                if not enough
            ]
            found.append(
                f"The half-width of {counted(self.half_width, 'point')} was not reached at "
                f"{', '.join(missed)}: allow more masks."
            )
        if nothing := [line.amount for line in self.lines if line.share and line.faults == 0]:
            found.append(
                f"No place was hit at {', '.join(nothing)}, of {counted(self.places, 'place')}: "
                "ask for more faults."
            )
        return found

    def to_json(self) -> JSON:
        """All of it, for other programs."""
        return {
            "model": self.model,
            "fault": canonical(self.fault, everything=True),
            "places": self.places,
            "images": self.images,
            "seed": self.seed,
            "confidence": self.confidence,
            "golden_accuracy": self.golden_accuracy,
            "amounts": [canonical(amount, everything=True) for amount in self.amounts],
            "lines": [
                vars(line) | {"class_accuracies": list(line.class_accuracies)}
                for line in self.lines
            ],
            "summaries": self.summaries,
            "gates": self.gates,
            "digest": self.digest,
            "half_width": self.half_width,
            "reached": None if self.reached is None else list(self.reached),
            "warnings": self.warnings,
        }

    @classmethod
    def from_json(cls, form: JSON, arrays: Mapping[str, np.ndarray] | None = None) -> Injection:
        """The answer that `to_json` wrote; other keys are left alone.

        Args:
            form: the JSON.
            arrays: what `arrays` gave, if it is at hand.

        Raises:
            BadInput: it is something else.
        """
        try:
            named = [one.name for one in fields(cls) if one.name != "findings"]
            given: dict[str, Any] = {name: form[name] for name in named}
            lines = tuple(
                Line(**line | {"class_accuracies": tuple(line["class_accuracies"])})
                for line in given["lines"]
            )
            reached = None if given["reached"] is None else tuple(given["reached"])
            amounts = tuple(map(restored, given["amounts"]))
            changed = {
                "lines": lines,
                "fault": restored(given["fault"]),
                "amounts": amounts,
                "reached": reached,
            }
            if arrays:
                from ftnoise.faults.findings import Findings

                changed["findings"] = Findings.from_arrays(amounts, arrays["y"], arrays)
            return cls(**given | changed)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"Expected the JSON of an Injection. Received: no {error}.") from error

    def __str__(self) -> str:
        """The table, the summaries and the warnings, for a terminal."""
        sure = f"{100 * self.confidence:g} %"
        head = ("faults", "places", "masks", "accuracy %", "sd", f"{sure} interval")
        rows: list[tuple[str, ...]] = [
            (*head, FREE, "silent %", "distance"),
            ("none", "0", "", f"{self.golden_accuracy:.2f}", *[""] * 5),
        ]
        rows += [_row(line) for line in self.lines]
        if all((line.low, line.high) == (line.free_low, line.free_high) for line in self.lines):
            # A sequence supposes no distribution itself.
            rows = [(*row[:6], *row[7:]) for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
        method = self.lines[0].method
        said = {self._label(name): self._value(name) for name in self.summaries}
        width = max(map(len, said), default=0)
        found = [
            f"{self.model}, {self.fault.label}: {self.places:,} places, {self.images:,} examples, "
            f"seed {self.seed}.",
            "",
            table[0],
            "-" * max(map(len, table)),
            *table[1:],
            "",
            *(f"{label.ljust(width)}  {value}" for label, value in said.items()),
            *[""] * bool(said),
            f"Intervals of the mean over masks: {METHODS.get(method, method)}.",
            *_sources(self.lines[-1]),
        ]
        if self.half_width is not None and self.reached and all(self.reached):
            half_width = counted(self.half_width, "point")
            found.append(f"The half-width of {half_width} was reached at every amount.")
        found += [
            LEGEND,
            *_not_finite(self.lines, self.images),
            f"Checked: {self.gates}; the model is unchanged ({self.digest[:12]}).",
            *(f"WARNING: {warning}" for warning in self.warnings),
        ]
        return "\n".join(found)

    def _label(self, name: str) -> str:
        """What a summary is, for a reader."""
        if name == "area_under_curve":
            return f"Mean accuracy from no faults to {self.lines[-1].amount} (area under the curve)"
        (points,) = re.findall(r"\d+", name)
        lost = counted(int(points), "point")
        if name.startswith("rate_"):
            return f"Share of faulty places at which {lost} of accuracy {_are(points)} lost"
        sure = f"{100 * self.confidence:g} %"
        return f"Largest tested share that costs less than {lost}, with {sure} confidence"

    def _value(self, name: str) -> str:
        value = self.summaries[name]
        if name.startswith("largest"):
            return "none of them" if value is None else f"{value:g} %"
        if value is None:
            return f"not up to {self.lines[-1].amount}"
        tested = [100 * line.share for line in self.lines if line.share]
        below = name.startswith("rate_") and value < min(tested, default=0)
        return f"{value:.2f} %" + (", below the lowest tested" if below else "")


def _sources(line: Line) -> list[str]:
    """Where the uncertainty at an amount comes from, a sentence if that is known."""
    if line.mask_error is None or line.example_error is None:
        return []
    more = f"; more {line.enlarge} would help most" if line.enlarge else ""
    return [
        f"Standard error at {line.amount}: {line.mask_error:.2f} points of the masks, "
        f"{line.example_error:.2f} of the examples, which no interval here counts{more}."
    ]


def _not_finite(lines: Sequence[Line], images: int) -> list[str]:
    """Where outputs are not finite, a sentence if they are anywhere."""
    found = [f"{line.not_finite:,.1f} at {line.amount}" for line in lines if line.not_finite > 0]
    if not found:
        return []
    return [
        f"Outputs that are not finite, which no distance counts, of {counted(images, 'example')} "
        f"on average over masks: {', '.join(found)}."
    ]


def counted(number: float, noun: str) -> str:
    """`1 point`, `0.5 points`, `10,000 masks`."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{digits} {noun}{'' if number == 1 else 's'}"


def _are(number: str) -> str:
    return "is" if number == "1" else "are"


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.amount,
        f"{line.faults:,.0f}" if line.faults >= 10 else f"{line.faults:g}",
        str(line.masks),
        f"{line.accuracy:.2f}",
        "" if line.spread is None else f"{line.spread:.2f}",
        f"{line.low:.2f} to {line.high:.2f}",
        f"{line.free_low:.2f} to {line.free_high:.2f}",
        f"{line.silent_corruptions:.2f}",
        "not finite" if line.distance_mean is None else f"{line.distance_mean:.3g}",
    )
