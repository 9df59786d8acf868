"""Variance components against a plain analysis of variance and against known components."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.stats import levels
from ftnoise.stats.levels import COMPONENTS, LEVELS, variance_components

AXES = {"seed": 0, "trial": 1, "example": 2}
EFFECTS = {
    "seed": 0.12,
    "trial": 0.09,
    "example": 0.10,
    "seed_trial": 0.06,
    "seed_example": 0.02,
    "trial_example": 0.07,
}


def simulate(random, seeds, trials, examples):
    """correct [seeds, trials, examples] whose components are EFFECTS squared and what is left."""
    sizes = dict(zip(LEVELS, (seeds, trials, examples), strict=True))
    chance = np.full((seeds, trials, examples), 0.5)
    for name, size in EFFECTS.items():
        shape = [sizes[level] if level in COMPONENTS[name] else 1 for level in LEVELS]
        chance = chance + size * random.choice([-1.0, 1.0], shape)
    return random.random(chance.shape) < chance


def known():
    parts = {name: size**2 for name, size in EFFECTS.items()}
    return {**parts, "residual": 0.25 - sum(parts.values())}


def plain(correct):
    """Components by the effects themselves: mean squares, and a linear system for the rest."""
    values = correct.astype(float)
    names = [
        name
        for name, of in COMPONENTS.items()
        if all(correct.shape[AXES[level]] > 1 for level in of)
    ]
    if correct.shape[0] == 1:
        names = ["trial", "example", "residual"]
    of = {
        name: [level for level in COMPONENTS[name] if correct.shape[AXES[level]] > 1]
        for name in names
    }
    mean_squares, expected = [], []
    for name in names:
        effect = np.zeros_like(values)
        for size in range(len(of[name]) + 1):
            for kept in itertools.combinations(of[name], size):
                axes = tuple(AXES[level] for level in LEVELS if level not in kept)
                effect += (-1) ** (len(of[name]) - size) * values.mean(axis=axes, keepdims=True)
        freedom = np.prod([correct.shape[AXES[level]] - 1 for level in of[name]])
        mean_squares.append((effect**2).sum() / freedom)
        expected.append(
            [
                correct.size / np.prod([correct.shape[AXES[level]] for level in of[other]])
                if set(of[name]) <= set(of[other])
                else 0.0
                for other in names
            ]
        )
    return dict(zip(names, np.linalg.solve(np.array(expected), mean_squares), strict=True))


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 4, 5), (4, 2, 9), (1, 2, 2), (1, 6, 7)])
def test_agrees_with_the_plain_analysis(shape):
    for seed in range(5):
        correct = simulate(np.random.default_rng(seed), *shape)
        # Before negative ones are set to 0.
        assert levels._estimates(correct) == pytest.approx(plain(correct), abs=1e-12)
        found, truth = variance_components(correct), plain(correct)
        assert found.mean == correct.mean()
        for name, error in found.standard_errors.items():
            cells = np.prod([correct.shape[AXES[level]] for level in COMPONENTS[name]])
            if name in truth:
                assert error == pytest.approx(max(0.0, truth[name] / cells) ** 0.5, abs=1e-6)
            else:
                assert error is None


def test_known_components_are_found_in_expectation():
    random = np.random.default_rng(0)
    shape = (4, 6, 40)
    found = []
    for _ in range(400):
        estimates = levels._estimates(simulate(random, *shape))
        found.append([estimates[name] for name in COMPONENTS])
    truth = np.array([known()[name] for name in COMPONENTS])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (abs(np.mean(found, axis=0) - truth) < 4 * error).all()
    # The check is sharp enough to see any of them in the place of the next.
    assert (abs(truth - np.roll(truth, 1)) > 4 * error).all()


def test_the_variance_is_that_of_the_grand_mean():
    random = np.random.default_rng(1)
    shape = (3, 8, 60)
    drawn = [simulate(random, *shape) for _ in range(1500)]
    actual = np.var([correct.mean() for correct in drawn])
    claimed = np.mean([variance_components(correct).variance for correct in drawn[:300]])
    truth = sum(
        value / np.prod([shape[AXES[level]] for level in COMPONENTS[name]])
        for name, value in known().items()
    )
    assert actual == pytest.approx(truth, rel=0.12)
    assert claimed == pytest.approx(truth, rel=0.12)
    # As if trials and examples were independent trials:
    assert truth > 20 * 0.25 / (3 * 8 * 60)


def test_the_parts_add_up_and_doubling_the_level_to_enlarge_helps_most():
    correct = simulate(np.random.default_rng(2), 3, 10, 50)
    found = variance_components(correct)
    assert found.sizes == {"seed": 3, "trial": 10, "example": 50}
    assert found.variance == pytest.approx(sum(e**2 for e in found.standard_errors.values()))
    assert found.standard_error == pytest.approx(found.variance**0.5)
    doubled = {
        level: sum(
            error**2 / (2 if level in COMPONENTS[name] else 1)
            for name, error in found.standard_errors.items()
        )
        for level in LEVELS
    }
    assert found.enlarge == min(doubled, key=doubled.get)


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_that_spreads_is_the_one_to_enlarge(level):
    shape = [1, 1, 1]
    shape[AXES[level]] = 6
    correct = np.broadcast_to((np.arange(6) % 2 == 0).reshape(shape), (6, 6, 6))
    found = variance_components(correct)
    assert found.standard_errors == {
        name: pytest.approx((0.3 / 6) ** 0.5) if name == level else 0 for name in COMPONENTS
    }
    assert found.variance == pytest.approx(0.3 / 6)
    assert found.enlarge == level


def test_with_one_seed_what_involves_seeds_is_folded():
    random = np.random.default_rng(3)
    drawn = [simulate(random, 1, 30, 60) for _ in range(100)]
    for one in map(variance_components, drawn[:3]):
        for name in ("seed", "seed_trial", "seed_example", "trial_example"):
            assert one.standard_errors[name] is None
        assert one.enlarge in ("trial", "example")
    found = [levels._estimates(one) for one in drawn]
    truth = known()
    for name, of in (
        ("trial", "seed_trial"),
        ("example", "seed_example"),
        ("residual", "trial_example"),
    ):
        mean = np.mean([one[name] for one in found])
        assert mean == pytest.approx(truth[name] + truth[of], rel=0.1)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("seeds", [1, 3])
def test_where_nothing_spreads_nothing_is_enlarged(seeds, value):
    found = variance_components(np.full((seeds, 4, 5), value))
    assert (found.mean, found.variance, found.enlarge) == (value, 0, None)


@pytest.mark.parametrize(
    "correct",
    [
        np.ones((2, 3, 4)),
        np.ones((3, 4), bool),
        np.ones((2, 1, 4), bool),
        np.ones((2, 4, 1), bool),
        np.ones((0, 4, 4), bool),
        None,
    ],
)
def test_refuses_another_type_or_shape(correct):
    with pytest.raises(BadInput, match="shape="):
        variance_components(correct)
