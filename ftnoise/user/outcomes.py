"""Outcomes of faults in predictions that were logged elsewhere: beam tests, RTL, other injectors.

There is no model: everything follows from the outputs without faults and those of each trial.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect, is_number, listed
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import np, pandas
from ftnoise.core.spec import JSON, digest
from ftnoise.datasets.npz_file import opened
from ftnoise.faults.outcomes import OUTCOMES, Outcomes, TrialResults
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Count
from ftnoise.stats.comparing import holm, paired
from ftnoise.user.folder import Job, Result
from ftnoise.user.rate_result import RateResult
from ftnoise.user.result import LEGEND, OUTCOMES_TITLE
from ftnoise.user.settings import CONFIDENCE
from ftnoise.user.text import counted, table

if TYPE_CHECKING:
    from ftnoise.faults.decisions import Decisions

OF_LABELS = ("sdc_rate", "repaired_rate")
ROUNDING = 0.01  # of a sum of probabilities, as float16 has
COMPARED = {"accuracy": "accuracy", "sdc_1_rate": "SDC-1", "due_rate": "DUE"}
# Numbers of a `RateResult` that a log does not have.
UNKNOWN = ("share", "faults", "reached", "trials_values_not_finite", "unclear")


@dataclass(frozen=True, kw_only=True)
class OutcomeSettings:
    """How logged outputs are read.

    Attributes:
        probabilities: whether outputs are probabilities (True) or logits (False); None: they are
            probabilities if all fault-free ones are >= 0 and sum to 1, or are a single output in
            [0, 1]
        threshold: of a single output: above it, the prediction is class 1; by default 0.5 for a
            probability, and 0 for a logit
        confidence: of all intervals, in [1e-6, 0.999999]
    """

    probabilities: bool | None = None
    threshold: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        least, most = CONFIDENCE
        within = is_number(self.confidence) and least <= self.confidence <= most
        expect(within, f"confidence in [{least:g}, {most:g}]", confidence=self.confidence)
        known = self.threshold is None or is_number(self.threshold)
        expect(known, "threshold to be a number", threshold=self.threshold)

    @property
    def precision(self) -> Precision | None:
        """None: the number of trials is that of the log."""
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomesResult(Result):
    """The outcomes of logged faults; printing it gives a table.

    Attributes:
        settings: how outputs were read.
        kind: `probabilities` or `logits`.
        classes: number of outputs.
        labeled: whether there were labels; otherwise an example is right if it has the class of the
            fault-free run.
        outcomes: of each set of faulty runs, the results of each file in place of a rate.
        names: of those files.
    """

    settings: OutcomeSettings
    kind: str
    classes: int
    labeled: bool
    outcomes: tuple[Outcomes, ...]
    names: tuple[tuple[str, ...], ...]

    @cached_property
    def rows(self) -> list[list[RateResult]]:
        """The numbers of each file, set by set; `rate` is its name."""
        return [
            [
                replace(RateResult.of(outcomes, self.settings, n), rate=name)
                for n, name in enumerate(names)
            ]
            for outcomes, names in zip(self.outcomes, self.names, strict=True)
        ]

    @property
    def lines(self) -> list[dict[str, JSON]]:
        """A line for each file; `set` is 2 for those that the first set is compared with."""
        return [
            {
                ("file" if key == "rate" else key): value
                for key, value in ({"set": n} | row.to_json()).items()
                if key not in UNKNOWN
            }
            for n, rows in enumerate(self.rows, 1)
            for row in rows
        ]

    @cached_property
    def comparison(self) -> list[dict[str, Any]]:
        """First minus second set, in points, file by file over the same trials; paired t test."""
        found: list[dict[str, Any]] = []
        for n, name in enumerate(self.names[0] if len(self.outcomes) > 1 else ()):
            for measure in COMPARED:
                values = [
                    one.accuracies(n) if measure == "accuracy" else one.outcome_rates(n)[measure]
                    for one in self.outcomes
                ]
                test = paired(values[0], values[1], self.settings.confidence, 100.0)
                found.append(
                    {
                        "file": name,
                        "second_file": self.names[1][n],
                        "measure": measure,
                        "first": float(values[0].mean()),
                        "second": float(values[1].mean()),
                        **{key: getattr(test, key) for key in ("difference", "low", "high")},
                        "p_value": test.p_value,
                    }
                )
        adjusted = holm([one["p_value"] for one in found]) if found else []
        pairs = zip(found, adjusted, strict=True)
        return [one | {"adjusted_p_value": p_value} for one, p_value in pairs]

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "examples": len(self.outcomes[0].y),
            "classes": self.classes,
            "outputs": self.kind,
            "labels": self.labeled,
            "golden_accuracy": self.outcomes[0].golden_accuracy if self.labeled else None,
            "confidence": self.settings.confidence,
            "lines": self.lines,
            "comparison": self.comparison,
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results of each trial and example, set by set, and the labels."""
        arrays = {"y": self.outcomes[0].y}
        for n, outcomes in enumerate(self.outcomes, 1):
            arrays |= {f"{name}_{n}": array for name, array in outcomes.to_arrays().items()}
        return arrays

    @property
    def named_lines(self) -> pandas.DataFrame:
        """A line for each file."""
        return pandas.DataFrame(self.lines).drop(columns="class_accuracies")

    def figure(self) -> dict[str, bytes]:
        """No picture: files have no order."""
        return {}

    def __str__(self) -> str:
        """The tables, for a terminal."""
        golden, percent = self.outcomes[0], f"{100 * self.settings.confidence:g} %"
        accuracy = f"accuracy without faults {golden.golden_accuracy:.2f} %"
        if not self.labeled:
            accuracy = "no labels: accuracy is the share with the class of the fault-free run"
        rows = [row for part in self.rows for row in part]
        columns = ("accuracy %", "sd", f"{percent} interval", "distribution-free", "deviation")
        cells = [row.cells(free=True) for row in rows]
        lines = [
            f"{counted(len(golden.y), 'example')}, {counted(self.classes, 'output')} "
            f"({self.kind}), {accuracy}.",
            "",
            *table([["file", "trials", *columns], *([one[0], *one[2:]] for one in cells)]),
            "",
            OUTCOMES_TITLE,
            "",
            *table(
                [
                    ["file", *rows[0].outcome_titles[1:]],
                    *(line for row in rows for line in row.outcome_cells()),
                ]
            ),
            "",
            f"Intervals of the mean accuracy over trials: {rows[0].method}, within 0 to 100 %, for "
            "a number of trials that was fixed beforehand and trials that are independent.",
            *LEGEND,
        ]
        if not self.comparison:
            return "\n".join(lines)
        head = ["files", "", "first %", "second %", "difference", f"{percent} interval", "p"]
        compared = [
            [
                *(f"{row['file']}, {row['second_file']}", COMPARED[row["measure"]]),
                *(f"{row['first']:.2f}", f"{row['second']:.2f}", f"{row['difference']:+.2f}"),
                f"{row['low']:+.2f} to {row['high']:+.2f}",
                "< 0.001" if row["adjusted_p_value"] < 0.001 else f"{row['adjusted_p_value']:.3f}",
            ]
            for row in self.comparison
        ]
        return "\n".join(
            [
                *(*lines, "", *table([head, *compared]), ""),
                "Difference: first minus second, in points, over the same trials in their order; "
                "Student's interval over pairs for each line alone. p: of no difference, paired t "
                f"test after Holm's correction for {counted(len(compared), 'comparison')}.",
            ]
        )


def outcomes(
    golden: Path,
    faulty: Sequence[Path],
    against: Sequence[Path],
    labels: Path | None,
    settings: OutcomeSettings,
) -> Job[OutcomesResult]:
    """Reads logs, and computes the outcomes; the job for `folder.stored`, whose result is known.

    Args:
        golden: an `.npz` with the fault-free `outputs` `[n, classes]`, and labels `y` `[n]` if
            known.
        faulty: of each condition, an `.npz` with `outputs` `[trials, n, classes]`, of the same
            examples; at least two trials.
        against: as `faulty`, the same number of files with as many trials each, which are compared
            in their order; or none.
        labels: another `.npz` with `y`.
        settings: how they are read.

    Raises:
        BadInput: naming the file that is not readable or does not fit.
    """
    from ftnoise.faults.compatibility import labels_of

    clean = _array(golden, "outputs", 2)
    _expect(golden, bool(np.isfinite(clean).all()), "finite outputs without faults", clean)
    kind, clean = clean.dtype, clean.astype(np.float64)
    examples, classes = clean.shape
    decisions, y = _decisions(golden, clean, settings), None
    labeled = labels is not None or "y" in _names(golden)
    if labeled:
        y = labels_of(_array(labels or golden, "y", 1), examples)
        within = y.min() >= 0 and y.max() < max(2, classes)
        expect(bool(within), f"labels from 0 to {max(2, classes) - 1}", highest=int(y.max()))
    else:
        y = decisions.top(clean).numpy()
    found, names, content = [], [], hashlib.sha256(clean.tobytes() + y.tobytes())
    for paths in filter(None, (faulty, against)):
        results: list[TrialResults] = []
        for path in paths:
            logged = _array(path, "outputs", 3)
            fits = logged.shape[1:] == clean.shape and len(logged) > 1
            wanted = f"outputs [trials, {examples}, {classes}], at least 2 trials"
            _expect(path, fits, wanted, logged)
            _expect(path, logged.dtype == kind, f"the type of {golden.name}, {kind}", logged)
            content.update(logged.tobytes())
            trials = ((one.astype(np.float64), 1.0, False) for one in logged)
            results.append(decisions.results(clean, y, trials))
        arrays = [one.to_arrays() for one in results]
        if not labeled:
            for one in arrays:
                one["outcomes"][:, _columns()] = np.nan
        correct = decisions.right(clean, y).numpy()
        found.append(Outcomes([Count(faults=1)] * len(paths), correct, y, arrays))
        stems = [path.stem for path in paths]
        different = len({*stems}) == len(stems)
        names.append(tuple(stems if different else map(str, paths)))
    if against:
        sizes = [[one.trials(n) for n in range(len(one.rates))] for one in found]
        expect(sizes[0] == sizes[1], "as many files and trials against each other", trials=sizes)
    read_as = "probabilities" if decisions.probabilities else "logits"
    result = OutcomesResult(
        settings=settings,
        kind=read_as,
        classes=classes,
        labeled=labeled,
        outcomes=tuple(found),
        names=tuple(names),
    )
    content.update(repr((names, read_as, decisions.threshold, labeled)).encode())
    return Job(
        name="outcomes",
        model=golden.stem,
        identify=lambda: digest([content.hexdigest(), settings.confidence]),
        shape={"lines": list},
        run=lambda _: result,
        load=lambda *_: result,
    )


def _columns() -> list[int]:
    """The columns of `TrialResults.outcomes` that need labels."""
    return [list(OUTCOMES).index(name) for name in OF_LABELS]


def _decisions(golden: Path, clean: np.ndarray, settings: OutcomeSettings) -> Decisions:
    from ftnoise.faults.decisions import Decisions

    single = clean.shape[1] == 1
    within = bool(clean.min() >= 0 and clean.max() <= 1)
    within &= single or bool((abs(clean.sum(axis=1) - 1) <= ROUNDING).all())
    wrong = settings.probabilities is True and not within
    _expect(golden, not wrong, "probabilities, as was given", clean)
    threshold = settings.threshold
    fits = threshold is None or single
    expect(fits, "a threshold for a single output only", outputs=clean.shape[1])
    probabilities = within if settings.probabilities is None else settings.probabilities
    default = 0.5 if probabilities and single else 0.0
    return Decisions(default if threshold is None else threshold, probabilities)


def _names(path: Path) -> list[str]:
    with opened(path) as archive:
        return list(archive.files)


def _array(path: Path, name: str, axes: int) -> np.ndarray:
    """An array of numbers of a file."""
    with opened(path) as archive:
        has = name in archive.files
        expect(has, f"an array {name}", arrays=listed(sorted(archive.files)))
        array = archive[name]
        fits = array.ndim == axes and array.size > 0 and array.dtype.kind in "fiu"
        if not fits:
            raise BadInput(
                f"Expected {name} to be numbers with {axes} axes. Received: {array.dtype} of shape "
                f"{array.shape}."
            )
        return array


def _expect(path: Path, condition: bool, expected: str, array: np.ndarray) -> None:
    if not condition:
        raise BadInput(
            f"{path}: Expected {expected}. Received: {array.dtype} of shape {array.shape}, from "
            f"{array.min():g} to {array.max():g}."
        )
