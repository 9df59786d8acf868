"""Trials come of a seed and a number alone, and hit all sites alike."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.faults.effects import BitFlip, Drift, RandomValue, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Bernoulli, Count, Share, first_distinct
from ftnoise.faults.trials import TrialSampler, TrialStream
from ftnoise.faults.where import Weights
from tests.faults.networks import made

GRIDS = ((5,), (3, 4), (8,))
PLACES = 25


class Own(TrialSampler):
    """Takes the rate of its fault, where none is given."""

    def trial(self, number, rate=None):
        return super().trial(number, rate or self.fault.rate)


def sampler(rate, seed=0, what=None, grids=GRIDS, **where):
    targets = [
        SimpleNamespace(name=str(n), grid=grid, size=int(np.prod(grid)))
        for n, grid in enumerate(grids)
    ]
    return Own(Fault(where=Weights(**where), what=what or StuckAt(), rate=rate), targets, seed)


def flat(trial):
    return np.concatenate([hit.ravel() for hit in trial.hits])


def table(trial):
    return [hit.astype(int).tolist() for hit in trial.hits]


# What the generator gives must never change: stored results rest on it.
GOLDEN_HITS = [
    [0, 0, 0, 0, 0],
    [[0, 1, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1]],
    [0, 1, 0, 0, 1, 0, 1, 0],
]
GOLDEN_DRAWS = [0.129693061, -0.166249171, -0.76666224, 0.635722399, 1.99733877]
GOLDEN_BITS = [6, 2, 20, 17, 27]


def test_a_trial_names_what_it_hits():
    trial = sampler(Share(rate=0.4), seed=7).trial(3)
    assert trial.names == ("0", "1", "2")
    sites = [(name, positions.tolist()) for name, positions in trial.sites]
    two = [[0, 1], [1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]
    assert sites == [("1", two), ("2", [[1], [4], [6]])]
    assert str(trial) == (f"1: 7 hit, at {', '.join(map(str, two))}\n2: 3 hit, at [1], [4], [6]")
    assert str(sampler(Count(faults=0)).trial(0)) == "no site hit"
    many = str(sampler(Share(rate=1.0), grids=((5,), (3, 4))).trial(0)).splitlines()
    assert many[1].endswith("[2, 1] and 2 more")
    stream = TrialStream(sampler(Count(faults=2)), 0, Count(faults=2)).trial(3)
    assert {name for name, _ in stream.sites} <= {"0", "1", "2"}
    assert all(positions.shape[1] in (2, 3) for _, positions in stream.sites)


def test_golden_trials():
    assert table(sampler(Share(rate=0.4), seed=7).trial(3)) == GOLDEN_HITS
    drift = sampler(Count(faults=1), seed=7, what=Drift(sigma=1)).trial(3).draws[0]
    np.testing.assert_array_equal(drift, np.float32(GOLDEN_DRAWS))
    flips = sampler(Count(faults=1), seed=7, what=BitFlip()).trial(3).draws[0]
    assert flips.tolist() == [2**bit for bit in GOLDEN_BITS]


def test_a_mask_is_the_same_whoever_draws_it_and_whenever():
    one, other = sampler(Share(rate=0.4), seed=1), sampler(Share(rate=0.4), seed=1)
    first = [flat(one.trial(number)) for number in range(5)]
    np.random.seed(3)  # noqa: NPY002
    tf.random.set_seed(3)
    again = [flat(other.trial(number)) for number in reversed(range(5))][::-1]
    np.testing.assert_array_equal(first, again)


def test_masks_do_not_depend_on_the_networks_weights():
    network, *_ = made("convolutions")
    fault = parse_fault("weights:stuck_at_zero:0.3")
    before = flat(Own(fault, fault.where.targets(network), 0).trial(0))
    for weight in network.weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(
        flat(Own(fault, fault.where.targets(network), 0).trial(0)), before
    )


def deviation(draw, trials=3000, faults=3):
    """How far the hits of sites are from even, in sigmas; 0 is as even as chance makes it.

    Of `faults` sites of `PLACES` without replacement, a site has the variance p (1 - p), and the
    sum over sites of squared deviations, in that unit, is chi-square with one freedom less.
    """
    hits = sum(draw(number).astype(float) for number in range(trials))
    p = faults / PLACES
    found = np.sum((hits - trials * p) ** 2) / (trials * p * (1 - p))
    freedom = PLACES - 1
    return (found * freedom / PLACES - freedom) / np.sqrt(2 * freedom)


def test_all_places_are_hit_alike():
    found = np.stack([flat(sampler(Count(faults=3)).trial(number)) for number in range(3000)])
    assert (found.sum(axis=1) == 3).all()
    # Two-sided: neither uneven nor too even.
    assert abs(deviation(lambda number: found[number])) < 3


def draws_again(number):
    """With replacement: fewer faults than asked."""
    hit = np.zeros(PLACES, bool)
    hit[np.random.default_rng(number).integers(0, PLACES, 3)] = True
    return hit


def skips_the_last_site(number):
    hit = np.zeros(PLACES, bool)
    hit[np.random.default_rng(number).choice(PLACES - 8, 3, replace=False)] = True
    return hit


def starts_in_the_first_site(number):
    hit = np.zeros(PLACES, bool)
    generator = np.random.default_rng(number)
    hit[generator.integers(5)] = True
    hit[5 + generator.choice(PLACES - 5, 2, replace=False)] = True
    return hit


def one_after_the_other(number):
    """Too even to be random."""
    return np.isin(np.arange(PLACES), [(3 * number + n) % PLACES for n in range(3)])


@pytest.mark.parametrize(
    "wrong", [draws_again, skips_the_last_site, starts_in_the_first_site, one_after_the_other]
)
def test_places_that_are_not_hit_alike_are_noticed(wrong):
    right_count = all(wrong(number).sum() == 3 for number in range(50))
    assert right_count == (wrong is not draws_again)
    assert abs(deviation(wrong)) > 3 or not right_count


def test_a_single_fault_is_in_each_site_as_often_as_it_has_sites():
    one = sampler(Count(faults=1))
    targets = [next(n for n, hit in enumerate(one.trial(k).hits) if hit.any()) for k in range(3000)]
    for n, size in enumerate([5, 12, 8]):
        p = size / PLACES
        assert abs(targets.count(n) - 3000 * p) < 5 * np.sqrt(3000 * p * (1 - p))


@pytest.mark.parametrize(
    "other",
    [
        lambda n: sampler(Bernoulli(rate=0.5), seed=0).trial(n + 1),
        lambda n: sampler(Bernoulli(rate=0.5), seed=1).trial(n),
    ],
    ids=["numbers", "seeds"],
)
def test_masks_of_other_numbers_and_seeds_are_independent(other):
    mine = np.stack([flat(sampler(Bernoulli(rate=0.5)).trial(n)) for n in range(0, 800, 2)])
    theirs = np.stack([flat(other(n)) for n in range(0, 800, 2)])
    products = (2.0 * mine - 1) * (2.0 * theirs - 1)
    assert abs(products.mean()) < 5 / np.sqrt(products.size)
    # And no site by itself.
    assert np.abs(products.mean(axis=0)).max() < 5 / np.sqrt(len(products))


def test_draws_belong_to_places_and_not_to_the_amount_or_to_what_is_hit():
    few, many = (sampler(Share(rate=rate), what=Drift(sigma=1)).trial(2) for rate in (0.1, 0.9))
    for a, b, hit in zip(few.draws, many.draws, few.hits, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == hit.shape
    other = sampler(Share(rate=0.1), what=Drift(sigma=1)).trial(3)
    assert (few.draws[1] != other.draws[1]).all()
    assert not np.isin(few.draws[0], few.draws[2]).any()
    assert sampler(Share(rate=0.1)).trial(2).draws == (None, None, None)


def test_only_the_chosen_places_are_hit():
    chosen = (11, 2, 7)
    one = sampler(Share(rate=1), grids=((3, 4),), layers=("x",), indices=chosen)
    assert one.site_count == 3
    assert np.flatnonzero(one.trial(0).hits[0]).tolist() == sorted(chosen)
    half = sampler(Count(faults=1), grids=((3, 4),), layers=("x",), indices=chosen)
    hit = {int(np.flatnonzero(half.trial(number).hits[0])[0]) for number in range(40)}
    assert hit == set(chosen)


@pytest.mark.parametrize("what", [StuckAt(), Drift(sigma=1), BitFlip(), RandomValue()])
@pytest.mark.parametrize("rate", [Share(rate=0.3), Bernoulli(rate=0.3)])
def test_a_stream_does_not_depend_on_how_it_is_cut(what, rate):
    one = sampler(rate, what=what)
    whole = TrialStream(one, 4, one.fault.rate).trial(10)
    cut = TrialStream(one, 4, one.fault.rate)
    sizes = {0: (1, 9), 1: (4, 3, 3), 2: (10,)}
    for target, parts in sizes.items():
        taken = [cut.take(target, part) for part in parts]
        hits = np.concatenate([hit for hit, _ in taken])
        np.testing.assert_array_equal(hits, whole.hits[target])
        if whole.draws[target] is not None:
            draws = np.concatenate([draw for _, draw in taken])
            np.testing.assert_array_equal(draws, whole.draws[target])


def test_a_stream_begins_with_the_permanent_mask_and_goes_on_with_others():
    one = sampler(Share(rate=0.4), what=Drift(sigma=1))
    stream, trial = TrialStream(one, 4, one.fault.rate).trial(50), one.trial(4)
    for streamed, permanent in zip(
        stream.hits + stream.draws, trial.hits + trial.draws, strict=True
    ):
        np.testing.assert_array_equal(streamed[0], permanent)
    hits = np.concatenate([hit.reshape(50, -1) for hit in stream.hits], axis=1)
    np.testing.assert_array_equal(hits.sum(axis=1), 10)
    assert len(np.unique(hits, axis=0)) == 50
    assert len(np.unique(stream.draws[1].ravel())) == 50 * 12


# Few of many sites, by the first of a stream.


@pytest.fixture
def streamed(monkeypatch):
    """All networks have many sites, and a fifth of them comes from the stream."""
    monkeypatch.setattr("ftnoise.faults.trials.MANY_SITES", 1)
    monkeypatch.setattr("ftnoise.faults.trials.FIRST_SHARE", 0.2)


def test_the_first_distinct_are_those_of_a_plain_loop():
    for seed in range(20):
        stream = (np.random.default_rng(seed).random(100) * 30).astype(int)
        found = first_distinct(np.random.default_rng(seed), 30, 12)
        assert found.tolist() == list(dict.fromkeys(stream.tolist()))[:12]
    assert len(first_distinct(np.random.default_rng(0), 30, 0)) == 0


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("faults", [3, 9])
def test_places_of_a_stream_are_hit_alike(faults):
    # Three are of the stream alone; of nine, four have the smallest keys of the others.
    found = np.stack([flat(sampler(Count(faults=faults)).trial(number)) for number in range(3000)])
    assert (found.sum(axis=1) == faults).all()
    assert abs(deviation(lambda number: found[number], faults=faults)) < 3
    # Pairs too: each site as often with the first one as any other.
    pairs = found[found[:, 0], 1:].sum(axis=0)
    trials, p = found[:, 0].sum(), (faults - 1) / (PLACES - 1)
    assert np.abs(pairs - trials * p).max() < 5 * np.sqrt(trials * p * (1 - p))
    other = np.stack([flat(sampler(Count(faults=faults), 1).trial(n)) for n in range(3000)])
    assert (other != found).any(axis=1).mean() > 0.9


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("what", [StuckAt(), Drift(sigma=1), BitFlip()])
def test_places_of_a_stream_are_nested_with_their_values(what):
    one = sampler(Count(faults=1), what=what)
    for number in range(20):
        trials = [one.trial(number, Count(faults=faults)) for faults in range(PLACES + 1)]
        hits = [flat(trial) for trial in trials]
        assert [hit.sum() for hit in hits] == [trial.count for trial in trials] == [*range(26)]
        assert all((low <= high).all() for low, high in pairwise(hits))
        shares = [flat(one.trial(number, Share(rate=faults / PLACES))) for faults in range(26)]
        np.testing.assert_array_equal(shares, hits)
        if trials[0].draws[0] is not None:
            draws = [np.concatenate([d.ravel() for d in trial.draws]) for trial in trials]
            for hit, draw in zip(hits, draws, strict=True):
                # The value of a site is the same at every rate at which it is hit.
                np.testing.assert_array_equal(draw[hit], draws[-1][hit])


@pytest.mark.usefixtures("streamed")
def test_few_hits_are_those_of_the_masks():
    one = sampler(Count(faults=1), what=Drift(sigma=1))
    trial = one.trial(5, Count(faults=5))
    for n, (hit, draw) in enumerate(trial.pairs):
        positions, values = trial.few.get(n, ([], []))
        mask = np.zeros(hit.size, bool)
        mask[positions] = True
        np.testing.assert_array_equal(mask.reshape(hit.shape), hit)
        np.testing.assert_array_equal(draw.ravel()[positions], values)
    assert sum(len(name) for name, _ in trial.sites) > 0
    assert one.trial(5, Count(faults=6)).few is None


def test_networks_with_fewer_sites_keep_theirs():
    assert sampler(Count(faults=3)).trial(0).few is None


@pytest.mark.usefixtures("streamed")
def test_transient_faults_and_chosen_places_have_keys():
    fault = Fault(where=Weights(), what=StuckAt(), rate=Count(faults=3), transient=True)
    one = TrialSampler(fault, sampler(Count(faults=3)).targets, 0)
    first = TrialStream(one, 4, fault.rate).trial(1).first()
    np.testing.assert_array_equal(flat(one.trial(4, fault.rate)), flat(first))
    chosen = sampler(Count(faults=2), grids=((3, 4),), layers=("x",), indices=(11, 2, 7))
    assert chosen.trial(0).count == 2
    assert chosen.trial(0).few is None
