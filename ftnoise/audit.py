"""A lower bound on epsilon of DP-SGD as it is implemented, by experiment.

Source: Nasr et al. (2023), "Tight Auditing of Differentially Private Machine Learning", for the
Gaussian trade-off; Steinke et al. (2023), "Privacy Auditing with One (1) Training Run", for many
canaries in one.

The optimizer trains a network of two layers whose gradients lie side by side. Each canary, an
example whose gradient points along weights of its own and is far longer than the clipping norm, is
in the data or not by a coin. What the weights say of it, over all steps, tells how well the coin
can be guessed; from that follows a mu of Gaussian differential privacy, and its epsilon.

What it assumes: every example is in every batch (sampling is not audited), the mechanism's
trade-off is that of a Gaussian (a bound without that assumption would be far below any claim), and
canaries do not disturb each other. Of the layers it sees dense ones alone; what the others sum is
held against a loop over examples by the tests. A bound under the claim is no proof; one above it is
a proof of the contrary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ftnoise import privacy
from ftnoise.core import seeds
from ftnoise.core.checks import expect, is_count
from ftnoise.stats import proportion_interval

LENGTH = 10.0  # of a canary's gradient before it is clipped, in clipping norms
SIGMAS = 6.0
MOST_CANARIES, MOST_STEPS = 10_000, 1000


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found.

    Attributes:
        epsilon: lower bound, with 95 % confidence.
        claim: the epsilon of as many Gaussian releases, exact.
        delta: of both.
        most: the largest lower bound that so many canaries can show; what claims more is untested.
        correlation: the largest correlation of the noise of two steps or of two layers, in units
            of what independent noise shows by chance (one standard deviation).
    """

    epsilon: float
    claim: float
    delta: float
    most: float
    correlation: float

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against the claim."""
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
    """Audits an optimizer.

    Args:
        noise_multiplier: standard deviation of the noise in units of the clipping norm, in
            `privacy.NOISE`.
        steps: releases, 2 to `MOST_STEPS`.
        canaries: trials, an even number, 100 to `MOST_CANARIES`.
        delta: in [`privacy.DELTA`, 1).
        seed: of the coins and of the noise, an integer >= 0.
        optimizer: takes the arguments of `BookkeepingSGD`, its default, and steps like it.
    """
    privacy.expect_noise(noise_multiplier)
    expect(
        is_count(steps, least=2) and steps <= MOST_STEPS,
        f"steps >= 2, and {MOST_STEPS} at most",
        steps=steps,
    )
    even = is_count(canaries, least=100) and canaries % 2 == 0 and canaries <= MOST_CANARIES
    expect(even, f"canaries an even number >= 100, and {MOST_CANARIES} at most", canaries=canaries)
    privacy.expect_delta(delta)
    expect(is_count(seed, least=0), "seed an integer >= 0", seed=seed)

    import numpy as np

    generator = np.random.default_rng(seeds.key(seed, "audit", "coins"))
    inside = generator.permutation(np.repeat([True, False], canaries // 2))
    moved = _moves(inside, noise_multiplier, steps, seed, optimizer)
    said = moved.sum(axis=(0, 1)) / np.sqrt(2)
    return Audit(
        epsilon=_epsilon(said, inside, delta),
        claim=privacy.gaussian(noise_multiplier, steps, delta),
        delta=delta,
        most=_bound(canaries // 2, 0, canaries // 2, delta),
        correlation=_correlation(moved - inside / np.sqrt(2)),
    )


def _moves(inside: Any, noise: float, steps: int, seed: int, make: Any) -> Any:
    """By how much each canary's weights moved, `[steps, layers, canaries]` in clipping norms."""
    import keras
    import numpy as np
    import tensorflow as tf

    from ftnoise.training.gradients.noise import BookkeepingSGD
    from ftnoise.training.gradients.recording import RecordingTape

    count = len(inside)
    first = keras.Input((count,))
    halves = [keras.layers.Dense(1, use_bias=False)(first) for _ in range(2)]
    network = keras.Model(first, keras.layers.Add()(halves))
    optimizer = (make or BookkeepingSGD)(
        clip=1.0,
        noise_multiplier=noise,
        batch_size=count,
        key=tf.constant(seeds.key(seed, "audit", "noise"), tf.int64),
        learning_rate=float(count),
    )
    canaries = LENGTH * tf.eye(count)

    @tf.function
    def step() -> None:
        with RecordingTape(network) as tape:
            losses = tf.where(inside, -network(canaries, training=True)[:, 0], 0.0)
        optimizer.minimize(losses, network.trainable_variables, tape=tape)

    places = [np.stack([weight[:, 0] for weight in network.get_weights()])]
    for _ in range(steps):
        step()
        places.append(np.stack([weight[:, 0] for weight in network.get_weights()]))
    return np.diff(np.array(places, np.float64), axis=0)


def _epsilon(said: Any, inside: Any, delta: float) -> float:
    """Lower bound from how well a threshold tells the canaries in the data from the others."""
    import numpy as np

    threshold = np.median(said)
    kept, missed = said[inside] >= threshold, said[~inside] >= threshold
    return _bound(int(kept.sum()), int(missed.sum()), len(kept), delta)


def _bound(kept: int, missed: int, count: int, delta: float) -> float:
    """Lower bound where `kept` of `count` canaries were found, and `missed` of `count` others."""
    # Each end with 97.5 %, so that both hold with 95 %.
    found, _ = proportion_interval(kept, count, 0.95)
    _, false = proportion_interval(missed, count, 0.95)
    if found <= false:
        return 0.0
    normal, tiny = NormalDist(), 1e-12
    mu = normal.inv_cdf(max(found, tiny)) - normal.inv_cdf(min(false, 1 - tiny))
    return privacy.gaussian(1 / mu, 1, delta)


def _correlation(noise: Any) -> float:
    """Largest correlation between the noise of two (step, layer) pairs, in standard deviations."""
    import numpy as np

    rows = noise.reshape(-1, noise.shape[-1])
    between = np.corrcoef(rows) - np.eye(len(rows))
    return float(np.abs(between).max() * np.sqrt(rows.shape[1]))
