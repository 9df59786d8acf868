"""Intervals hold the truth as often as they say, where the truth is known: all trials enumerated.

The network has 15 hidden neurons, of which exactly 3 crash: 455 trials, whose mean accuracy is the
truth. 1,000 campaigns are drawn as the product draws them, each with a seed of its own, and what
each trial does is looked up in a table that `Campaign` made once. An interval may miss in 5 % of
campaigns; of 1,000 that count has a standard deviation of 6.9, so Student's interval, which is
about right and no more, is allowed 3 of them: 92.9 %. The distribution-free ones promise 95 % and
hold more (99 %), so 400 campaigns are enough for sweeps, which draw until they stop: all but 1e-7
of such samples pass. Ways that are known to be wrong go through the same check and have to fail.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from scipy.stats import chi2

from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import TrialResults
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Bernoulli, Count, Rate, Share
from ftnoise.faults.sweep import sweep
from ftnoise.faults.trials import TrialSampler
from ftnoise.stats import proportion_interval
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.comparing import paired
from ftnoise.stats.interval import student_interval
from tests.faults.networks import made

NEURONS, CRASHED = 15, 3
SUBSETS = math.comb(NEURONS, CRASHED)
CAMPAIGNS, TRIALS, IMAGES = 1000, 40, 48
SWEEPS = 400
PROMISED = 0.95
ALLOWED = PROMISED - 3 * math.sqrt(0.05 * 0.95 / CAMPAIGNS)
FAULT = parse_fault(f"neurons:stuck_at_zero:n={CRASHED}")
AIM = Precision(half_width=6.0, most=400)


def key(trial) -> bytes:
    return np.packbits(np.concatenate([hit.ravel() for hit in trial.hits])).tobytes()


@functools.cache
def networks():
    """Two networks of one architecture, the second a little off; both know the first's answers."""
    network, x, y = made("dense", IMAGES)
    first = Campaign(network, x, y, FAULT)
    y = first.golden.argmax(axis=1)
    tables = [table(Campaign(network, x, y, FAULT))]
    draw = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign_add(0.1 * draw.normal(size=weight.shape).astype(np.float32))
    tables.append(table(Campaign(network, x, y, FAULT)))
    return first.targets, tables


def table(campaign: Campaign) -> dict[bytes, np.ndarray]:
    """Whether the network is right on each image, for each of all trials."""
    numbers: dict[bytes, int] = {}
    for number in itertools.count():
        numbers.setdefault(key(campaign.sampler.trial(number, FAULT.rate)), number)
        if len(numbers) == SUBSETS:
            break
    correct = campaign.run(list(numbers.values()), FAULT.rate).correct
    return dict(zip(numbers, correct, strict=True))


def truth(network: int = 0) -> float:
    """The mean accuracy over all trials, in percent."""
    return 100 * float(np.mean(list(networks()[1][network].values())))


@functools.cache
def sampler(seed: int) -> TrialSampler:
    """That of a campaign."""
    return TrialSampler(FAULT, networks()[0], seed)


@functools.cache
def hit(seed: int, number: int) -> bytes:
    """A trial of a campaign, the same for both networks."""
    return key(sampler(seed).trial(number, FAULT.rate))


class Replay:
    """A campaign with a seed of its own that looks up what its trials do."""

    trials_per_call = 10
    fault, site_count = FAULT, NEURONS
    y, golden, correct = np.zeros(IMAGES, int), np.zeros(IMAGES), np.ones(IMAGES, bool)

    def __init__(self, seed: int, network: int = 0) -> None:
        self.seed, self.sampler, self.known = seed, sampler(seed), networks()[1][network]

    def run(self, numbers, rate: Rate) -> TrialResults:
        assert rate == FAULT.rate
        correct = np.stack([self.known[hit(self.seed, number)] for number in numbers])
        return TrialResults(correct, *np.zeros((5, len(correct))), np.zeros((len(correct), 8)))


@functools.cache
def campaigns(network: int = 0) -> np.ndarray:
    """Correctness bits of `TRIALS` trials of each campaign, `[campaigns, trials, images]`."""
    found = [Replay(seed, network) for seed in range(CAMPAIGNS)]
    return np.stack([one.run(range(TRIALS), FAULT.rate).correct for one in found])


def accuracies(network: int = 0) -> np.ndarray:
    """In percent, `[campaigns, trials]`."""
    return 100 * campaigns(network).mean(axis=2)


def check(intervals, true: float, least: float, campaigns: int = CAMPAIGNS) -> float:
    """The share of intervals that hold the truth, which has to be `least`."""
    held = np.mean([low <= true <= high for low, high in intervals])
    assert len(intervals) == campaigns
    assert held >= least
    return float(held)


def fails(intervals) -> None:
    with pytest.raises(AssertionError, match=r"assert .* >= "):
        check(intervals, truth(), ALLOWED)


def ends(intervals):
    return [(one.low, one.high) for one in intervals]


def test_the_truth_is_that_of_all_trials_and_they_differ():
    _, (first, second) = networks()
    assert len(first) == len(second) == SUBSETS
    spreads = [100 * np.mean(list(one.values()), axis=1).std() for one in (first, second)]
    assert min(spreads) > 5
    assert abs(truth(0) - truth(1)) > 1


def test_students_interval_at_a_fixed_number_of_trials():
    held = check(ends(map(student_interval, accuracies())), truth(), ALLOWED)
    # An interval that is twice as wide would hold it nearly always.
    assert held < 0.98


def test_the_distribution_free_interval_at_a_fixed_number_of_trials():
    check(ends(bounded_interval(row, high=100.0) for row in accuracies()), truth(), PROMISED)


def test_the_confidence_sequence_where_a_sweep_stops():
    intervals, counts = [], []
    for seed in range(SWEEPS):
        found = sweep(Replay(seed), [FAULT.rate], precision=AIM)
        sequence = AIM.sequence()
        sequence.update(found.accuracies(0))
        intervals.append(sequence.interval)
        counts.append(found.trials(0))
    check(ends(intervals), truth(), PROMISED, SWEEPS)
    assert max(one.half_width for one in intervals) <= AIM.half_width
    # They stop at different times, none at once and none at the last moment.
    assert 10 < min(counts) < max(counts) < AIM.most


def test_the_paired_interval_of_two_networks_under_the_same_trials():
    first, second = accuracies(0), accuracies(1)
    true = truth(0) - truth(1)
    pairs = [paired(one, two) for one, two in zip(first, second, strict=True)]
    held = check(ends(pairs), true, ALLOWED)
    assert held < 0.98
    # What the trials have in common is not in it.
    alone = np.sqrt(first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)).mean()
    assert (first - second).std(axis=1, ddof=1).mean() < alone


def test_trials_times_images_are_no_independent_trials():
    hits = campaigns().sum(axis=(1, 2))
    trials = [proportion_interval(int(count), TRIALS * IMAGES) for count in hits]
    fails([(100 * low, 100 * high) for low, high in trials])


def test_students_interval_is_not_for_one_who_stops_where_it_suits():
    def stopped(row):
        looks = (student_interval(row[:count]) for count in range(3, TRIALS, 3))
        narrow = (one for one in looks if one.half_width <= AIM.half_width)
        return next(narrow, student_interval(row))

    fails(ends(map(stopped, accuracies())))


def test_a_repeated_trial_is_no_new_one():
    again = np.repeat(accuracies()[:, : TRIALS // 2], 2, axis=1)
    fails(ends(map(student_interval, again)))


def test_the_paired_interval_needs_the_same_trials():
    # Each on trials of its own, but sorted: pairs that never were together.
    sorted_pairs = zip(np.sort(accuracies(0)), np.sort(accuracies(1)[::-1]), strict=True)
    held = [paired(one, two) for one, two in sorted_pairs]
    true = truth(0) - truth(1)
    with pytest.raises(AssertionError, match=r"assert .* >= "):
        check(ends(held), true, ALLOWED)


# Which sites are hit.

PLACES = 10


def p_value(hits: np.ndarray, expected: np.ndarray) -> float:
    """Of Pearson's chi-square test that sets of sites come as often as expected."""
    codes = hits @ (1 << np.arange(hits.shape[1]))
    counts = np.bincount(codes, minlength=len(expected))
    possible = expected > 0
    assert not counts[~possible].any(), "sites that cannot be hit together"
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    return float(chi2.sf(statistic, possible.sum() - 1))


def drawn(rate: Rate, sizes=(PLACES,), trials=12_000, coarse=0) -> np.ndarray:
    """Trials from consecutive numbers, bool `[trials, sites]`; keys lose `coarse` bits."""
    empty = TrialSampler(FAULT, (), 11)
    empty.sizes = list(sizes)
    found = [empty.keys(number)(1)[0] >> coarse << coarse for number in range(trials)]
    return np.stack([rate.hits(keys, sizes) for keys in found])


def exactly(faults: int, trials: int) -> np.ndarray:
    """How often each set of that number of sites is expected."""
    sets = np.array([code.bit_count() == faults for code in range(1 << PLACES)])
    return trials * sets / sets.sum()


@pytest.mark.parametrize("faults", [1, 3, 7])
def test_every_set_of_places_comes_equally_often(faults):
    hits = drawn(Count(faults=faults))
    found = p_value(hits, exactly(faults, len(hits)))
    # Drawn evenly, but not too evenly.
    assert 1e-3 < found < 1 - 1e-3
    rate = Share(rate=faults / PLACES)
    np.testing.assert_array_equal(drawn(rate, trials=100), hits[:100])


def test_a_share_of_each_site_and_each_place_by_itself_too():
    codes = np.arange(1 << PLACES)
    first = np.array([int(code & 15).bit_count() for code in codes])
    second = np.array([int(code >> 4).bit_count() for code in codes])
    halves = (first == 2) & (second == 3)
    hits = drawn(Share(rate=0.5, per_tensor=True), sizes=(4, 6))
    assert 1e-3 < p_value(hits, len(hits) * halves / halves.sum()) < 1 - 1e-3

    hits = drawn(Bernoulli(rate=0.4))
    chances = 0.4 ** (first + second) * 0.6 ** (PLACES - first - second)
    assert 1e-3 < p_value(hits, len(hits) * chances) < 1 - 1e-3
    wrong = 0.42 ** (first + second) * 0.58 ** (PLACES - first - second)
    assert p_value(hits, len(hits) * wrong) < 1e-6


def test_a_draw_that_prefers_the_first_places_is_noticed():
    # Keys with 16 values only: of equal ones the first are hit.
    hits = drawn(Count(faults=3), coarse=60)
    assert p_value(hits, exactly(3, len(hits))) < 1e-6


def test_a_share_of_all_places_is_not_a_share_of_each_site():
    hits = drawn(Share(rate=0.5, per_tensor=True), sizes=(4, 6))
    assert p_value(hits, exactly(5, len(hits))) < 1e-6
