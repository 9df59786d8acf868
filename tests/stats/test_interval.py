"""Student's interval by name, and what its half-width is."""

from __future__ import annotations

import pytest
from scipy import stats as scipy_stats

from ftnoise.errors import BadInput
from ftnoise.stats.interval import Interval, student_interval


def test_students_interval_is_scipys():
    values = [0.71, 0.8, 0.85, 0.79]
    found = student_interval(values, 0.9)
    low, high = scipy_stats.t.interval(0.9, 3, sum(values) / 4, scipy_stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.half_width == pytest.approx((high - low) / 2)
    assert (found.count, found.confidence, found.method) == (4, 0.9, "Student's t interval")


def test_the_half_width_is_the_longer_side():
    assert Interval(0.8, 0.5, 0.9, 3, 0.95, "a way").half_width == pytest.approx(0.3)
    assert Interval(0.8, 0.7, 1.0, 3, 0.95, "a way").half_width == pytest.approx(0.2)
    # The mean may lie outside of what all earlier intervals left.
    assert Interval(0.8, 0.6, 0.7, 3, 0.95, "a way").half_width == pytest.approx(0.2)
    assert Interval(None, 0.0, 1.0, 0, 0.95, "a way").half_width == 1


@pytest.mark.parametrize("values", [[], [0.5], [0.5, float("nan")]])
def test_takes_two_finite_values(values):
    with pytest.raises(BadInput, match="values"):
        student_interval(values)
