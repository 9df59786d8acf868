"""Paired t tests against SciPy, and Holm's correction against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.errors import BadInput
from ftnoise.stats_pairs_tmp import holm, paired


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize("count", [2, 3, 50])
def test_a_paired_test_is_that_of_scipy(count, confidence):
    first, second = np.random.default_rng(count).normal([[0.2], [0.0]], 1.0, (2, count))
    found, known = paired(first, second, confidence), scipy.stats.ttest_rel(first, second)
    interval = known.confidence_interval(confidence)
    expected = [np.mean(first - second), *interval, known.pvalue]
    assert [found.mean, found.low, found.high, found.p] == pytest.approx(expected, rel=1e-9)
    assert found.count == count


@pytest.mark.parametrize(("step", "p"), [(0.0, 1.0), (2.0, 0.0)])
def test_differences_that_are_all_the_same(step, p):
    found = paired([1.0 + step, 3.0 + step], [1.0, 3.0])
    assert (found.mean, found.low, found.high, found.p) == (step, step, step, p)


@pytest.mark.parametrize(("first", "second"), [([1.0], [2.0]), ([1.0, 2.0], [1.0]), ([], [])])
def test_pairs_are_two_or_more(first, second):
    with pytest.raises(BadInput, match="two or more pairs"):
        paired(first, second)


def test_holms_own_steps():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.99))
def test_holm_rejects_what_his_procedure_rejects(p_values, level):
    adjusted = holm(p_values)
    rejected = set()
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - rank) * p_values[i] > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
    assert all(0 <= before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
