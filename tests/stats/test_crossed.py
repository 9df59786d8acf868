"""A mean over seeds and draws in common: its interval against simulations where the truth is 0."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.stats import summarize
from ftnoise.stats.crossed import crossed_interval

SIMULATED = 1500


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
    assert found.count == 6
    assert found.mean - found.low == pytest.approx(found.high - found.mean)
    same = crossed_interval(np.full((2, 3), 7.0), 0.9)
    assert (same.low, same.mean, same.high) == (7, 7, 7)


@pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0], [2.0]], [1.0, 2.0], [[1, np.nan]] * 2])
def test_takes_two_seeds_and_two_draws(values):
    with pytest.raises(BadInput, match="Expected"):
        crossed_interval(values)
