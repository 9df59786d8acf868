"""The worst case of a user's own model: the fewest stored bits whose flips break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect, is_number
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.core.spec import JSON
from ftnoise.faults.fault import Fault
from ftnoise.report.figures.arrays import fault_curve
from ftnoise.user.folder import Job, Result, content_id
from ftnoise.user.inject import prepared
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import counted, table

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign

MOST_FLIPS = 100
SHOWN = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class WorstCase(Result):
    """The flips that a search found, in their order; printing it gives a table.

    Attributes:
        model: its name.
        stored: label of the sites.
        golden_accuracy: without faults, in percent.
        below: the accuracy in percent that was to be undercut.
        flips: site, bit, and accuracy in percent after this flip and those before it.
    """

    model: str
    stored: str
    golden_accuracy: float
    below: float
    flips: list[tuple[str, int, float]]

    @property
    def reached(self) -> bool:
        """Whether the accuracy fell below `below`."""
        return self.flips[-1][2] < self.below

    @property
    def lines(self) -> pandas.DataFrame:
        """A line for each flip: `flips` (their number so far), `site`, `bit`, `accuracy`."""
        frame = pandas.DataFrame(self.flips, columns=["site", "bit", "accuracy"])
        frame.insert(0, "flips", range(1, len(frame) + 1))
        return frame

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        names = ("model", "stored", "golden_accuracy", "below", "reached")
        flips = [list(flip) for flip in self.flips]
        return {**{name: getattr(self, name) for name in names}, "flips": flips}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The accuracies."""
        return {"accuracy": np.array([accuracy for *_, accuracy in self.flips])}

    def figure(self) -> dict[str, bytes]:
        """Accuracy against the number of flips, by suffix (`png`, `pdf`)."""
        return fault_curve(
            range(1, len(self.flips) + 1),
            [accuracy for *_, accuracy in self.flips],
            golden=self.golden_accuracy,
            x_title=f"Flips found by the search: bits of {self.stored}",
            label="after each flip",
        )

    def __str__(self) -> str:
        """The table, for a terminal."""
        rows = [["flips", "accuracy %", "bit", "site"]]
        shown = self.flips[: SHOWN - 1] + self.flips[-1:] if len(self.flips) > SHOWN else self.flips
        numbers = [*range(1, SHOWN), len(self.flips)] if len(self.flips) > SHOWN else range(1, 99)
        for number, (site, bit, accuracy) in zip(numbers, shown, strict=False):
            rows.append([str(number), f"{accuracy:.2f}", str(bit), site])
        flips = counted(len(self.flips), "flip")
        found = "fell" if self.reached else "did not fall"
        end = f"with {flips} the accuracy {found} below {self.below:g} %"
        return "\n".join(
            [
                f"{self.model}, {self.stored}: {self.golden_accuracy:.2f} % without faults; {end}.",
                "",
                *table(rows),
                "",
                "Found by gradients on up to 1,000 of the examples; the accuracy is of all of them."
                " Another search may need fewer flips. Random flips are no worst case.",
            ]
        )


def worst_case(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str = "parameters,stored=int8:bit_flip:n=1",
    *,
    below: float,
    most_flips: int = MOST_FLIPS,
    **settings: Any,
) -> WorstCase:
    """Searches for the fewest flips of stored bits that bring the accuracy below a value.

    Args:
        model: as for `ftnoise.inject`, as are x and y.
        x: examples.
        y: labels.
        fault: which bits: flips of any bit of parameters in a format.
        below: in percent, in (0, 100].
        most_flips: the most flips of the search, >= 1.
        settings: further fields of `CampaignSettings`.

    Raises:
        BadInput: an argument does not fit.
    """
    checked = CampaignSettings.of(fault, **settings)
    check(checked, below, most_flips)
    campaign = prepared(model, x, y, checked)
    return job(campaign, checked, below, most_flips, {}).run(Checkpointing())


def check(settings: CampaignSettings, below: float, most_flips: int) -> None:
    """Raises `BadInput` unless a search has these arguments."""
    good = is_number(below) and 0 < below <= 100
    expect(good, "an accuracy in percent, in (0, 100], for the worst case", accuracy=below)
    count(most_flips=most_flips)
    expect(
        settings.fault.of_bits and not settings.fault.transient,
        "flips of any stored bit (parameters,stored=int8:bit_flip:n=1) for the worst case",
        fault=settings.fault.label,
    )


def job(
    campaign: Campaign, settings: CampaignSettings, below: float, most: int, about: dict[str, JSON]
) -> Job[WorstCase]:
    """The search in a campaign that `inject.prepared` made; see `worst_case`."""
    from ftnoise.faults.campaign import unchanged
    from ftnoise.faults.worst_case import worst_case as search

    def run(checkpointing: Checkpointing) -> WorstCase:
        with unchanged(campaign.network):
            flips = search(campaign, below, most, checkpointing)
        return WorstCase(
            model=campaign.network.name,
            stored=campaign.fault.where.label,
            golden_accuracy=float(100 * campaign.correct.mean()),
            below=below,
            flips=[(flip.site, flip.bit, flip.accuracy) for flip in flips],
        )

    def load(content: dict[str, Any], arrays: Any) -> WorstCase:
        own = {name: content[name] for name in ("model", "stored", "golden_accuracy", "below")}
        return WorstCase(flips=[tuple(flip) for flip in content["flips"]], **own)

    identity = [settings.to_json(), "worst case", below, most]
    arrays = (*campaign.x, campaign.y, campaign.golden)
    shape = {"model": str, "stored": str, "golden_accuracy": float, "below": float, "flips": list}
    return Job(
        name="worst_case",
        model=campaign.network.name,
        identify=lambda: content_id(campaign.network, identity, arrays),
        shape=shape,
        run=run,
        load=load,
        about=about,
    )
