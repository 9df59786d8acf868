"""PGD: projected gradient ascent on the cross-entropy, with random restarts.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks";
Athalye et al. (2018), "Obfuscated Gradients Give a False Sense of Security", for the expectation
over draws.

Deviations
1. The network is in inference mode, so that its batch statistics neither move nor depend on what
   else is in the batch; Madry et al.'s training code leaves it in training mode.
2. In l_2 a step has its length however short the gradient is; see deviation 1 of `fgsm.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ftnoise.attacks.attack import Iterative, OverDraws
from ftnoise.attacks.target import Target
from ftnoise.core.checks import boolean, count, expect
from ftnoise.core.lazy import tf


@dataclass(frozen=True, kw_only=True)
class PGD(Iterative, OverDraws):
    """The attack of Madry et al. (2018).

    An example is broken if any restart breaks it: the result is the first of its neighbors that
    the network gets wrong, or else the one with the highest loss.

    Args:
        attack_epsilon, ball: the neighbors; see `Attack`.
        steps, step_size: at least 1, 20 by default; and their length, see `Iterative`.
        draws: of a network that draws, averaged over at each step; see `OverDraws`.
        restarts: ascents from different random starts, at least 1.
        random_start: start at a uniform draw from the ball instead of at x.
        frozen: the same draws at every step.
    """

    restarts: int = 1
    random_start: bool = True
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        count(restarts=self.restarts)
        boolean(random_start=self.random_start, frozen=self.frozen)
        expect(
            self.random_start or self.restarts == 1,
            "one restart without a random start, as all of them would be the same",
            restarts=self.restarts,
        )

    @property
    def trains(self) -> bool:
        return self.restarts == 1

    @property
    def name(self) -> str:
        restarts = f" x {self.restarts}" if self.restarts > 1 else ""
        return f"PGD-{self.steps}{restarts}{self.over}" + (", frozen" if self.frozen else "")

    def restarted(self) -> PGD | None:
        return replace(self, restarts=5 * self.restarts) if self.random_start else None

    def undrawn(self) -> PGD:
        # Shorter steps, or the noise of the last ones would decide where it ends.
        size = self.step / self.draws or None
        steps = self.steps * self.draws
        return replace(self, steps=steps, step_size=size, draws=1, frozen=False)

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        def ascend(restart: int, x: Any) -> Any:
            return self.ascent(target, x, y, seed, restart)

        return target.strongest([partial(ascend, n) for n in range(self.restarts)], x, y, seed)

    def ascent(self, target: Target, x: Any, y: Any, seed: Any, restart: int) -> Any:
        """The end of one ascent, `[batch, ...]`."""
        seed = tf.random.experimental.stateless_fold_in(seed, restart)
        start_seed, steps_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = self.ball.neighbor(x, self.attack_epsilon, start_seed) if self.random_start else x
        return target.ascend(
            self.ball,
            x,
            y,
            start,
            self.draws,
            self.frozen,
            attack_epsilon=self.attack_epsilon,
            step_size=self.step,
            steps=self.steps,
            seed=steps_seed,
        )
