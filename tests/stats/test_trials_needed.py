"""Numbers of trials against simulated campaigns that stop at the half-width."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.stats import bounded
from ftnoise.stats.bounded import ConfidenceSequence, trials_needed


@pytest.mark.parametrize(
    ("mean", "spread", "half_width"),
    [(0.8, 0.05, 0.01), (0.8, 0.1, 0.02), (0.8, 0.2, 0.04), (0.5, 0.1, 0.01), (0.9, 0.05, 0.02)],
)
def test_the_sequence_stops_at_about_the_number(mean, spread, half_width):
    needed = trials_needed(half_width, spread=spread, mean=mean)
    weight = mean * (1 - mean) / spread**2 - 1
    counts = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        values = random.beta(mean * weight, (1 - mean) * weight, 2 * needed)
        sequence = ConfidenceSequence(aim=half_width)
        while sequence.interval.half_width > half_width:
            sequence.update(values[sequence.count : sequence.count + 5])
        counts.append(sequence.count)
    assert 0.75 * needed < np.mean(counts) < 1.05 * needed


def test_equal_accuracies_stop_exactly_where_the_sum_says():
    sequence = ConfidenceSequence(aim=0.01)
    while sequence.interval.half_width > 0.01:
        sequence.update([0.8])
    assert sequence.count == pytest.approx(trials_needed(0.01, spread=0, mean=0.8), rel=0.02)


def test_a_finer_interval_a_larger_spread_and_more_confidence_need_more():
    def needed(half_width=0.02, spread=0.1, confidence=0.95):
        return trials_needed(half_width, spread=spread, mean=0.8, confidence=confidence)

    for sizes in (
        [needed(half_width=h) for h in (0.1, 0.03, 0.01)],
        [needed(spread=s) for s in (0.0, 0.05, 0.2, 0.4)],
        [needed(confidence=c) for c in (0.5, 0.9, 0.99)],
    ):
        assert all(isinstance(size, int) for size in sizes)
        assert all(low < high for low, high in itertools.pairwise(sizes))


def test_beyond_the_largest_number_is_none(monkeypatch):
    monkeypatch.setattr(bounded, "MOST", 500)
    assert trials_needed(0.005, spread=0.05, mean=0.8) is None
    assert trials_needed(0.01, spread=0.05, mean=0.8) < 500


@pytest.mark.parametrize(
    ("half_width", "options"),
    [
        (0, {}),
        (1, {}),
        (float("nan"), {}),
        (0.01, {"confidence": 1}),
        (0.01, {"mean": 1}),
        (0.01, {"spread": -0.1}),
        (0.01, {"spread": 0.41}),
    ],
)
def test_refuses_what_is_out_of_range(half_width, options):
    with pytest.raises(BadInput, match="Expected"):
        trials_needed(half_width, **{"mean": 0.8, "spread": 0.05} | options)
