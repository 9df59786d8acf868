"""A campaign at several amounts of faults: so many masks each, or until the answer is precise.

Masks come in groups, each at all amounts before the next, so that a group is drawn once; the masks
at a low rate are part of those at a higher one. What is found is kept as it grows, and a campaign
that was killed goes on with the next group.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ftnoise.errors import BadInput
from ftnoise.faults.amounts import Amount
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.findings import Findings
from ftnoise.spec import expect, is_count, is_number
from ftnoise.stats.bounded import ConfidenceSequence
from ftnoise.workspace import Workspace

SAVE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Precision:
    """When an amount has masks enough.

    Args:
        half_width: of the interval of the mean accuracy, in points, in (0, 100); see
            `stats.bounded.ConfidenceSequence`, which is valid whenever one stops.
        confidence: in (0, 1).
        most: masks at most, >= 2.
    """

    half_width: float
    confidence: float = 0.95
    most: int = 10_000

    def __post_init__(self) -> None:
        expect(
            is_number(self.half_width) and 0 < self.half_width < 100,
            "half_width in points, in (0, 100)",
            half_width=self.half_width,
        )
        expect(
            is_number(self.confidence) and 0 < self.confidence < 1,
            "confidence in (0, 1)",
            confidence=self.confidence,
        )
        expect(is_count(self.most, least=2), "at least 2 masks at most", most=self.most)

    def sequence(self) -> ConfidenceSequence:
        """A confidence sequence in percent that aims at the half-width."""
        return ConfidenceSequence(self.confidence, 0.0, 100.0, aim=self.half_width)


def sweep(
    campaign: Campaign,
    amounts: Sequence[Amount],
    *,
    masks: int = 100,
    precision: Precision | None = None,
    workspace: Workspace | None = None,
    identity: str = "",
) -> Findings:
    """Asks a network about masks 0, 1, ... at each amount.

    Args:
        campaign: the network, the images and the fault.
        amounts: how many places are hit; at least one.
        masks: for each amount, >= 1, unless there is a `precision`.
        precision: stop at each amount as soon as its interval is as narrow as this.
        workspace: where what was found is kept on the way, and progress said.
        identity: what the campaign is of; what was kept of another one is not used.
    """
    expect(len(amounts) > 0, "at least one amount of faults", amounts=amounts)
    expect(is_count(masks), "masks >= 1", masks=masks)
    for amount in amounts:
        amount.check(campaign.drawer.places)
    workspace = workspace or Workspace()
    found = _kept(campaign, amounts, workspace, identity)
    most = precision.most if precision else masks
    sequences = [precision.sequence() if precision else None for _ in amounts]
    for place, sequence in enumerate(sequences):
        if sequence:
            sequence.update(found.accuracies(place))
    saved = time.monotonic()
    group = campaign.masks_per_call
    for start in range(0, most, group):
        numbers = range(start, min(start + group, most))
        for place, amount in enumerate(amounts):
            sequence = sequences[place]
            if found.masks(place) > start or _enough(sequence, precision):
                continue
            outcome = campaign.run(numbers, amount)
            found.add(place, outcome)
            if sequence:
                sequence.update(100 * outcome.correct.mean(axis=1))
            if time.monotonic() - saved > SAVE_SECONDS:
                workspace.save(found.to_arrays(), {"identity": identity})
                saved = time.monotonic()
            done = sum(map(found.masks, range(len(amounts))))
            workspace.progress(done, most * len(amounts), f"{done} masks")
        if precision and all(_enough(sequence, precision) for sequence in sequences):
            break
    return found


def _enough(sequence: ConfidenceSequence | None, precision: Precision | None) -> bool:
    if sequence is None or precision is None or sequence.count < 2:
        return False
    return sequence.interval.half_width <= precision.half_width


def _kept(
    campaign: Campaign, amounts: Sequence[Amount], workspace: Workspace, identity: str
) -> Findings:
    kept = workspace.load()
    if kept is not None:
        try:
            if kept[1]["identity"] != identity:
                raise BadInput(identity)
            found = Findings.from_arrays(amounts, campaign.y, kept[0])
            if (found.golden == campaign.correct).all():
                return found
        except (BadInput, KeyError, ValueError, TypeError):
            pass
        workspace.discard("belongs to another campaign")
    return Findings(tuple(amounts), campaign.correct, campaign.y)
