"""Certified sizes of single predictions, by several bounds on the same draws.

Sources: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), section 3.3, for `votes`, `hoeffding` and `bernstein`; Cohen, Rosenfeld
and Kolter (2019), "Certified Adversarial Robustness via Randomized Smoothing", for `cohen`; Lyu et
al. (2024), "Adaptive Randomized Smoothing" (arXiv 2406.10427), whose Gaussian privacy gives Cohen's
sizes for means of scores, for `gaussian`.

    bound      the prediction has     bounds on probabilities          sizes by
    votes      most votes             Clopper-Pearson, all classes     (epsilon, delta)-privacy
    hoeffding  largest mean softmax   Hoeffding, all classes           (epsilon, delta)-privacy
    bernstein  largest mean softmax   Maurer and Pontil, all classes   (epsilon, delta)-privacy
    gaussian   largest mean softmax   Maurer and Pontil, all classes   Gaussian privacy
    cohen      most selecting votes   Clopper-Pearson, that class      normal distribution

With Laplace noise there is no `gaussian` and no `cohen`, and the others rest on epsilon-privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ftnoise.stats import certificates
from ftnoise.verify.smoothing import Draws

SMALLEST = 1e-30  # sensitivity that counts, so that one of 0 gives finite sizes
MEANS = {"hoeffding", "bernstein", "gaussian"}


@dataclass(frozen=True)
class Certificate:
    """The predictions, int `[batch]`, and their certified sizes by one bound, `[batch]`.

    No input within its size has another prediction; it is 0 where nothing is certified (Cohen et
    al. abstain there).
    """

    predicted: np.ndarray
    sizes: np.ndarray


def certified(
    selection: Draws,
    estimation: Draws,
    *,
    kind: str,
    scale: float,
    sensitivity: float,
    alpha: float,
) -> dict[str, Certificate]:
    """The certificates of the same examples by each bound.

    The `selection` only chooses the class of Cohen et al.; the `estimation` is of other draws. The
    noise has a `kind`, "gaussian" or "laplace", and a scale. The sensitivity is that of the
    quantity with the noise, or an upper bound on it; sizes are distances of inputs, in its norm.

    For each bound, the certificate of an example is wrong with at most the probability `alpha`.
    Bounds on all classes share it with the upper ones of the two most probable classes, as the same
    draws choose the prediction.
    """
    number, classes = estimation.number, estimation.votes.shape[1]
    finite = bool(np.isfinite(sensitivity))
    each, reach = alpha / (classes + 2), scale / max(sensitivity if finite else 1, SMALLEST)
    bounds = {
        "votes": (estimation.votes, certificates.vote_bounds(estimation.votes, number, each)),
        "hoeffding": (
            estimation.means,
            certificates.hoeffding_bounds(estimation.means, number, each),
        ),
        "bernstein": (
            estimation.means,
            certificates.bernstein_bounds(estimation.means, estimation.variances, number, each),
        ),
    }
    sizes = certificates.laplace_sizes if kind == "laplace" else certificates.private_sizes
    found = {
        name: _against_others(scores, *ends, sizes, reach)
        for name, (scores, ends) in bounds.items()
    }
    if kind != "laplace":
        means, ends = bounds["bernstein"]
        found["gaussian"] = _against_others(means, *ends, certificates.gaussian_sizes, reach)
        chosen = selection.votes.argmax(1)
        votes = estimation.votes[np.arange(len(chosen)), chosen]
        low, _ = certificates.vote_bounds(votes, number, alpha)
        found["cohen"] = Certificate(chosen, certificates.gaussian_sizes(low, 1 - low, reach))
    # Nothing is known of means where a draw gave no number, or without a finite sensitivity.
    known = estimation.votes.sum(1) == number
    return {
        name: Certificate(
            one.predicted, np.where(finite & (known | (name not in MEANS)), one.sizes, 0.0)
        )
        for name, one in found.items()
    }


def _against_others(
    scores: np.ndarray, low: np.ndarray, high: np.ndarray, sizes: Any, reach: float
) -> Certificate:
    """The class of the largest score; sizes from its lower and the others' largest upper bound."""
    rows, predicted = np.arange(len(scores)), scores.argmax(1)
    others = high.copy()
    others[rows, predicted] = 0.0
    return Certificate(predicted, sizes(low[rows, predicted], others.max(1), reach))
