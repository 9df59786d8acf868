"""Numbers of a curve in closed form, and how often the tolerated rate is too large."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from ftnoise.core.errors import BadInput
from ftnoise.stats.curves import Curve, is_unclear, summaries
from ftnoise.stats.interval import Interval


def flat(rates, means, golden, trials=3):
    """A curve whose trials all agree."""
    accuracies = np.repeat(np.array(means)[:, None], trials, axis=1)
    return Curve(rates=rates, accuracies=accuracies, golden=golden)


def tolerated(curve, points, confidence=0.95):
    return curve.tolerated_rate(points, curve.lower_bounds(confidence))


def random_curve(seed, rates=4, trials=12):
    draw = 100 * np.random.default_rng(seed).beta(8, 2, [rates, trials])
    return Curve(
        rates=np.arange(1, rates + 1) / 10, accuracies=np.sort(draw, axis=0)[::-1], golden=95
    )


def test_the_area_of_straight_lines():
    assert flat([0.5, 1.0], [50, 0], 100).area() == 50
    assert flat([1, 3], [50, 50], 50).area() == 50
    # (90 + 70) / 2 over 1, (70 + 10) / 2 over 3.
    assert flat([1, 4], [70, 10], 90).area() == pytest.approx((80 + 120) / 4)


def test_the_area_is_a_mean_over_trials():
    curve = random_curve(1)
    whole = np.vstack([np.full(12, 95), curve.accuracies])
    areas = trapezoid(whole, [0, 0.1, 0.2, 0.3, 0.4], axis=0) / 0.4
    assert curve.area() == pytest.approx(areas.mean())


def test_the_golden_accuracy_may_stand_among_the_rates():
    without = flat([1, 4], [70, 10], 90, trials=300)
    with_it = flat([0, 1, 4], [90, 70, 10], 90, trials=300)
    assert with_it.area() == without.area()
    assert with_it.rate_at_drop(5) == without.rate_at_drop(5)
    assert tolerated(with_it, 25) == tolerated(without, 25) == 1
    # It is not tested itself.
    assert tolerated(with_it, 5) is tolerated(without, 5) is None


@pytest.mark.parametrize(
    ("points", "known"), [(1, 0.05), (10, 0.5), (20, 1.0), (50, 2.5), (80, 4.0), (81, None)]
)
def test_the_rate_at_a_drop_lies_on_the_line(points, known):
    curve = flat([1, 4], [70, 10], 90)
    assert curve.rate_at_drop(points) == (known and pytest.approx(known))


def test_the_first_rate_counts_where_the_curve_comes_back():
    curve = flat([1, 2, 3], [50, 90, 10], 90)
    assert curve.rate_at_drop(20) == pytest.approx(0.5)


def test_the_first_failure_ends_the_search():
    curve = flat([1, 2, 3, 4], [89, 80, 89, 88], 90, trials=400)
    assert tolerated(curve, 5) == 1
    assert tolerated(curve, 12) == 4
    assert tolerated(curve, 0.5) is None
    assert curve.tolerated_rate(10, [88, 70, 90, 90]) == 1
    assert curve.tolerated_rate(10, [70, 90, 90, 90]) is None


def test_a_drop_of_exactly_so_many_points_is_not_below():
    curve = flat([1, 2], [87, 85], 90, trials=1000)
    assert tolerated(curve, 5) == 1
    assert curve.rate_at_drop(5) == pytest.approx(2)


def test_few_trials_that_agree_show_nothing():
    assert tolerated(flat([1], [90], 90, trials=5), 5) is None
    assert tolerated(flat([1], [90], 90, trials=200), 5) == 1


def evenly(random):
    return random.normal([[85], [85], [50]], 2, [3, 100])


def rarely(random):
    """One trial in fifty loses nearly everything, as one flipped bit in fifty does."""
    hit = random.random([3, 100]) < 0.02
    return np.where(hit, 10, [[86.5306], [86.5306], [50]])


@pytest.mark.parametrize("draw", [evenly, rarely])
def test_the_tolerated_rate_is_too_large_no_more_often_than_it_says(draw):
    random = np.random.default_rng(0)
    # The drop at the first two rates is exactly 5 points: each is tolerated by error.
    found = [
        tolerated(Curve(rates=[1, 2, 3], accuracies=draw(random), golden=90), 5, 0.9) or 0
        for _ in range(400)
    ]
    assert np.mean(np.array(found) >= 1) <= 0.1


def test_what_is_unclear():
    def interval(low, high, mean):
        return Interval(mean, low, high, "a way")

    wide = interval(83, 97, 90)
    assert is_unclear(wide, wide, golden=90)
    assert is_unclear(wide, wide, golden=95)
    assert not is_unclear(wide, wide, golden=70)
    # All trials agree, which is no proof.
    point = interval(90, 90, 90)
    assert is_unclear(point, wide, golden=90)
    assert is_unclear(point, wide, golden=95)
    assert not is_unclear(point, interval(89.9, 90.1, 90), golden=95)


def test_a_curve_in_a_few_numbers_by_their_names():
    curve = flat([10, 50], [89.5, 83], 90, trials=500)
    assert summaries(curve) == {
        "area_under_curve": curve.area(),
        "rate_1_point_lost": pytest.approx(10 + 40 * 0.5 / 6.5),
        "rate_5_points_lost": pytest.approx(10 + 40 * 4.5 / 6.5),
        "rate_50_points_lost": None,
        "largest_rate_surely_under_1_point_lost": None,
        "largest_rate_surely_under_5_points_lost": 10,
    }
    assert not any(name.startswith("largest") for name in summaries(curve, 0.5))


@pytest.mark.parametrize("rates", [[10], [0, 10]])
def test_one_point_makes_no_curve(rates):
    found = summaries(flat(rates, [90, 87][-len(rates) :], 90, trials=1000))
    assert found == {
        "largest_rate_surely_under_1_point_lost": None,
        "largest_rate_surely_under_5_points_lost": 10,
    }


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.1, 30))
def test_more_points_are_tolerated_at_no_lower_rate(seed, points):
    curve = random_curve(seed)
    low, high = tolerated(curve, points), tolerated(curve, points * 2)
    assert (low or 0) <= (high or 0)
    fallen = curve.rate_at_drop(points)
    if low is not None and fallen is not None:
        assert low < fallen


GOOD = {"rates": [1, 2], "accuracies": np.full((2, 3), 50.0), "golden": 50}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": []},
        {"rates": [1, 1]},
        {"rates": [-1, 1]},
        {"rates": [1, 2, 3]},
        {"rates": [0], "accuracies": np.full((1, 3), 50.0)},
        {"accuracies": np.full((2, 1), 50.0)},
        {"accuracies": [50.0, 50.0]},
        {"accuracies": np.full((2, 3), 101.0)},
        {"accuracies": np.full((2, 3), np.nan)},
        {"golden": 101},
    ],
)
def test_refuses_what_is_no_curve(wrong):
    Curve(**GOOD)
    with pytest.raises(BadInput, match="Expected") as caught:
        Curve(**{**GOOD, **wrong})
    assert "\n" not in str(caught.value)
