"""Certified sizes (radii): how far an input may move before a noisy network can change its class.

The network draws noise, so each class has a mean score in [0, 1]: of its votes or of its softmax.
`p_a` is a lower bound on the mean score of the predicted class, `p_b` an upper bound on that of
every other class. A size is how far the quantity with the noise may move: in l_2 for normal noise,
in l_1 for Laplace noise. Divided by the sensitivity of that quantity, it is a radius of the input.

Sources: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471): Propositions 1 and 2. Cohen, Rosenfeld and Kolter (2019), "Certified
Adversarial Robustness via Randomized Smoothing", Theorem 1. Dong, Roth and Su (2022), "Gaussian
Differential Privacy", Theorem 1, which gives for means of scores what Cohen et al. give for votes.
Maurer and Pontil (2009), "Empirical Bernstein Bounds and Sample Variance Penalization", Theorem 4.
"""

from __future__ import annotations

import math
from typing import Any

from ftnoise.core.checks import fraction, positive
from ftnoise.core.lazy import np, special

# Lecuyer et al. build their noise with this delta, and search for deltas in this range.
DELTA = 0.05
DELTAS = (0.001, 0.299)
GRID, ROUNDS = 50, 4  # points of each search, and searches around the best one


def gaussian_std(size: float, delta: float = DELTA) -> float:
    """Standard deviation of (1, delta)-private normal noise for changes of this size."""
    fraction(zero=False, one=False, delta=delta)
    positive(size=size)
    return math.sqrt(2 * math.log(1.25 / delta)) * size


def private_sizes(p_a: Any, p_b: Any, std: float) -> np.ndarray:
    """Sizes by (epsilon, delta)-privacy of normal noise, with the best epsilon <= 1 and delta.

    The prediction cannot change where p_a > e^(2 epsilon) p_b + (1 + e^epsilon) delta. A size is 0
    where nothing is certified.

    Args:
        p_a: in [0, 1].
        p_b: in [0, 1], of the same shape.
        std: of the noise, > 0.
    """
    positive(std=std)
    p_a, p_b = (np.asarray(p, float)[..., None] for p in (p_a, p_b))

    def sizes(delta: np.ndarray) -> np.ndarray:
        # The largest u = e^epsilon with p_b u^2 + delta u + delta - p_a <= 0, without cancellation.
        margin = np.maximum(p_a - delta, 0.0)
        u = 2 * margin / (delta + np.sqrt(delta**2 + 4 * p_b * margin))
        epsilon = np.log(np.clip(u, 1.0, math.e))
        return std * epsilon / np.sqrt(2 * np.log(1.25 / delta))

    low, high = (np.full(p_a.shape, math.log(end)) for end in DELTAS)
    best = np.zeros(p_a.shape)
    for _ in range(ROUNDS):
        grid = low + (high - low) * np.linspace(0, 1, GRID)
        found = sizes(np.exp(grid))
        best = np.maximum(best, found.max(axis=-1, keepdims=True))
        place = np.take_along_axis(grid, found.argmax(axis=-1)[..., None], axis=-1)
        step = (high - low) / (GRID - 1)
        low, high = np.maximum(place - step, low), np.minimum(place + step, high)
    return best[..., 0]


def laplace_sizes(p_a: Any, p_b: Any, scale: float) -> np.ndarray:
    """Sizes by epsilon-privacy of Laplace noise of this scale: scale * log(p_a / p_b) / 2."""
    positive(scale=scale)
    p_a, p_b = np.asarray(p_a, float), np.asarray(p_b, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = scale * (np.log(p_a) - np.log(p_b)) / 2
    return np.where(p_a > p_b, sizes, 0.0)


def gaussian_sizes(p_a: Any, p_b: Any, std: float) -> np.ndarray:
    """Sizes by Theorem 1 of Cohen et al.: std / 2 * (quantile of p_a - quantile of p_b).

    With p_b = 1 - p_a, as for a class that is tested against all others, it is std times the
    normal quantile of p_a.
    """
    positive(std=std)
    p_a, p_b = np.asarray(p_a, float), np.asarray(p_b, float)
    with np.errstate(invalid="ignore"):
        sizes = std / 2 * (special.ndtri(p_a) - special.ndtri(p_b))
    return np.where(p_a > p_b, sizes, 0.0)


def probability_of(size: float, scale: float, kind: str = "gaussian") -> float:
    """The probability of a class that certifies a size against all others together.

    It is the inverse of `gaussian_sizes`, or of `laplace_sizes`, with p_b = 1 - p_a.
    """
    positive(scale=scale)
    laplace = kind == "laplace"
    return float(special.expit(2 * size / scale) if laplace else special.ndtr(size / scale))


def vote_bounds(votes: Any, draws: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's bounds on the probability of a vote.

    Args:
        votes: numbers of votes, in [0, draws].
        draws: fixed in advance, at least 1.
        alpha: each bound is wrong with at most this probability, in (0, 1).
    """
    fraction(zero=False, one=False, alpha=alpha)
    votes = np.asarray(votes, float)
    with np.errstate(invalid="ignore"):
        low = special.betaincinv(np.maximum(votes, 1), draws - votes + 1, alpha)
        high = special.betaincinv(votes + 1, np.maximum(draws - votes, 1), 1 - alpha)
    return np.where(votes > 0, low, 0.0), np.where(votes < draws, high, 1.0)


def hoeffding_bounds(means: Any, draws: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Hoeffding's bounds on an expectation in [0, 1]; each is wrong with probability <= alpha."""
    fraction(zero=False, one=False, alpha=alpha)
    means, half = np.asarray(means, float), math.sqrt(math.log(1 / alpha) / (2 * draws))
    return np.maximum(means - half, 0.0), np.minimum(means + half, 1.0)


def bernstein_bounds(
    means: Any, variances: Any, draws: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Maurer and Pontil's bounds on an expectation in [0, 1]; each wrong with at most alpha.

    Args:
        means: of the draws.
        variances: their sample variances (n - 1 in the denominator).
        draws: at least 2.
        alpha: in (0, 1).
    """
    fraction(zero=False, one=False, alpha=alpha)
    means, log = np.asarray(means, float), math.log(2 / alpha)
    half = np.sqrt(2 * np.maximum(variances, 0.0) * log / draws) + 7 * log / (3 * (draws - 1))
    return np.maximum(means - half, 0.0), np.minimum(means + half, 1.0)


def sequential_bounds(votes: Any, draws: Any, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on the probability of a vote that hold for all numbers of draws simultaneously.

    Robbins' mixture with a uniform prior: the mean of the binomial likelihood under the prior,
    divided by the likelihood of the true probability, is a martingale, which ever reaches 1 / alpha
    with a probability of at most alpha (Ville). The probability that any bound fails is <= alpha.

    Args:
        votes: numbers of votes.
        draws: numbers of draws, of the same shape.
        alpha: in (0, 1).
    """
    fraction(zero=False, one=False, alpha=alpha)
    votes, draws = np.broadcast_arrays(np.asarray(votes, float), np.asarray(draws, float))
    level = special.betaln(votes + 1, draws - votes + 1) + math.log(alpha)
    mode = votes / np.maximum(draws, 1)

    def end(outside: float) -> np.ndarray:
        """Bisects between a point outside the set and the mode; the result is outside."""
        out, inside = np.full_like(mode, outside), mode.copy()
        for _ in range(60):
            middle = (out + inside) / 2
            likelihood = special.xlogy(votes, middle) + special.xlog1py(draws - votes, -middle)
            kept = likelihood >= level
            inside, out = np.where(kept, middle, inside), np.where(kept, out, middle)
        return out

    return np.where(votes > 0, end(0.0), 0.0), np.where(votes < draws, end(1.0), 1.0)
