"""An empirical lower bound on the epsilon of DP-SGD as it is implemented.

Source: Nasr et al. (2023), "Tight Auditing of Differentially Private Machine Learning", for the
Gaussian trade-off; Steinke et al. (2023), "Privacy Auditing with One (1) Training Run", for many
canaries in one.

The optimizer trains a network of two parallel layers. Each canary is an example whose gradient
points along weights of its own and is far longer than the clipping norm; a coin decides whether it
is in the data. The accuracy with which the change of its weights over all steps reveals the coin
gives a mu of Gaussian differential privacy, and its epsilon.

Assumptions: every example is in every batch (sampling is not audited), the mechanism's trade-off is
that of a Gaussian (a bound without that assumption would be far below any claim), and canaries do
not disturb each other. Only dense layers are audited; the tests compare the sums of the others with
a loop over examples. A bound under the claim is no proof of it; one above it refutes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ftnoise import privacy
from ftnoise.core import seeds
from ftnoise.core.checks import count, expect, is_count
from ftnoise.core.lazy import keras, np, tf
from ftnoise.stats import proportion_interval

LENGTH = 10.0  # of a canary's gradient before it is clipped, in clipping norms
SIGMAS = 6.0
MOST_CANARIES, MOST_STEPS = 10_000, 1000


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The result of an audit.

    Attributes:
        epsilon: lower bound, with 95 % confidence.
        claim: the epsilon of this number of Gaussian releases, exact.
        delta: of both.
        most: the largest lower bound that this number of canaries can show; a larger claim is not
            tested.
        correlation: the largest correlation of the noise of two steps or of two layers, in
            standard deviations of the correlation of independent noise.
    """

    epsilon: float
    claim: float
    delta: float
    most: float
    correlation: float

    @property
    def sound(self) -> bool:
        """Whether nothing contradicts the claim."""
        return self.epsilon <= self.claim and self.correlation <= SIGMAS


def audit(
    *,
    noise_multiplier: float = 4.0,
    steps: int = 16,
    canaries: int = 4000,
    delta: float = 1e-5,
    seed: int = 0,
    optimizer: Callable[..., Any] | None = None,
) -> Audit:
    """Audits an optimizer of DP-SGD.

    Args:
        noise_multiplier: standard deviation of the noise in units of the clipping norm, in
            `privacy.NOISE`.
        steps: releases, 2 to `MOST_STEPS`.
        canaries: an even number, 100 to `MOST_CANARIES`; half of them are in the data.
        delta: in [`privacy.DELTA`, 1).
        seed: of the coins and of the noise, an integer >= 0.
        optimizer: called with the arguments of `BookkeepingSGD`, its default.

    Raises:
        BadInput: an argument is out of range.
    """
    privacy.expect_noise(noise_multiplier)
    allowed = is_count(steps, least=2) and steps <= MOST_STEPS
    expect(allowed, f"steps in 2 to {MOST_STEPS}", steps=steps)
    allowed = is_count(canaries, least=100) and canaries % 2 == 0 and canaries <= MOST_CANARIES
    expect(allowed, f"canaries an even number in 100 to {MOST_CANARIES}", canaries=canaries)
    privacy.expect_delta(delta)
    count(least=0, seed=seed)

    generator = np.random.default_rng(seeds.key(seed, "audit", "coins"))
    inside = generator.permutation(np.repeat([True, False], canaries // 2))
    moved = _moves(inside, noise_multiplier, steps, seed, optimizer)
    scores = moved.sum(axis=(0, 1))
    # The threshold that separates the canaries in the data from the others.
    positive = scores >= np.median(scores)
    half = canaries // 2
    hits, false_alarms = int(positive[inside].sum()), int(positive[~inside].sum())
    noise = (moved - inside / np.sqrt(2)).reshape(-1, canaries)
    correlations = np.corrcoef(noise) - np.eye(len(noise))
    return Audit(
        epsilon=_bound(hits, false_alarms, half, delta),
        claim=privacy.gaussian(noise_multiplier, steps, delta),
        delta=delta,
        most=_bound(half, 0, half, delta),
        correlation=float(np.abs(correlations).max() * np.sqrt(canaries)),
    )


def _moves(inside: Any, noise: float, steps: int, seed: int, make: Any) -> Any:
    """Change of each canary's weights, `[steps, layers, canaries]` in clipping norms."""
    from ftnoise.training.gradients.noise import BookkeepingSGD
    from ftnoise.training.gradients.recording import RecordingTape

    canary_count = len(inside)
    first = keras.Input((canary_count,))
    halves = [keras.layers.Dense(1, use_bias=False)(first) for _ in range(2)]
    network = keras.Model(first, keras.layers.Add()(halves))
    optimizer = (make or BookkeepingSGD)(
        clip=1.0,
        noise_multiplier=noise,
        batch_size=canary_count,
        key=tf.constant(seeds.key(seed, "audit", "noise"), tf.int64),
        learning_rate=float(canary_count),
    )
    canaries = LENGTH * tf.eye(canary_count)

    @tf.function
    def step() -> None:
        with RecordingTape(network) as tape:
            losses = tf.where(inside, -network(canaries, training=True)[:, 0], 0.0)
        optimizer.minimize(losses, network.trainable_variables, tape=tape)

    weights = [np.stack([weight[:, 0] for weight in network.get_weights()])]
    for _ in range(steps):
        step()
        weights.append(np.stack([weight[:, 0] for weight in network.get_weights()]))
    return np.diff(np.array(weights, np.float64), axis=0)


def _bound(true_positives: int, false_positives: int, size: int, delta: float) -> float:
    """Lower bound where this many of `size` canaries and of `size` others are positive."""
    # Each end with 97.5 %, so that both hold with 95 %.
    true_rate, _ = proportion_interval(true_positives, size, 0.95)
    _, false_rate = proportion_interval(false_positives, size, 0.95)
    if true_rate <= false_rate:
        return 0.0
    normal, tiny = NormalDist(), 1e-12
    mu = normal.inv_cdf(max(true_rate, tiny)) - normal.inv_cdf(min(false_rate, 1 - tiny))
    return privacy.gaussian(1 / mu, 1, delta)
