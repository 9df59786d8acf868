"""How many sites are hit, exactly; and that the smallest keys are the smallest keys."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.core.errors import BadInput
from ftnoise.faults.rates import Bernoulli, Count, Share, smallest

RATES = st.floats(0, 1)
TOP = 2**64 - 1


def keys(count, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 2**64, count, np.uint64)


@given(sites=st.integers(1, 3000), rate=RATES)
def test_a_share_is_exact_to_the_nearest_whole_number(sites, rate):
    hit = Share(rate=rate).hits(keys(sites), [sites])
    assert hit.shape == (sites,)
    assert hit.dtype == bool
    assert abs(hit.sum() - Fraction(rate) * sites) <= Fraction(1, 2) + Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("rate", "sites", "hit"),
    [
        (0.5, 1, 1),
        (0.5, 3, 2),
        (0.25, 2, 1),
        (0.1, 669_706, 66_971),
        (0.1, 4, 0),
        (0.0, 9, 0),
        (1.0, 9, 9),
        (5e-324, 9, 0),
        (1 - 1e-16, 9, 9),
    ],
)
def test_halves_are_rounded_up(rate, sites, hit):
    assert Share(rate=rate).hits(keys(sites), [sites]).sum() == hit


@given(sites=st.integers(1, 500), data=st.data())
def test_a_count_is_exact(sites, data):
    faults = data.draw(st.integers(0, sites))
    assert Count(faults=faults).hits(keys(sites), [sites]).sum() == faults


def reference(found, count):
    hit = np.zeros(len(found), bool)
    hit[np.argsort(found, kind="stable")[:count]] = True
    return hit


@given(sites=st.integers(1, 400), data=st.data())
def test_the_smallest_are_those_of_a_full_sort(sites, data):
    count = data.draw(st.integers(0, sites))
    found = keys(sites, data.draw(st.integers(0, 1000)))
    np.testing.assert_array_equal(smallest(found, count), reference(found, count))


@given(
    found=st.lists(st.sampled_from([0, 1, 2, 2**63, TOP - 1, TOP]), min_size=1, max_size=40),
    data=st.data(),
)
def test_of_equal_keys_the_first_ones_are_taken(found, data):
    found = np.array(found, np.uint64)
    count = data.draw(st.integers(0, len(found)))
    np.testing.assert_array_equal(smallest(found, count), reference(found, count))


@pytest.mark.parametrize("low", [0, 2**40, 2**63, TOP - 2**20])
@pytest.mark.parametrize("count", [1, 17, 500, 983, 999])
def test_keys_that_are_not_uniform_at_all_are_sorted_too(low, count):
    # The band about the expected boundary holds none or all of them.
    found = np.uint64(low) + keys(1000) // np.uint64(2**45)
    np.testing.assert_array_equal(smallest(found, count), reference(found, count))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [1e-6, 1e-3, 0.5, 0.999, 1 - 1e-6])
def test_a_large_network_takes_the_smallest_too(rate, seed):
    found = keys(1_000_003, seed)
    hit = Share(rate=rate).hits(found, [len(found)])
    count = math.floor(rate * len(found) + 0.5)
    assert hit.sum() == count
    assert found[hit].max() < found[~hit].min()


@pytest.mark.parametrize("kind", [Share, Bernoulli])
@given(rates=st.tuples(RATES, RATES))
def test_places_hit_at_a_low_rate_are_hit_at_a_higher_one(kind, rates):
    low, high = (kind(rate=rate).hits(keys(200), [150, 50]) for rate in sorted(rates))
    assert high[low].all()


def test_the_order_of_the_keys_is_that_of_growing_counts():
    found = keys(50)
    steps = [Count(faults=n).hits(found, [50]) for n in range(51)]
    sites = [np.flatnonzero(b & ~a).tolist() for a, b in pairwise(steps)]
    assert sites == [[site] for site in np.argsort(found)]


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6), rate=RATES)
def test_per_site_each_site_has_its_own_share(sizes, rate):
    hit = Share(rate=rate, per_tensor=True).hits(keys(sum(sizes)), sizes)
    parts = np.split(hit, np.cumsum(sizes)[:-1])
    expected = [math.floor(rate * size + 0.5) for size in sizes]
    assert [part.sum() for part in parts] == expected


def test_a_share_of_all_does_not_compound_site_by_site():
    # The targets differ in what is hit of them, the sum is exact.
    sizes = [300, 300, 300]
    counts = []
    for seed in range(40):
        hit = Share(rate=0.3).hits(keys(900, seed), sizes)
        assert hit.sum() == 270
        counts.append([part.sum() for part in np.split(hit, 3)])
    means = np.mean(counts, axis=0)
    sigma = math.sqrt(300 * 0.3 * 0.7 * (2 / 3) / 40)
    assert np.all(np.abs(means - 90) < 5 * sigma)
    assert np.std(counts) > 3


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.9])
def test_bernoulli_has_the_mean_and_the_variance_of_independent_sites(rate):
    sites, trials = 200, 2000
    hits = np.stack([Bernoulli(rate=rate).hits(keys(sites, n), [sites]) for n in range(trials)])
    per_trial = hits.sum(axis=1)
    variance = sites * rate * (1 - rate)
    assert abs(per_trial.mean() - sites * rate) < 5 * math.sqrt(variance / trials)
    # Two-sided: neither an exact count nor sites that fall together.
    assert abs(per_trial.var() / variance - 1) < 5 * math.sqrt(2 / trials + 1 / (trials * variance))


@pytest.mark.parametrize(("rate", "hit"), [(0, 0), (0.0, 0), (1, 100), (1.0, 100)])
def test_bernoulli_at_the_ends_is_nothing_and_everything(rate, hit):
    extremes = np.concatenate([keys(98), np.array([0, TOP], np.uint64)])
    assert Bernoulli(rate=rate).hits(extremes, [100]).sum() == hit


@pytest.mark.parametrize(
    ("rate", "label"),
    [
        (Share(rate=0.5), "50 %"),
        (Share(rate=0.001), "0.1 %"),
        (Count(faults=1), "1 fault"),
        (Count(faults=3), "3 faults"),
        (Bernoulli(rate=0.01), "p = 0.01"),
    ],
)
def test_labels(rate, label):
    assert rate.label == label


@pytest.mark.parametrize("kind", [Share, Bernoulli])
@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, "0.5", True, None])
def test_a_rate_out_of_range_is_refused(kind, rate):
    with pytest.raises(BadInput, match=r"^Expected rate in \[0, 1\]. Received: rate="):
        kind(rate=rate)


def test_more_faults_than_places_are_refused():
    with pytest.raises(BadInput, match=r"^Expected at most 5 faults. Received: faults=6.$"):
        Count(faults=6).hits(keys(5), [5])
    with pytest.raises(BadInput, match="at most 5 faults"):
        Count(faults=6).check(5)
    Share(rate=1).check(0)
