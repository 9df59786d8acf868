"""A campaign at several amounts of faults: so many masks each, or until the answer is precise.

Masks come in groups, each at all amounts before the next, so that the keys of a group are drawn
once for all amounts (up to two million places; beyond that they are drawn anew, rather than kept);
the masks at a low rate are part of those at a higher one. What is found is kept as it grows, and a
campaign that was killed goes on with the next group.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.faults.amounts import Amount
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.findings import Findings
from ftnoise.faults.precision import Precision
from ftnoise.stats.bounded import ConfidenceSequence

SAVE_SECONDS = 5.0


def sweep(
    campaign: Campaign,
    amounts: Sequence[Amount],
    *,
    masks: int = 100,
    precision: Precision | None = None,
    checkpointing: Checkpointing | None = None,
    identity: str = "",
    begun: Findings | None = None,
    expected: int | None = None,
) -> Findings:
    """Asks a network about masks 0, 1, ... at each amount.

    Args:
        campaign: the network, the images and the fault.
        amounts: how many places are hit; at least one.
        masks: for each amount, >= 1, unless there is a `precision`; more if more were kept.
        precision: stop at each amount as soon as its interval is as narrow as this.
        checkpointing: where what was found is kept on the way, and progress said.
        identity: what the campaign is of; what was kept of another one is not used.
        begun: what an earlier call found, to go on from; None takes what the checkpointing has kept.
        expected: how many masks there will be at all amounts together, to say how far it is; None
            is as many as there can be.
    """
    expect(len(amounts) > 0, "at least one amount of faults", amounts=amounts)
    expect(is_count(masks), "masks >= 1", masks=masks)
    for amount in amounts:
        amount.check(campaign.drawer.places)
    checkpointing = checkpointing or Checkpointing()
    found = _kept(campaign, amounts, checkpointing, identity) if begun is None else begun
    most = precision.most if precision else masks
    sequences = [precision.sequence() if precision else None for _ in amounts]
    for place, sequence in enumerate(sequences):
        if sequence:
            sequence.update(found.accuracies(place))
    saved = time.monotonic()
    group = campaign.masks_per_call
    for start in range(0, most, group):
        for place, amount in enumerate(amounts):
            # What an earlier call found may end within a group.
            numbers = range(max(start, found.masks(place)), min(start + group, most))
            if not numbers or _enough(sequences[place], precision):
                continue
            outcome = campaign.run(numbers, amount)
            found.add(place, outcome)
            if sequence := sequences[place]:
                sequence.update(100 * outcome.correct.mean(axis=1))
            if time.monotonic() - saved > SAVE_SECONDS:
                checkpointing.save(found.to_arrays(), {"identity": identity})
                saved = time.monotonic()
            done = sum(map(found.masks, range(len(amounts))))
            total = most * len(amounts) if expected is None else max(done, expected)
            checkpointing.progress(done, total, f"{done} masks")
        if precision and all(_enough(sequence, precision) for sequence in sequences):
            break
    return found


def _enough(sequence: ConfidenceSequence | None, precision: Precision | None) -> bool:
    if sequence is None or precision is None or sequence.count < 2:
        return False
    return sequence.interval.half_width <= precision.half_width


def _kept(
    campaign: Campaign, amounts: Sequence[Amount], checkpointing: Checkpointing, identity: str
) -> Findings:
    kept = checkpointing.load()
    if kept is not None:
        try:
            if kept[1]["identity"] != identity:
                raise BadInput(identity)
            found = Findings.from_arrays(amounts, campaign.y, kept[0])
            if (found.golden == campaign.correct).all():
                return found
        except (BadInput, KeyError, ValueError, TypeError):
            pass
        checkpointing.discard("belongs to another campaign")
    return Findings(tuple(amounts), campaign.correct, campaign.y)
