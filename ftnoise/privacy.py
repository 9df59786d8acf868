"""Privacy accounting: the epsilon that a sampler and a number of steps guarantee.

Source: Abadi et al. (2016), "Deep Learning with Differential Privacy"; Mironov et al. (2019),
"Renyi Differential Privacy of the Sampled Gaussian Mechanism"; Koskela et al. (2020) and Doroshenko
et al. (2022) for privacy loss distributions (PLD); Chua et al. (2024), "How Private are DP-SGD
Implementations?", for shuffled batches; section 5 and Theorem 1 of the paper. The accounting itself
is dp-accounting's.

An epsilon holds for the sampler that drew the batches:

- `poisson`: each example is in each batch independently. Neighbors differ by one example that is
  added or removed. Today's RDP and PLD epsilons are both valid; the smaller one counts.
- `shuffled`: fixed batches of a permutation drawn for each epoch. The Poisson numbers are NO
  guarantee then. The bound without amplification is valid (each example is in one batch per epoch);
  the true epsilon lies between it and the lower bound of Chua et al. Neighbors differ by one
  example that is replaced by one without a gradient (zero-out).

Deviations
1. `epsilon_paper` is computed as the paper's software did in 2019 (its orders, its conversion). It
   assumes Poisson sampling, whatever the sampler was, and only serves to compare with the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, is_count, is_number, positive
from ftnoise.core.lazy import np, special

SAMPLERS = ("poisson", "shuffled")
NOISE = (1e-3, 1e4)
DELTA = 1e-100
MOST_EXAMPLES, MOST_STEPS = 10**12, 10**7
# Error of a step's RDP of order a, times a - 1: that is the logarithm of a number around 1.
ROUNDING = 1e-14
ORDERS_2019 = (*(1 + n / 10 for n in range(1, 100)), *range(12, 64))
# Beyond it a PLD takes gigabytes, and no epsilon of that size is a meaningful guarantee.
LARGEST_FOR_PLD = 100.0
# Cells of the statistic for the lower bound; more of them change its third digit.
CELLS = 4000
LEAST_LOG_MASS = -600.0


def expect_noise(noise_multiplier: float) -> None:
    """Raises `BadInput` unless it is a number in `NOISE`."""
    least, most = NOISE
    expect(
        is_number(noise_multiplier) and least <= noise_multiplier <= most,
        f"noise_multiplier > 0, in {least:g} to {most:g}",
        noise_multiplier=noise_multiplier,
    )


def expect_delta(delta: float) -> None:
    """Raises `BadInput` unless it is a number in [`DELTA`, 1)."""
    allowed = is_number(delta) and DELTA <= delta < 1
    expect(allowed, f"delta in (0, 1), {DELTA:g} or more", delta=delta)


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """Sums of clipped gradients over a batch with Gaussian noise, released at each step.

    Args:
        noise_multiplier: standard deviation of the noise in units of the clipping norm, in
            `NOISE`, the range in which the accounting is accurate.
        batch_size: expected number of examples a step, in [1, examples].
        examples: size of the training set, in [1, MOST_EXAMPLES].
        steps: number of releases of a noised sum, in [1, MOST_STEPS].
        sampler: "poisson" or "shuffled".
        delta: in [DELTA, 1).
    """

    noise_multiplier: float
    batch_size: int
    examples: int
    steps: int
    sampler: str = "poisson"
    delta: float = 1e-5

    def __post_init__(self) -> None:
        expect_noise(self.noise_multiplier)
        limits = {"examples": MOST_EXAMPLES, "batch_size": self.examples, "steps": MOST_STEPS}
        for name, most in limits.items():
            value = getattr(self, name)
            expect(is_count(value) and value <= most, f"{name} in 1 to {most}", **{name: value})
        expect(self.sampler in SAMPLERS, f"sampler in {SAMPLERS}", sampler=self.sampler)
        expect_delta(self.delta)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which each example is used once, if batches are shuffled."""
        return -(-self.examples // self.batch_size)

    @property
    def epochs(self) -> int:
        """The largest number of times that an example was used, if batches are shuffled."""
        return -(-self.steps // self.steps_per_epoch)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The guarantees of a mechanism; all epsilons at its delta.

    Attributes:
        mechanism: the described one.
        adjacency: how neighboring training sets differ.
        epsilon: the smallest valid value.
        low: lower bound of the true epsilon for shuffled batches, otherwise `epsilon`.
        epsilon_paper: as the paper's software computed it (deviation 1).
        epsilon_rdp: today's RDP; None for shuffled batches.
        epsilon_pld: by PLD; None for shuffled batches and where it is too large to compute.
    """

    mechanism: Mechanism
    adjacency: str
    epsilon: float
    low: float
    epsilon_paper: float
    epsilon_rdp: float | None
    epsilon_pld: float | None

    @property
    def theorem1(self) -> float:
        """Theorem 1 as printed: e^epsilon - 1 + delta, for a loss in [0, 1]."""
        return bound(self.epsilon_paper, self.mechanism.delta)

    @property
    def theorem1_replace_one(self) -> float:
        """Theorem 1 for neighbors that differ by a replaced example, which its proof needs.

        Replacing is removing and adding: twice epsilon, and (1 + e^epsilon) delta.
        """
        delta = (1 + _exp(self.epsilon)) * self.mechanism.delta
        return bound(2 * self.epsilon, delta)


def statement(mechanism: Mechanism) -> Statement:
    """All guarantees of a mechanism."""
    epsilon, rdp, pld = epsilons(mechanism)
    shuffled = mechanism.sampler == "shuffled"
    return Statement(
        mechanism=mechanism,
        adjacency="one example zeroed out" if shuffled else "one example added or removed",
        epsilon=epsilon,
        # Rounding of the lower bound must not put it above the upper one.
        low=min(shuffled_lower_bound(mechanism), epsilon) if shuffled else epsilon,
        epsilon_paper=rdp_2019(mechanism),
        epsilon_rdp=rdp,
        epsilon_pld=pld,
    )


def epsilons(mechanism: Mechanism) -> tuple[float, float | None, float | None]:
    """The smallest valid epsilon; for Poisson batches also that by RDP, and by PLD if feasible."""
    if mechanism.sampler == "shuffled":
        noise = mechanism.noise_multiplier
        return gaussian(noise, mechanism.epochs, mechanism.delta), None, None
    rdp = rdp_today(mechanism)
    pld = poisson_pld(mechanism) if rdp <= LARGEST_FOR_PLD else None
    return min(rdp, unamplified(mechanism), rdp if pld is None else pld), rdp, pld


def unamplified(mechanism: Mechanism) -> float:
    """Epsilon of as many Gaussian releases as contain an example; valid for Poisson sampling.

    These are all steps, or a number that is exceeded with a probability of half of delta: which
    steps contain the example does not depend on the data, so the other half remains for the
    releases.
    """
    from scipy.stats import binom

    noise, steps, delta = mechanism.noise_multiplier, mechanism.steps, mechanism.delta
    rate = mechanism.batch_size / mechanism.examples
    at_most = int(binom.isf(delta / 2, steps, rate))
    return min(gaussian(noise, steps, delta), gaussian(noise, max(at_most, 1), delta / 2))


def rdp_2019(mechanism: Mechanism) -> float:
    """Epsilon by the RDP accountant of 2019: eps = rdp + log(1 / delta) / (order - 1)."""
    accountant = _rdp(mechanism, ORDERS_2019)
    orders = np.asarray(accountant.orders)
    return float(np.min(accountant.rdp - math.log(mechanism.delta) / (orders - 1)))


def rdp_today(mechanism: Mechanism) -> float:
    """Epsilon by today's RDP accounting; valid for Poisson sampling.

    The rounding error is added: a tiny loss could otherwise be rounded to none.
    """
    from dp_accounting.rdp import compute_epsilon

    accountant = _rdp(mechanism, None)
    orders = np.asarray(accountant.orders)
    losses = np.asarray(accountant.rdp) + mechanism.steps * ROUNDING / (orders - 1)
    return float(compute_epsilon(orders, losses, mechanism.delta)[0])


def poisson_pld(mechanism: Mechanism) -> float:
    """Epsilon by a pessimistic PLD; valid for Poisson sampling."""
    from dp_accounting.pld import PLDAccountant

    # Coarser where the loss is large: still pessimistic, and never gigabytes.
    interval = 1e-4 if mechanism.noise_multiplier >= 0.8 else 1e-3
    accountant = PLDAccountant(value_discretization_interval=interval)
    accountant.compose(_event(mechanism), mechanism.steps)
    return float(accountant.get_epsilon(mechanism.delta))


def gaussian(noise_multiplier: float, count: int, delta: float) -> float:
    """Epsilon of `count` Gaussian releases of sensitivity 1, exact (Balle and Wang 2018)."""
    from scipy.optimize import brentq

    mu = math.sqrt(count) / noise_multiplier

    def log_delta(epsilon: float) -> float:
        above = float(special.log_ndtr(mu / 2 - epsilon / mu))
        below = epsilon + float(special.log_ndtr(-mu / 2 - epsilon / mu))
        # Rounding may leave nothing between the two.
        return above + math.log(-math.expm1(below - above)) if below < above else -1e9

    if log_delta(0.0) <= math.log(delta):
        return 0.0
    # Classic bound of the Gaussian's moments.
    most = mu**2 / 2 + mu * math.sqrt(2 * math.log(1 / delta))
    return float(brentq(lambda epsilon: log_delta(epsilon) - math.log(delta), 0.0, most + 1.0))


def shuffled_lower_bound(mechanism: Mechanism) -> float:
    """Lower bound of epsilon for shuffled batches (the pair of Chua et al. 2024).

    The differing example moves the sum of its batch from N(1, sigma^2) to N(2, sigma^2); all other
    batches are N(0, sigma^2). Observing only the largest of an epoch, in cells, loses information,
    and an optimistic PLD composes the rest over the completed epochs.
    """
    completed = mechanism.steps // mechanism.steps_per_epoch
    if completed == 0:
        return 0.0
    from dp_accounting.pld.privacy_loss_distribution import (
        from_two_probability_mass_functions as distribution,
    )

    sigma, others = mechanism.noise_multiplier, mechanism.steps_per_epoch - 1
    edges = np.linspace(1 - 12 * sigma, 2 + 12 * sigma, CELLS + 1)
    masses = [_log_masses(edges, mean, sigma, others) for mean in (2.0, 1.0)]
    # Cells without mass in double precision, which are the outer ones, join their neighbors.
    (present,) = np.nonzero(np.minimum(*masses) > LEAST_LOG_MASS)
    if len(present) == 0:
        # A threshold between the two is wrong less often than this epsilon allows.
        return -LEAST_LOG_MASS
    edges = edges[present[0] : present[-1] + 2]
    masses = [_log_masses(edges, mean, sigma, others) for mean in (2.0, 1.0)]
    upper, lower = (dict(enumerate(mass.tolist())) for mass in masses)
    pld = distribution(
        lower,
        upper,
        pessimistic_estimate=False,
        value_discretization_interval=1e-3 if sigma >= 0.8 else 1e-2,
        symmetric=True,
    )
    return float(pld.self_compose(completed).get_epsilon_for_delta(mechanism.delta))


def _log_masses(edges: np.ndarray, mean: float, sigma: float, others: int) -> np.ndarray:
    """Log probability of each cell for the maximum of N(mean, sigma^2) and `others` N(0, sigma^2).

    The outer cells reach to infinity; a cell may have no mass, -inf.
    """
    below = special.log_ndtr((edges - mean) / sigma) + others * special.log_ndtr(edges / sigma)
    below[0], below[-1] = -np.inf, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return below[1:] + np.log(-np.expm1(below[:-1] - below[1:]))


def noise_for(target_epsilon: float, **sizes: Any) -> float:
    """The smallest noise multiplier, 0.05 or more, with an epsilon of at most `target_epsilon`.

    It is accurate to 0.1 %; `sizes` are the other fields of the `Mechanism`.

    Raises:
        BadInput: `target_epsilon` is not > 0, too small for any noise, or a size is wrong.
    """
    positive(target_epsilon=target_epsilon)

    def epsilon(noise: float) -> float:
        return epsilons(Mechanism(noise_multiplier=noise, **sizes))[0]

    low, high = 0.05, 0.1
    while epsilon(high) > target_epsilon:
        low, high = high, 2 * high
        reachable = "a target_epsilon that some noise reaches"
        expect(high <= NOISE[1], reachable, target_epsilon=target_epsilon)
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if epsilon(middle) <= target_epsilon else (middle, high)
    return high


def bound(epsilon: float, delta: float) -> float:
    """e^epsilon - 1 + delta, or infinity; it is vacuous from 1 on."""
    return _exp(epsilon) - 1 + delta


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _event(mechanism: Mechanism) -> Any:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent

    rate = mechanism.batch_size / mechanism.examples
    return PoissonSampledDpEvent(rate, GaussianDpEvent(mechanism.noise_multiplier))


def _rdp(mechanism: Mechanism, orders: Sequence[float] | None) -> Any:
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(orders)
    accountant.compose(_event(mechanism), mechanism.steps)
    return accountant
