"""What a campaign found, packed, against plain loops over trials and images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ftnoise.faults.outcomes import NUMBERS, OUTCOMES, Outcomes, TrialResults
from ftnoise.faults.rates import Count, Share

RATES = (Share(rate=0.1), Share(rate=0.5), Count(faults=3))
CLASSES = 4


def drawn(trials, images, golden, seed=0):
    draw = np.random.default_rng(seed)
    correct, numbers = draw.random((trials, images)) < 0.7, draw.random((4, trials))
    right = np.full(trials, float(golden.sum()))
    return TrialResults(correct, *numbers, right, draw.integers(0, 9, (trials, len(OUTCOMES))))


def outcomes_of(rates, golden, y, results):
    return Outcomes(rates, golden, y, [one.to_arrays() for one in results])


def one_trial(golden, y, correct):
    golden, correct = np.array(golden, bool), np.array([correct], bool)
    right = np.array([float(golden.sum())])
    results = TrialResults(correct, *np.zeros((4, 1)), right, np.zeros((1, len(OUTCOMES))))
    return outcomes_of([Count(faults=1)], golden, np.array(y), [results])


def made(images=21, trials=(5, 2, 0), seed=0):
    """Outcomes with these numbers of trials, and the results they are made of."""
    draw = np.random.default_rng(seed + 100)
    y = draw.permutation(np.arange(images) % CLASSES)
    golden = draw.random(images) < 0.8
    results = [drawn(count, images, golden, seed + n) for n, count in enumerate(trials)]
    return outcomes_of(RATES, golden, y, results), results


@pytest.mark.parametrize("images", [1, 7, 8, 9, 21])
def test_the_bits_come_back_whatever_the_number_of_images(images):
    found, outcomes = made(images)
    assert [found.trials(site) for site in range(3)] == [5, 2, 0]
    for site, outcome in enumerate(outcomes):
        np.testing.assert_array_equal(found.correct(site), outcome.correct)
        assert found.results[site]["correct"].nbytes == len(outcome.correct) * -(-images // 8)
        for name in NUMBERS:
            np.testing.assert_array_equal(found.results[site][name], getattr(outcome, name))


def test_accuracies_and_outcomes_are_those_of_plain_loops():
    found, outcomes = made()
    assert found.golden_accuracy == pytest.approx(100 * sum(found.golden) / 21, rel=1e-12)
    for site, outcome in enumerate(outcomes):
        accuracies, classes = [], []
        for bits in outcome.correct:
            accuracies.append(100 * sum(bool(bit) for bit in bits) / 21)
            by_class = [[bits[n] for n in range(21) if found.y[n] == c] for c in range(CLASSES)]
            classes.append([100 * sum(own) / len(own) for own in by_class])
        np.testing.assert_allclose(found.accuracies(site), accuracies, rtol=1e-12)
        rates = found.outcome_rates(site)
        for name, counts in zip(OUTCOMES, outcome.outcomes.T, strict=True):
            of = {"sdc_rate": sum(found.golden), "repaired_rate": 21 - sum(found.golden)}
            np.testing.assert_allclose(rates[name], 100 * counts / of.get(name, 21), rtol=1e-12)
        expected = np.array(classes).reshape(-1, CLASSES)
        np.testing.assert_allclose(found.class_accuracies(site), expected, rtol=1e-6)


def test_a_network_that_draws_is_compared_with_each_draw_by_itself():
    found, (one, *_) = made(trials=(3, 0, 0))
    right = np.array([10.0, 12.0, 20.0])
    one = dataclasses.replace(one, golden_right=right)
    found = outcomes_of(RATES[:1], found.golden, found.y, [one])
    assert found.golden_accuracy == pytest.approx(100 * 14 / 21)
    counts = one.outcomes[:, list(OUTCOMES).index("sdc_rate")]
    np.testing.assert_allclose(found.outcome_rates(0)["sdc_rate"], 100 * counts / right)
    counts = one.outcomes[:, list(OUTCOMES).index("repaired_rate")]
    np.testing.assert_allclose(found.outcome_rates(0)["repaired_rate"], 100 * counts / (21 - right))


def test_a_class_without_images_has_no_accuracy():
    found = outcomes_of(
        (Count(faults=1),),
        np.ones(3, bool),
        np.array([0, 2, 2]),
        [TrialResults(np.array([[True, True, False]]), *np.zeros((5, 1)), np.zeros((1, 8)))],
    )
    np.testing.assert_array_equal(found.class_accuracies(0), [[100, np.nan, 50]])


def test_nothing_is_corrupted_or_repaired_where_there_is_nothing_of_the_kind():
    for golden, missing in ((np.zeros(3), "sdc_rate"), (np.ones(3), "repaired_rate")):
        found = one_trial(golden, [0, 1, 2], [1, 0, 0])
        assert found.outcome_rates(0)[missing].tolist() == [0]


def test_trials_with_values_and_with_outputs_that_are_not_finite_are_counted():
    counts = np.zeros((4, len(OUTCOMES)))
    counts[:2, 0] = 3
    put = np.array([0.0, 1.0, 1.0, 1.0])
    results = TrialResults(np.ones((4, 5), bool), *np.zeros((2, 4)), put, put, put, counts)
    found = outcomes_of([Count(faults=1)], np.ones(5, bool), np.zeros(5, int), [results])
    assert found.trials_not_finite(0) == (3, 2)


@pytest.mark.parametrize("trials", [(5, 2, 3), (0, 4, 0), (0, 0, 0)])
def test_arrays_give_all_of_it_back(trials):
    found, _ = made(trials=trials)
    again = Outcomes.from_arrays(RATES, found.y, found.to_arrays())
    assert again.rates == RATES
    np.testing.assert_array_equal(again.golden, found.golden)
    for site, count in enumerate(trials):
        assert again.trials(site) == count
        np.testing.assert_array_equal(again.correct(site), found.correct(site))
        for name in NUMBERS:
            np.testing.assert_array_equal(again.results[site][name], found.results[site][name])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a: a.pop("golden"), id="no golden"),
        pytest.param(lambda a: a.pop("outcomes"), id="no outcomes"),
        pytest.param(lambda a: a.update(trials=np.array([5, 2])), id="other rates"),
        pytest.param(lambda a: a.update(trials=np.array([5, 2, 1])), id="other trials"),
        pytest.param(lambda a: a.update(correct=a["correct"][:-1]), id="a trial less"),
        pytest.param(lambda a: a.update(faults=a["faults"][:-1]), id="numbers of fewer trials"),
        pytest.param(lambda a: a.update(output_deviation_max=np.zeros(0)), id="no distances"),
    ],
)
def test_arrays_of_something_else_are_refused(change):
    found, _ = made()
    arrays = found.to_arrays()
    change(arrays)
    with pytest.raises((ValueError, KeyError)):
        Outcomes.from_arrays(RATES, found.y, arrays)


def test_the_output_deviation_is_over_trials_that_leave_finite_outputs():
    far = np.array([1.0, np.inf, 3.0])
    counts = np.zeros((3, len(OUTCOMES)))
    some = TrialResults(np.ones((3, 4), bool), far, 2 * far, *np.ones((3, 3)), counts)
    far, one = far[1:2], np.ones(1)
    none = TrialResults(np.ones((1, 4), bool), far, far, one, one, one, counts[:1])
    found = outcomes_of(RATES[:2], np.ones(4, bool), np.zeros(4, int), [some, none])
    assert found.output_deviation(0) == (2.0, 6.0)
    assert found.output_deviation(1) == (np.inf, np.inf)
