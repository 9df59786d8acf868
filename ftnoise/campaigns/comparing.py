"""Two models under the same masks: what each mask costs the one and the other, pair by pair.

Under the same mask two accuracies go up and down together, so their difference is known better
than either; see `stats/comparing.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import JSON

if TYPE_CHECKING:
    from ftnoise.campaigns.injection import Injection


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models at one amount of faults; accuracies in percent, differences in points.

    Attributes:
        amount: such as `50 %`.
        masks: that both were asked about.
        first, second: the mean accuracies under them.
        difference: first minus second, the mean over masks.
        low, high: its interval.
        p_value: of no difference, two-sided, by the paired t test.
        adjusted: the same after Holm's correction for all amounts.
    """

    amount: str
    masks: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    adjusted: float


@dataclass(frozen=True, kw_only=True)
class Against:
    """Two models under the same faults.

    Attributes:
        names: what they are called.
        what: the fault, the places and examples, in a few words.
        golden: their accuracies without faults, in percent.
        confidence: of each interval by itself, in (0, 1).
        pairs: one for each amount, rising.
        fixed: whether the number of masks was fixed beforehand, as the test supposes.
    """

    names: tuple[str, str]
    what: str
    golden: tuple[float, float]
    confidence: float
    pairs: tuple[Pair, ...]
    fixed: bool

    def to_json(self) -> JSON:
        """All of it, for other programs."""
        return {
            "names": list(self.names),
            "what": self.what,
            "golden_accuracies": list(self.golden),
            "confidence": self.confidence,
            "pairs": [dict(vars(pair)) for pair in self.pairs],
            "fixed": self.fixed,
        }

    def __str__(self) -> str:
        """A table, for a terminal."""
        first, second = self.golden
        sure = f"{100 * self.confidence:g} % interval"
        rows = [
            ("faults", "masks", "first %", "second %", "difference", sure, "p"),
            ("none", "", f"{first:.2f}", f"{second:.2f}", f"{first - second:+.2f}", "", ""),
            *map(_row, self.pairs),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
        lines = [
            f"{self.names[0]} (first) against {self.names[1]} (second), {self.what}.",
            "",
            table[0],
            "-" * max(map(len, table)),
            *table[1:],
            "",
            "Difference: first minus second, in points, over the same masks. Each interval is by "
            "itself, by Student's t over pairs; p is that of no difference, after Holm's "
            f"correction for {len(self.pairs)} amount{'' if len(self.pairs) == 1 else 's'}.",
        ]
        if not self.fixed:
            lines.append(
                "The test supposes a number of masks that was fixed beforehand. These were drawn "
                "until an interval was narrow enough: take p as a hint, or ask with --masks."
            )
        return "\n".join(lines)


def compared(first: Injection, second: Injection, names: tuple[str, str] | None = None) -> Against:
    """Two answers to the same question about two models.

    Args:
        first: with what became of each mask (an answer that was read from its JSON alone has not).
        second: of the same fault, amounts, seed, confidence, places and labels.
        names: what the models are called; None takes their own names.

    Raises:
        BadInput: they are answers to other questions.
    """
    from ftnoise.stats.comparing import holm, paired

    one, other = first.findings, second.findings
    if one is None or other is None:
        raise BadInput(
            "Expected two answers with what became of each mask. Received: one that was read from "
            "its JSON alone."
        )
    alike = {
        "fault": (first.fault, second.fault),
        "amounts": (first.amounts, second.amounts),
        "seed": (first.seed, second.seed),
        "confidence": (first.confidence, second.confidence),
        "places": (first.places, second.places),
        "examples": (first.images, second.images),
    }
    for name, (mine, theirs) in alike.items():
        expect(mine == theirs, f"two answers with the same {name}", first=mine, second=theirs)
    expect(bool((one.y == other.y).all()), "two answers with the same labels", same=False)
    found = []
    for place, amount in enumerate(first.amounts):
        count = min(one.masks(place), other.masks(place))
        both = [findings.accuracies(place)[:count] for findings in (one, other)]
        found.append((amount, both, paired(both[0], both[1], first.confidence)))
    adjusted = holm([comparison.p_value for *_, comparison in found])
    return Against(
        names=names or (first.model, second.model),
        what=(
            f"{first.fault.label}: {first.places:,} places, {first.images:,} examples, seed "
            f"{first.seed}"
        ),
        golden=(first.golden_accuracy, second.golden_accuracy),
        confidence=first.confidence,
        pairs=tuple(
            Pair(
                amount=amount.label,
                masks=comparison.count,
                first=float(both[0].mean()),
                second=float(both[1].mean()),
                difference=comparison.difference,
                low=comparison.low,
                high=comparison.high,
                p_value=comparison.p_value,
                adjusted=p,
            )
            for (amount, both, comparison), p in zip(found, adjusted, strict=True)
        ),
        fixed=first.half_width is None and second.half_width is None,
    )


def _row(pair: Pair) -> tuple[str, ...]:
    return (
        pair.amount,
        str(pair.masks),
        f"{pair.first:.2f}",
        f"{pair.second:.2f}",
        f"{pair.difference:+.2f}",
        f"{pair.low:+.2f} to {pair.high:+.2f}",
        "< 0.001" if pair.adjusted < 0.001 else f"{pair.adjusted:.3f}",
    )
