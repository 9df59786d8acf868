"""Betting intervals against plain products of capital, a closed form, and simulated campaigns.

A campaign counts as missed if the interval ever excluded the mean, and also where nothing was left,
since the whole range is returned then.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from ftnoise.core.errors import BadInput
from ftnoise.stats import bounded
from ftnoise.stats.bounded import ConfidenceSequence, bounded_interval

STEP = 1 / bounded.CANDIDATES
SHARES = st.lists(st.integers(0, 1000).map(lambda number: number / 1000), min_size=1, max_size=60)
AIMS = st.sampled_from([None, 0.01, 0.2])


def sequence(values, confidence=0.95, **options):
    made = ConfidenceSequence(confidence, **options)
    made.update(values)
    return made.interval


def beta(mean, spread, count, seed):
    weight = mean * (1 - mean) / spread**2 - 1
    return np.random.default_rng(seed).beta(mean * weight, (1 - mean) * weight, count)


# The paper's formulas, product by product.


def plain_variance(before):
    """That of the values before, with half a value at 1/2."""
    means = [(0.5 + sum(before[: i + 1])) / (i + 2) for i in range(len(before))]
    squares = sum((value - mean) ** 2 for value, mean in zip(before, means, strict=True))
    return (0.25 + squares) / (len(before) + 1)


def plain_capital(values, bet, mean, sign):
    """The largest capital of the gambler who bets on values above (1) or below (-1) the mean."""
    capital = largest = 1.0
    for t, value in enumerate(values, start=1):
        cap = 0.9 / mean if sign > 0 else 0.9 / (1 - mean)
        capital *= 1 + sign * min(bet(t, plain_variance(values[: t - 1])), cap) * (value - mean)
        largest = max(largest, capital)
    return largest


def steady(confidence):
    return lambda t, v: math.sqrt(2 * math.log(2 / (1 - confidence)) / (v * t * math.log(t + 1)))


def level(confidence, count):
    return lambda t, v: math.sqrt(2 * math.log(2 / (1 - confidence)) / (v * count))


@pytest.mark.parametrize("confidence", [0.6, 0.95])
@pytest.mark.parametrize("mean", [0.2, 0.8])
@pytest.mark.parametrize("way", ["steady", "aimed", "level"])
def test_the_ends_are_where_the_plain_capital_refutes(confidence, mean, way):
    values = beta(mean, 0.1, 40, seed=1).tolist()
    found, bet = {
        "steady": (sequence(values, confidence), steady(confidence)),
        "aimed": (sequence(values, confidence, aim=0.05), lambda t, v: 0.05 / v),
        "level": (bounded_interval(values, confidence), level(confidence, 40)),
    }[way]
    enough = 2 / (1 - confidence)
    assert 0 < found.low < found.high < 1
    for end, sign in ((found.low, 1), (found.high, -1)):
        # The end itself is refuted, and the candidate next to it on the inside is not.
        assert plain_capital(values, bet, end, sign) >= enough
        assert plain_capital(values, bet, end + sign * STEP, sign) < enough * (1 + 1e-6)


@pytest.mark.parametrize("count", [5, 20, 300])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_values_that_are_all_1_in_closed_form(count, confidence):
    # Every bet is at its cap: capital (1 + c (1 - m) / m)^n reaches 2 / alpha at this m.
    root = (2 / (1 - confidence)) ** (1 / count)
    end = 0.9 / (root - 0.1)
    found = sequence([1.0] * count, confidence, aim=1.0)
    assert found.high == found.mean == 1
    assert end - 2 * STEP < found.low <= end + 1e-12
    assert found.half_width == 1 - found.low


def test_the_end_lies_outside_by_less_than_a_grid_point(monkeypatch):
    values = beta(0.8, 0.1, 60, seed=2)
    fine = sequence(values)
    monkeypatch.setattr(bounded, "CANDIDATES", 100)
    coarse = sequence(values)
    assert coarse.low <= fine.low < coarse.low + 0.01
    assert coarse.high - 0.01 < fine.high <= coarse.high


# What a sequence promises.


def test_without_a_value_it_is_the_whole_range():
    found = ConfidenceSequence(0.9, low=-1, high=3).interval
    assert (found.mean, found.low, found.high, found.half_width) == (None, -1, 3, 4)
    assert found.method == "hedged betting confidence sequence"


@settings(deadline=None, max_examples=40)
@given(SHARES, st.data(), AIMS)
def test_blocks_make_no_difference(values, data, aim):
    cut = data.draw(st.integers(0, len(values)))
    single, blocks = ConfidenceSequence(aim=aim), ConfidenceSequence(aim=aim)
    for value in values:
        single.update([value])
        assert single.interval == single.interval
    blocks.update(values[:cut])
    blocks.update(np.array(values[cut:]))
    assert single.interval == blocks.interval == sequence(values, aim=aim)
    assert single.count == len(values)


@settings(deadline=None, max_examples=40)
@given(SHARES, AIMS)
def test_it_only_becomes_narrower_until_nothing_is_left(values, aim):
    made = ConfidenceSequence(0.8, aim=aim)
    before = made.interval
    for value in values:
        made.update([value])
        now = made.interval
        nothing_left = (now.low, now.high) == (0, 1)
        assert nothing_left or before.low <= now.low < now.high <= before.high
        before = now


@settings(deadline=None, max_examples=40)
@given(SHARES, AIMS)
def test_the_mirror_image_has_the_mirror_image(values, aim):
    found, mirrored = sequence(values, aim=aim), sequence([1 - x for x in values], aim=aim)
    assert mirrored.low == pytest.approx(1 - found.high, abs=2.1 * STEP)
    assert mirrored.high == pytest.approx(1 - found.low, abs=2.1 * STEP)


@pytest.mark.parametrize(("low", "high"), [(0, 100), (-1, 1), (5.0, 5.5)])
def test_other_ranges_are_scaled(low, high):
    values, width = beta(0.7, 0.1, 50, seed=3), high - low
    for here, there in (
        (sequence(values), sequence(low + values * width, low=low, high=high)),
        (
            sequence(values, aim=0.1),
            sequence(low + values * width, low=low, high=high, aim=0.1 * width),
        ),
        (bounded_interval(values), bounded_interval(low + values * width, low=low, high=high)),
    ):
        for name in ("mean", "low", "high"):
            scaled = low + getattr(here, name) * width
            assert getattr(there, name) == pytest.approx(scaled, abs=1.1 * STEP * width)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_equal_values_without_end(value):
    found = sequence([value] * 20_000)
    assert found.mean == value
    assert found.low <= value <= found.high
    assert found.half_width < 0.0025
    assert bounded_interval([value] * 20_000).half_width < 0.0025


def test_where_the_mean_drifts_nothing_is_left_and_it_says_nothing():
    found = sequence([0.1] * 200 + [0.9] * 200)
    assert (found.low, found.high) == (0, 1)


def test_a_fixed_number_of_values_is_named_so():
    found = bounded_interval([0.5, 0.75])
    assert found.mean == 0.625
    assert found.method == "hedged betting confidence interval"


def test_the_width_follows_the_spread_and_an_aim_is_reached_sooner():
    narrow, wide = beta(0.8, 0.05, 1000, seed=4), beta(0.8, 0.2, 3000, seed=4)
    hoeffding = math.sqrt(math.log(40) / 2000)
    assert bounded_interval(narrow).half_width < hoeffding / 5
    assert sequence(narrow).half_width < hoeffding / 5
    assert sequence(wide, aim=0.01).half_width < 0.01 < sequence(wide).half_width


@pytest.mark.parametrize(
    "values", [[0.5, 1.1], [-0.1], [float("nan")], [float("inf")], ["a"], [True], 0.5, [[0.5]]]
)
def test_refuses_values_and_then_takes_none(values):
    made = ConfidenceSequence()
    made.update([0.5])
    before = made.interval
    with pytest.raises(BadInput, match=r"^Expected .*values.*\. Received: [^\n]*$"):
        made.update(values)
    assert made.interval == before
    with pytest.raises(BadInput, match="values"):
        bounded_interval(values)


def test_the_message_names_the_value_and_its_place():
    with pytest.raises(BadInput, match=r"values in \[0, 1\]\. Received: index=\(2,\), value=7\.0"):
        bounded_interval([0.1, 0.2, 7.0])
    with pytest.raises(BadInput, match="values, at least 1 of them"):
        bounded_interval([])


@pytest.mark.parametrize(
    "options",
    [
        {"confidence": 0},
        {"confidence": 1},
        {"confidence": 95},
        {"confidence": float("nan")},
        {"low": 1},
        {"low": 2.0, "high": 1.0},
        {"high": float("inf")},
        {"aim": 0},
        {"aim": 1.5},
        {"aim": float("nan")},
    ],
)
def test_refuses_options(options):
    with pytest.raises(BadInput, match="Expected"):
        ConfidenceSequence(**options)


# How often campaigns are missed.


def drawn(name, count, seed):
    random = np.random.default_rng(seed)
    if name == "two points":
        return (random.random(count) < 0.95).astype(float)
    return random.beta(*{"skewed": (0.3, 3.0), "beta": (8.0, 2.0)}[name], count)


MEANS = {"two points": 0.95, "skewed": 0.3 / 3.3, "beta": 0.8}
CAMPAIGNS = 500


def missed(name, interval, count):
    """Share of campaigns whose interval is without the mean."""
    found = [interval(drawn(name, count, seed)) for seed in range(CAMPAIGNS)]
    return np.mean([not i.low <= MEANS[name] <= i.high or (i.low, i.high) == (0, 1) for i in found])


def student_at_every_step(name, count, first=10):
    """Share of campaigns in which Student's interval ever excludes the mean."""
    n = np.arange(1, count + 1)
    quantiles = stdtrit(np.maximum(n - 1, 1), 0.975)
    wrong = []
    for seed in range(CAMPAIGNS):
        values = drawn(name, count, seed)
        means = np.cumsum(values) / n
        squares = np.maximum(np.cumsum(values**2) - n * means**2, 0)
        half = quantiles * np.sqrt(squares / np.maximum(n - 1, 1) / n) + 1e-12
        wrong.append((abs(means - MEANS[name]) > half)[first:].any())
    return np.mean(wrong)


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_is_held_as_often_as_they_say(name):
    assert missed(name, bounded_interval, 100) <= 0.05
    # The intersection of all intervals up to the last: the worst time to stop.
    assert missed(name, sequence, 200) <= 0.05
    assert missed(name, lambda values: sequence(values, aim=0.02), 200) <= 0.05


@pytest.mark.parametrize("name", MEANS)
def test_the_check_catches_an_interval_for_one_time_used_at_all(name):
    assert student_at_every_step(name, 300) > 0.05


def test_the_check_catches_an_alpha_that_is_not_halved(monkeypatch):
    monkeypatch.setattr(bounded, "_enough", lambda confidence: math.log(1 / (1 - confidence)))
    assert missed("two points", bounded_interval, 100) > 0.05
    assert missed("two points", sequence, 300) > 0.05


def test_the_check_catches_bets_that_see_their_own_value(monkeypatch):
    honest = ConfidenceSequence.update

    def peeking(betting, values):
        honest(betting, values)
        ahead = betting._bet()
        betting._bets = np.append(betting._bets[1:], ahead)

    monkeypatch.setattr(ConfidenceSequence, "update", peeking)
    assert missed("two points", lambda values: sequence(values, aim=0.02), 300) > 0.05


@pytest.mark.parametrize(
    "stop",
    [
        lambda interval: interval.half_width <= 0.05,
        lambda interval: interval.low > 0.8 or interval.high < 0.8,
        lambda interval: interval.mean > 0.82,
    ],
    ids=["narrow enough", "excludes the truth", "a lucky mean"],
)
def test_stopping_when_it_suits_does_not_help(stop):
    def stopped(values):
        made = ConfidenceSequence()
        for start in range(0, len(values), 30):
            made.update(values[start : start + 30])
            if stop(made.interval):
                break
        return made.interval

    assert missed("beta", stopped, 120) <= 0.05
