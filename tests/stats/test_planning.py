"""Numbers of masks against the literature, the formulas' own ends, and simulated campaigns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from ftnoise.core.errors import BadInput
from ftnoise.stats import planning
from ftnoise.stats.bounded import ConfidenceSequence
from ftnoise.stats.planning import masks_needed

WAYS = ["student", "hoeffding", "empirical_bernstein", "confidence_sequence", "single_faults"]


def masks(way, half_width, **options):
    return masks_needed(half_width, **options)[way].masks


def test_each_way_has_a_name_and_says_what_it_assumes():
    plans = masks_needed(0.05, spread=0.05, mean=0.8)
    assert list(plans) == WAYS
    assert len({plan.name for plan in plans.values()}) == len(WAYS)
    for plan in plans.values():
        assert isinstance(plan.masks, int)
        assert plan.assumes.endswith(".")
    assert "0.05" in plans["student"].assumes
    assert "the largest" in masks_needed(0.05)["student"].assumes


@pytest.mark.parametrize(("half_width", "known"), [(0.05, 385), (0.01, 9604)])
def test_leveugles_numbers_without_end(half_width, known):
    assert masks("single_faults", half_width) == known


@pytest.mark.parametrize(
    ("half_width", "population", "known"),
    [(0.05, 1000, 278), (0.05, 10_000, 370), (0.01, 10_000, 4900), (0.05, 1, 1)],
)
def test_leveugles_numbers_with_an_end(half_width, population, known):
    # The first three are the usual table of sample sizes for finite populations.
    assert masks("single_faults", half_width, population=population) == known


def test_leveugle_never_asks_for_more_faults_than_there_are():
    for population in (1, 2, 10, 385, 10**9):
        assert 1 <= masks("single_faults", 0.02, population=population) <= population


def test_a_spread_of_5_points_by_students_way():
    assert masks("student", 0.01, spread=0.05, mean=0.8) == 99
    assert masks("student", 0.005, spread=0.05, mean=0.8) == 387


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("half_width", [0.2, 0.03, 0.004])
@pytest.mark.parametrize("spread", [0.01, 0.1, 0.3])
def test_the_numbers_are_the_least(confidence, half_width, spread):
    plans = masks_needed(half_width, confidence=confidence, spread=spread)

    def student(n):
        return scipy_stats.t.ppf((1 + confidence) / 2, n - 1) * spread / math.sqrt(n)

    def bernstein(n):
        doubt = math.log(4 / (1 - confidence))
        return math.sqrt(2 * spread**2 * doubt / n) + 7 * doubt / (3 * (n - 1))

    def hoeffding(n):
        return math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))

    for way, half in (
        ("student", student),
        ("empirical_bernstein", bernstein),
        ("hoeffding", hoeffding),
    ):
        found = plans[way].masks
        assert half(found) <= half_width, way
        assert found <= 2 or half(found - 1) > half_width, way


def test_1000_masks_with_a_spread_of_5_points():
    assert masks("empirical_bernstein", 0.01492, spread=0.05) == pytest.approx(1000, abs=3)
    assert masks("hoeffding", 0.04295) == pytest.approx(1000, abs=3)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 0.4), st.floats(0.01, 0.2), st.floats(0.2, 0.8))
def test_more_precision_never_needs_fewer(half_width, spread, mean):
    coarse = masks_needed(half_width, spread=spread, mean=mean, population=10**6)
    fine = masks_needed(half_width / 2, spread=spread, mean=mean, population=10**6)
    for way in WAYS:
        assert fine[way].masks >= coarse[way].masks


@pytest.mark.parametrize(("spread", "half_width"), [(0.05, 0.01), (0.1, 0.02), (0.2, 0.03)])
def test_the_sequence_stops_at_about_the_number(spread, half_width):
    plan = masks("confidence_sequence", half_width, spread=spread, mean=0.8)
    weight = 0.16 / spread**2 - 1
    counts = []
    for seed in range(20):
        values = np.random.default_rng(seed).beta(0.8 * weight, 0.2 * weight, 2 * plan)
        sequence = ConfidenceSequence(aim=half_width)
        while sequence.interval.half_width > half_width:
            sequence.update(values[sequence.count : sequence.count + 5])
        counts.append(sequence.count)
    assert 0.75 * plan < np.mean(counts) < 1.05 * plan


@pytest.mark.parametrize(("mean", "spread"), [(0.8, 0.05), (0.3, 0.2), (0.5, 0.5), (0.1, 0.0)])
def test_the_made_up_campaign_has_the_mean_and_spread(mean, spread):
    values = planning._campaign(0, 5000, mean, spread)
    assert values.mean() == pytest.approx(mean, abs=1e-3)
    assert values.std() == pytest.approx(spread, abs=1e-3)
    assert np.array_equal(values[700:900], planning._campaign(700, 200, mean, spread))


def test_what_the_campaign_cannot_reach_is_none(monkeypatch):
    monkeypatch.setattr(planning, "MOST", 500)
    assert masks("confidence_sequence", 0.005, spread=0.05, mean=0.8) is None
    assert masks("confidence_sequence", 0.01, spread=0.05, mean=0.8) < 500


@pytest.mark.parametrize(
    ("half_width", "options"),
    [
        (0, {}),
        (1, {}),
        (float("nan"), {}),
        (0.01, {"confidence": 1}),
        (0.01, {"mean": 1}),
        (0.01, {"spread": -0.1}),
        (0.01, {"spread": 0.41, "mean": 0.8}),
        (0.01, {"population": 0}),
        (0.01, {"population": 1.5}),
    ],
)
def test_refuses_what_is_out_of_range(half_width, options):
    with pytest.raises(BadInput, match="Expected"):
        masks_needed(half_width, **options)
