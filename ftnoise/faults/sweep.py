"""A campaign at several rates: a number of trials each, or until the result is precise.

Trials come in groups, each at all rates before the next, so that the keys of a group are drawn once
for all rates (up to two million sites; beyond that they are drawn anew, rather than kept); the
trials at a low rate are part of those at a higher one. Results are kept as they grow, and an
interrupted campaign resumes with the next group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ftnoise.core import spec
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect
from ftnoise.core.resumable import Resumable
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import NUMBERS, OUTCOMES, Outcomes
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Rate

if TYPE_CHECKING:
    from ftnoise.faults.tflite import Deployed


def sweep(
    campaign: Campaign | Deployed,
    rates: Sequence[Rate],
    *,
    trials: int = 100,
    precision: Precision | None = None,
    checkpointing: Checkpointing | None = None,
) -> Outcomes:
    """Runs trials 0, 1, ... at each rate, of which there is at least one.

    There are `trials` at each, >= 1. With a `precision`, a rate stops instead as soon as its
    interval is as narrow as this.
    """
    expect(len(rates) > 0, "at least one rate of faults", rates=rates)
    count(trials=trials)
    checkpointing = checkpointing or Checkpointing()
    work = Resumable(checkpointing, _identity(campaign, rates))
    series = [f"rate-{index}" for index in range(len(rates))]
    none = {name: np.zeros(0) for name in NUMBERS}
    none["correct"] = np.zeros((0, -(-len(campaign.y) // 8)), np.uint8)
    none["outcomes"] = np.zeros((0, len(OUTCOMES)))

    def outcomes() -> Outcomes:
        most = precision.most if precision else trials
        kept = [
            {key: array[:most] for key, array in (work.arrays(name) or none).items()}
            for name in series
        ]
        return Outcomes(tuple(rates), campaign.correct, campaign.y, kept)

    most = precision.most if precision else trials
    sequences = [precision.sequence() for _ in rates] if precision else []
    found = outcomes()
    for index, sequence in enumerate(sequences):
        sequence.update(found.accuracies(index))
    group = campaign.trials_per_call
    for start in range(0, most, group):
        for index, (rate, name) in enumerate(zip(rates, series, strict=True)):
            # What an interrupted process kept may end within a group.
            numbers = range(max(start, work.completed(name)), min(start + group, most))
            if not numbers or (precision and precision.reached(sequences[index])):
                continue
            results = campaign.run(numbers, rate)
            work.extend(results.to_arrays(), name)
            if precision:
                sequences[index].update(100 * results.correct.mean(axis=1))
            done = sum(map(work.completed, series))
            checkpointing.progress(done, most * len(rates), f"{done} trials")
        if precision and all(map(precision.reached, sequences)):
            break
    return outcomes()


def _identity(campaign: Campaign | Deployed, rates: Sequence[Rate]) -> str:
    """Everything that determines the results; golden outputs identify network and examples."""
    fault = [spec.canonical(rate) for rate in rates], spec.canonical(campaign.fault)
    found = hashlib.sha256(repr((fault, campaign.sampler.seed, NUMBERS)).encode())
    for array in (campaign.golden, campaign.correct, campaign.y):
        found.update(array.tobytes())
    return found.hexdigest()
