"""What became of a user's model under faults: a value that prints itself and becomes a JSON."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.faults.fault import Fault
from ftnoise.spec import JSON, canonical


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of the model at one amount of faults; accuracies in percent.

    Attributes:
        amount: such as `50 %`.
        faults: places that are hit, on average over masks.
        masks: how many were drawn.
        accuracy, spread: mean and sample standard deviation over masks.
        low, high: the interval of the mean, made as `method` says: Student's for a number of masks
            that was fixed, a confidence sequence where masks were drawn until it was narrow enough.
        free_low, free_high: a distribution-free interval; the same one for a sequence.
        silent_corruptions: images that are right without faults and wrong with them, in percent of
            the former.
        distance_mean, distance_max: Euclidean distance of the outputs to those without faults, over
            masks and images; None where outputs are not finite.
        not_finite: images with outputs that are not finite, on average over masks.
        class_accuracies: for each class, None for one without images.
        unclear: whether the interval is wider than the drop.
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
        lines: one for each amount, rising.
        summaries: the curve in a few numbers (see `stats/curves.py`); rates in percent.
        gates: what was checked on this model before.
        digest: SHA-256 of the model's variables, the same before and after.
        reached: for each amount, whether the half-width that was asked for was; None if none was.
    """

    model: str
    fault: Fault
    places: int
    images: int
    seed: int
    confidence: float
    golden_accuracy: float
    lines: tuple[Line, ...]
    summaries: dict[str, float | None]
    gates: str
    digest: str
    reached: tuple[bool, ...] | None = None

    @property
    def warnings(self) -> list[str]:
        """What a reader must not overlook, a sentence each."""
        found = []
        if unclear := [line.amount for line in self.lines if line.unclear]:
            found.append(
                f"The interval is wider than the drop at {', '.join(unclear)}: draw more masks."
            )
        if self.reached and not all(self.reached):
            names = [
                line.amount
                for line, enough in zip(self.lines, self.reached, strict=True)
                if not enough
            ]
            found.append(f"The half-width was not reached at {', '.join(names)}.")
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
            "lines": [
                vars(line) | {"class_accuracies": list(line.class_accuracies)}
                for line in self.lines
            ],
            "summaries": self.summaries,
            "gates": self.gates,
            "digest": self.digest,
            "reached": None if self.reached is None else list(self.reached),
            "warnings": self.warnings,
        }

    def __str__(self) -> str:
        """The table, the summaries and the warnings, for a terminal."""
        head = ("faults", "places", "masks", "accuracy %", "sd", "interval", "silent %", "distance")
        rows: list[tuple[str, ...]] = [
            head,
            ("none", "0", "", f"{self.golden_accuracy:.2f}", "", "", "", ""),
        ]
        rows += [_row(line) for line in self.lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
        method = self.lines[0].method
        found = [
            f"{self.model}: {self.places:,} places, {self.images:,} examples, seed {self.seed}.",
            "",
            table[0],
            "-" * max(map(len, table)),
            *table[1:],
            "",
            f"Intervals of the mean over masks: {method}, {100 * self.confidence:g} %.",
            *(f"{_sentence(name)}: {_percent(value)}." for name, value in self.summaries.items()),
            f"Checked: {self.gates}; the model is unchanged ({self.digest[:12]}).",
            *(f"WARNING: {warning}" for warning in self.warnings),
        ]
        return "\n".join(found)


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.amount,
        f"{line.faults:,.0f}" if line.faults >= 10 else f"{line.faults:g}",
        str(line.masks),
        f"{line.accuracy:.2f}",
        "" if line.spread is None else f"{line.spread:.2f}",
        f"{line.low:.2f} to {line.high:.2f}",
        f"{line.silent_corruptions:.2f}",
        "infinite" if line.distance_mean is None else f"{line.distance_mean:.3g}",
    )


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _percent(value: float | None) -> str:
    return "none within the rates" if value is None else f"{value:.2f} %"
