"""Numbers of examples against the paper's, and how often Hoeffding's interval holds the mean."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.stats.certificates import hoeffding_bounds
from ftnoise.stats.sampling import samples_needed


@pytest.mark.parametrize(
    ("tolerance", "confidence", "family", "examples"),
    [
        (0.05, 0.95, 1, 738),
        (0.05, 0.99, 1, 1060),
        (0.1, 0.95, 1, 185),
        (0.02, 0.95, 1, 4612),
        (0.01, 0.95, 1, 18445),
        (0.05, 0.95, 3800, 2387),
    ],
)
def test_numbers_of_examples(tolerance, confidence, family, examples):
    assert samples_needed(tolerance, confidence, family) == examples
    # That many are enough, and one less is not.
    each = (1 - confidence) / family / 2
    low, high = hoeffding_bounds(0.5, examples, each)
    assert high - 0.5 == pytest.approx(0.5 - low)
    assert high - 0.5 <= tolerance < hoeffding_bounds(0.5, examples - 1, each)[1] - 0.5


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("replace", [True, False])
def test_it_holds_the_mean_of_the_set_in_95_of_100_campaigns(share, replace):
    generator, size = np.random.default_rng(0), 400
    values = np.arange(size) < share * size
    held = 0
    for _ in range(2000):
        mean = generator.choice(values, 100, replace=replace).mean()
        low, high = hoeffding_bounds(mean, 100, 0.025)
        held += low <= values.mean() <= high
    assert held >= 0.95 * 2000


def test_ends_stay_in_0_to_1_and_bad_values_are_refused():
    assert hoeffding_bounds(0.0, 3, 0.025)[0] == 0
    assert hoeffding_bounds(1.0, 3, 0.025)[1] == 1
    for bad in ({"tolerance": 0}, {"tolerance": 1}, {"confidence": 1}, {"family": 0}):
        with pytest.raises(BadInput):
            samples_needed(**{"tolerance": 0.1} | bad)
    with pytest.raises(BadInput):
        hoeffding_bounds(0.5, 3, 0.0)
