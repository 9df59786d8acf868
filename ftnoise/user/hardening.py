"""What hardening saves: clamped activations, or protected parameters, in the same trials.

Source of the costs of protection: triple modular redundancy keeps two more copies of each parameter
(Lyons & Vanderkulk, 1962); SECDED adds 8 bits to each word of 64 (Hsiao, 1970).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.files import write_bytes, write_text
from ftnoise.core.lazy import keras, pandas, tf
from ftnoise.faults.fault import Fault
from ftnoise.faults.where import Filters
from ftnoise.report.figures.arrays import named_curves
from ftnoise.user.result import InjectionResult
from ftnoise.user.text import csv, table

if TYPE_CHECKING:
    from pathlib import Path


FORM = "clamp, clamp=channel, zero, zero=channel, or protect=1%+5% (shares of the parameters)"
REPEATED = 7  # forward passes of each model, whose fastest counts
EXAMPLES = 1000  # of each
OPTIMISTIC = " The gain is measured on them too, so it is optimistic: --ranges names others."


@dataclass(frozen=True)
class Hardening:
    """A way to harden a model.

    Attributes:
        per, to: of `ftnoise.clamped`; empty for protection.
        shares: of the parameters that are protected, in (0, 1], rising; empty for clamping.
    """

    per: str = ""
    to: str = ""
    shares: tuple[float, ...] = ()

    @classmethod
    def of(cls, text: str, fault: Fault) -> Hardening:
        """The hardening of a text such as `clamp=channel` or `protect=1%+5%`; or `BadInput`."""
        if found := re.fullmatch(r"(clamp|zero)(=(layer|channel))?", text):
            return cls(found[3] or "layer", {"clamp": "bound", "zero": "zero"}[found[1]])
        name, _, shares = text.partition("=")
        try:
            given = tuple(
                float(one.removesuffix("%")) / (100 if one.endswith("%") else 1)
                for one in shares.split("+")
            )
        except ValueError:
            given = ()
        rising = all(low < high for low, high in pairwise(given))
        if name != "protect" or not given or not rising or not 0 < given[0] <= given[-1] <= 1:
            raise BadInput(f"Expected a hardening: {FORM}. Received: {text!r}.")
        stored = fault.where.stored
        expect(stored is not None, "a stored format, such as stored=int8, to protect", fault=stored)
        expect(not fault.transient, "a fault that is not transient, to protect", fault=fault.label)
        single = not isinstance(fault.where, Filters)
        expect(single, "faults of single parameters, not of filters, to protect", fault=fault.label)
        return cls(shares=given)

    def variants(self) -> Iterator[tuple[str, float]]:
        """A name for each hardened model, and the share of its parameters that is protected."""
        if self.shares:
            yield from ((f"{100 * share:g} % protected", share) for share in self.shares)
        else:
            what = "clamped" if self.to == "bound" else "zeroed outside their range"
            yield f"activations {what} per {self.per}", 0.0

    def model(self, network: keras.Model, x: Any, y: Any) -> keras.Model:
        """The hardened model; the same one if its parameters are protected instead."""
        from ftnoise.faults.compatibility import check_examples
        from ftnoise.faults.hardening import clamped

        if not self.shares:
            return clamped(network, x, per=self.per, to=self.to)
        check_examples(network, x, y)
        return network


@dataclass(frozen=True)
class ProtectionCurve:
    """Accuracy under faults against the share of parameters that is protected.

    The results are of one model in the same trials, with rising shares (`protected`) from 0.
    """

    results: Sequence[InjectionResult]

    def write(self, folder: Path) -> None:
        """Writes `protection.csv`, `.png` and `.pdf`."""
        write_text(folder / "protection.csv", self.to_csv())
        for suffix, picture in self.figure().items():
            write_bytes(folder / f"protection.{suffix}", picture)

    def to_csv(self) -> str:
        """The named lines of all results, with the share in front."""
        lines = {result.protected: result.named_lines for result in self.results}
        frame = pandas.concat(lines, names=["protected"]).reset_index(level=0)
        return csv(frame)

    def figure(self) -> dict[str, bytes]:
        """A line for each rate of faults, by suffix (`png`, `pdf`)."""
        by_rate = zip(*(result.rows for result in self.results), strict=True)
        curves = {
            rows[0].rate: [*zip(*((row.accuracy, *row.ends) for row in rows), strict=True)]
            for rows in by_rate
        }
        first = self.results[0]
        return named_curves(
            [100 * result.protected for result in self.results],
            curves,
            x_title=f"Protected parameters (%): {first.settings.fault.label}",
            y_title="Accuracy (%)",
            band=f"{100 * first.settings.confidence:g} % interval of the mean over trials",
        )

    def __str__(self) -> str:
        """The table, for a terminal."""
        first = self.results[0]
        cells = [["protected", "more copies (TMR)", *(row.rate for row in first.rows)]]
        for result in self.results:
            share = result.protected
            accuracies = (
                "{:.2f} [{:.2f}, {:.2f}]".format(row.accuracy, *row.ends) for row in result.rows
            )
            cells.append([f"{100 * share:g} %", f"+{200 * share:g} %", *accuracies])
        return "\n".join(
            [
                f"Accuracy in % against the share of protected parameters, {first.title}.",
                "",
                *table(cells),
                "",
                f"In brackets: the interval over trials, {first.rows[0].method}, or the "
                "distribution-free one where all trials agree. Triple modular redundancy (TMR) "
                "stores two more copies of a protected parameter; "
                "SECDED adds 8 bits to a word of 64, 12.5 % of the protected memory, and corrects "
                "one flip of a word. Neither changes the accuracy without faults; the time is the "
                "hardware's.",
            ]
        )


def time_ratio(first: keras.Model, second: keras.Model, x: Any) -> float:
    """The time of a compiled forward pass of the second model over that of the first."""

    def forward(model: keras.Model) -> Any:
        return tf.function(lambda x: model(x, training=False), autograph=False)

    x = [one[:EXAMPLES] for one in x] if isinstance(x, list) else x[:EXAMPLES]
    calls = [forward(model) for model in (first, second)]
    best = [float("inf")] * 2
    for _ in range(REPEATED):
        for n, call in enumerate(calls):
            began = time.perf_counter()
            call(x)
            best[n] = min(best[n], time.perf_counter() - began)
    return best[1] / best[0]
