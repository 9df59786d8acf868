"""Student's interval against SciPy, and the crossed one against simulations with mean 0."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from ftnoise.core.errors import BadInput
from ftnoise.stats import summarize
from ftnoise.stats.interval import STUDENT, Interval, crossed_interval, student_interval

SIMULATED = 1500


def test_of_values_that_lie_evenly_students_interval_is_scipys():
    values = [0.70, 0.79, 0.81, 0.90]
    found = student_interval(values, 0.9)
    low, high = scipy_stats.t.interval(0.9, 3, sum(values) / 4, scipy_stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.method == STUDENT


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_wider_to_the_side_to_which_values_lean(sign):
    values = sign * np.array([1.0, 2.0, 2.5, 3.0, 9.0])
    found = student_interval(values)
    low, high = scipy_stats.t.interval(0.95, 4, values.mean(), scipy_stats.sem(values))
    quantile = scipy_stats.t.ppf(0.975, 4)
    lean = scipy_stats.skew(values) * values.std(ddof=1) * (2 * quantile**2 + 1) / (6 * 5)
    assert lean * sign > 0
    ends = (low, high + lean) if sign > 0 else (low + lean, high)
    assert (found.low, found.high) == pytest.approx(ends)


@pytest.mark.parametrize(("sigma", "least"), [(0.6, 0.945), (1.0, 0.93)])
def test_it_holds_the_mean_of_leaning_values_more_often_than_students(sigma, least):
    draws = np.random.default_rng(0).lognormal(0, sigma, (4000, 40))
    truth = np.exp(sigma**2 / 2)
    found = [student_interval(row) for row in draws]
    held = np.mean([one.low <= truth <= one.high for one in found])
    off = scipy_stats.t.ppf(0.975, 39) * draws.std(axis=1, ddof=1) / np.sqrt(40)
    students = np.mean(abs(draws.mean(axis=1) - truth) <= off)
    assert students + 0.01 < held
    assert least < held < 0.97


def test_ends_beyond_the_bounds_of_the_values_are_moved_to_them():
    values = [20.0, 98.0, 98.0]
    free, bounded = student_interval(values), student_interval(values, low=0.0, high=100.0)
    assert free.low < 0
    assert free.high > 100
    assert (bounded.low, bounded.mean, bounded.high) == (0, 72, 100)
    inside = [50.0, 51.0, 52.5]
    assert student_interval(inside, 0.9, 0.0, 100.0) == student_interval(inside, 0.9)
    with pytest.raises(BadInput, match=r"finite values in \[0, 100\]"):
        student_interval([50.0, 101.0], low=0.0, high=100.0)


def test_bounds_do_not_change_how_often_the_mean_is_held():
    draws = 100 * np.random.default_rng(0).beta(0.5, 0.1, (500, 4))
    truth = 100 * 0.5 / 0.6
    held = [[], []]
    for row in draws:
        for ends, one in zip(
            held, (student_interval(row), student_interval(row, low=0.0, high=100.0)), strict=True
        ):
            ends.append(one.low <= truth <= one.high)
    assert held[0] == held[1]
    assert 0.5 < np.mean(held) < 1


def test_equal_values_have_no_width():
    found = student_interval([0.3, 0.3, 0.3])
    assert found.low == found.mean == found.high == 0.3


def test_the_half_width_is_the_longer_side():
    assert Interval(0.8, 0.5, 0.9, "a way").half_width == pytest.approx(0.3)
    assert Interval(0.8, 0.7, 1.0, "a way").half_width == pytest.approx(0.2)
    # The mean may lie outside of what all earlier intervals left.
    assert Interval(0.8, 0.6, 0.7, "a way").half_width == pytest.approx(0.2)
    assert Interval(None, 0.0, 1.0, "a way").half_width == 1


@pytest.mark.parametrize("values", [[], [0.5], [0.5, float("nan")]])
def test_takes_two_finite_values(values):
    with pytest.raises(BadInput, match="values"):
        student_interval(values)


def drawn(seed_spread, draw_spread, rest, seeds, draws):
    random = np.random.default_rng(0)
    shape = (SIMULATED, seeds, draws)
    of_seed = random.normal(0, seed_spread, (SIMULATED, seeds, 1)) if seed_spread else 0.0
    of_draw = random.normal(0, draw_spread, (SIMULATED, 1, draws)) if draw_spread else 0.0
    return of_seed + of_draw + random.normal(0, rest, shape)


@pytest.mark.parametrize(
    "spreads", [(0.3, 6.9, 1.0), (3.0, 1.0, 1.0), (1.0, 7.0, 3.0), (0.0, 0.0, 1.0)]
)
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_holds_the_mean_as_often_as_it_says(spreads, seeds):
    found = [crossed_interval(values) for values in drawn(*spreads, seeds, 30)]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert held > 0.935
    # It is no wider than it has to be where there are enough seeds to know their spread.
    if seeds == 10 and spreads[1] > spreads[0] > 0:
        assert held < 0.98


def test_an_interval_over_seeds_alone_misses_it():
    held = []
    for values in drawn(0.3, 6.9, 1.0, 3, 100):
        alone = summarize(values.mean(axis=1).tolist())
        held.append(alone.low <= 0 <= alone.high)
    assert np.mean(held) < 0.75


def test_says_what_it_is_of():
    found = crossed_interval([[1, 2, 3], [3, 4, 5]])
    assert found.mean == 3
    assert found.mean - found.low == pytest.approx(found.high - found.mean)
    same = crossed_interval(np.full((2, 3), 7.0), 0.9)
    assert (same.low, same.mean, same.high) == (7, 7, 7)


@pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0], [2.0]], [1.0, 2.0], [[1, np.nan]] * 2])
def test_takes_two_seeds_and_two_draws(values):
    with pytest.raises(BadInput, match="Expected"):
        crossed_interval(values)
