"""PGD: projected gradient ascent on the cross-entropy, with random restarts.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks".

Deviations
1. The network is in inference mode, so that its batch statistics neither move nor depend on what
   else is in the batch; Madry et al.'s training code leaves it in training mode.
2. In l_2 a step has its length however short the gradient is; see deviation 1 of `fgsm.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.attacks.attack import Iterative
from ftnoise.attacks.target import Target
from ftnoise.core.checks import boolean, count, expect


@dataclass(frozen=True, kw_only=True)
class PGD(Iterative):
    """The attack of Madry et al. (2018).

    An example is broken if any restart breaks it: the result is the first of its neighbors that
    the network gets wrong, or else the one with the highest loss.

    Args:
        restarts: ascents from different random starts, at least 1.
        random_start: start at a uniform draw from the ball instead of at x.
    """

    restarts: int = 1
    random_start: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        count(restarts=self.restarts)
        boolean(random_start=self.random_start)
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
        return super().name + (f" x {self.restarts}" if self.restarts > 1 else "")

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        import tensorflow as tf

        best = self.ascent(target, x, y, seed, 0)
        if self.restarts == 1:
            return best
        height = self.height(target, best, y, seed)
        for restart in range(1, self.restarts):
            # One after the other, so that memory does not grow with the restarts.
            with tf.control_dependencies([best, height]):
                found = self.ascent(target, tf.identity(x), y, seed, restart)
            reached = self.height(target, found, y, seed)
            better = reached > height
            height = tf.where(better, reached, height)
            best = tf.where(tf.reshape(better, [-1, *[1] * (x.shape.rank - 1)]), found, best)
        return best

    def ascent(self, target: Target, x: Any, y: Any, seed: Any, restart: int) -> Any:
        """The end of one ascent, `[batch, ...]`."""
        import tensorflow as tf

        seed = tf.random.experimental.stateless_fold_in(seed, restart)
        start_seed, steps_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = self.ball.neighbor(x, self.attack_epsilon, start_seed) if self.random_start else x
        return target.ascend(
            self.ball,
            x,
            y,
            start,
            attack_epsilon=self.attack_epsilon,
            step_size=self.step,
            steps=self.steps,
            seed=steps_seed,
        )

    def height(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        """The loss of each example, `[batch]`, or infinity if it is broken; in one draw."""
        import tensorflow as tf

        logits = target.logits(x, seed)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        broken = tf.argmax(logits, axis=-1, output_type=y.dtype) != y
        return tf.where(broken, tf.constant(float("inf"), losses.dtype), losses)
