"""The paired test against SciPy, and Holm's p-values against the literature and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from ftnoise.core.errors import BadInput
from ftnoise.stats.comparing import holm, paired
from ftnoise.stats.interval import student_interval

SHARES = st.integers(0, 10_000).map(lambda number: number / 10_000)
PAIRS = st.lists(st.tuples(SHARES, SHARES), min_size=2, max_size=20)
P_VALUES = st.lists(st.floats(0, 1), max_size=8)


@settings(deadline=None)
@given(PAIRS, st.floats(0.5, 0.999))
def test_agrees_with_scipy(pairs, confidence):
    first, second = np.array(pairs).T
    found = paired(first, second, confidence)
    differences = first - second
    assert found.difference == pytest.approx(differences.mean(), abs=1e-12)
    assert found.count == len(pairs)
    if differences.std() > 1e-9:
        known = scipy_stats.ttest_rel(first, second)
        assert found.p_value == pytest.approx(known.pvalue, rel=1e-6)
    # Student's, and wider to the side to which the differences are skewed.
    interval = student_interval(differences, confidence)
    assert (found.low, found.high) == (interval.low, interval.high)


@settings(deadline=None)
@given(PAIRS)
def test_the_other_way_round_only_the_sign_changes(pairs):
    first, second = np.array(pairs).T
    one, other = paired(first, second), paired(second, first)
    assert one.difference == -other.difference
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), rel=1e-9, abs=1e-12)
    assert one.p_value == other.p_value


def test_no_difference_is_larger_than_the_range_of_the_values():
    found = paired([100.0, 100.0, 0.0], [0.0, 100.0, 0.0], width=100.0)
    assert (found.difference, found.high) == (pytest.approx(100 / 3), 100)
    assert paired([100.0, 100.0, 0.0], [0.0, 100.0, 0.0]).high > 100


def test_the_sign_is_first_minus_second():
    assert paired([0.75, 1.0], [0.5, 0.5]).difference == 0.375


def test_without_spread():
    same, apart = paired([0.5, 0.7], [0.5, 0.7]), paired([0.75, 0.5], [0.5, 0.25])
    assert (same.difference, same.p_value) == (0, 1)
    assert (apart.difference, apart.p_value) == (0.25, 0)
    assert apart.low == apart.high == 0.25


def test_the_p_value_is_as_often_small_as_it_says_and_pairs_show_more():
    random = np.random.default_rng(0)
    common = random.normal(0.7, 0.1, [2000, 6])
    first, second = common + random.normal(0, 0.01, [2, 2000, 6])
    p_values = np.array([paired(a, b).p_value for a, b in zip(first, second, strict=True)])
    for level in (0.05, 0.3):
        error = 4 * np.sqrt(level * (1 - level) / len(p_values))
        assert abs((p_values <= level).mean() - level) < error
    shifted = [paired(a + 0.02, b).p_value for a, b in zip(first, second, strict=True)]
    assert np.median(shifted) < 0.05 < np.median(scipy_stats.ttest_ind(first.T + 0.02, second.T)[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [([0.5], [0.5]), ([0.5, 0.6], [0.5]), ([0.5, float("nan")], [0.5, 0.5]), ("ab", "cd")],
)
def test_refuses_what_are_no_pairs(first, second):
    with pytest.raises(BadInput, match="values"):
        paired(first, second)


@pytest.mark.parametrize(
    ("p_values", "known"),
    [
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.9, 0.8, 1.0], [1.0, 1.0, 1.0]),
        ([0.0, 0.5], [0.0, 0.5]),
        ([0.2], [0.2]),
        ([], []),
    ],
)
def test_holms_p_values(p_values, known):
    # The first two are those that R's p.adjust gives.
    assert holm(p_values) == pytest.approx(known)


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_rejects_what_the_steps_of_the_procedure_reject(p_values, level):
    adjusted = holm(p_values)
    rejected = set()
    for step, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[place] * (len(p_values) - step) > level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(adjusted) if value <= level} == rejected


@given(P_VALUES, st.randoms())
def test_holm_keeps_the_order_and_never_helps(p_values, random):
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    for p, a in zip(p_values, adjusted, strict=True):
        assert all(a <= b for q, b in zip(p_values, adjusted, strict=True) if p <= q)
    places = list(range(len(p_values)))
    random.shuffle(places)
    assert holm([p_values[i] for i in places]) == [adjusted[i] for i in places]


def test_all_errors_together_stay_within_the_level():
    drawn = np.random.default_rng(0).random([4000, 5])
    share = np.mean([min(holm(p_values)) <= 0.05 for p_values in drawn])
    error = 4 * np.sqrt(0.05 * 0.95 / len(drawn))
    assert abs(share - (1 - 0.99**5)) < error
    assert (drawn.min(axis=1) <= 0.05).mean() > 0.05 + error  # uncorrected, they do not


@pytest.mark.parametrize("p_values", [[1.5], [-0.1], [float("nan")], 0.5, ["0.1"]])
def test_refuses_what_is_no_p_value(p_values):
    with pytest.raises(BadInput, match="p-values"):
        holm(p_values)
