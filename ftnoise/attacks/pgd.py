"""PGD: projected gradient ascent on the cross-entropy from a random start, the best of restarts.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks".

Deviations
1. The network is in inference mode, so that its batch statistics neither move nor depend on what
   else is in the batch; Madry et al.'s training code leaves it in training mode.
2. In l_2 a step has its length however short the gradient is; see deviation 1 of `fgsm.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.attack import Iterative
from ftnoise.attacks.compiled import climb
from ftnoise.core.checks import expect, is_count

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class PGD(Iterative):
    """The attack of Madry et al. (2018).

    An example counts as broken if any restart breaks it: what is returned is the first of its
    neighbors that the network gets wrong, or else the one with the highest loss.

    Args:
        restarts: ascents from different random starts, at least 1.
        random_start: start at a uniform draw from the ball instead of at x.
    """

    restarts: int = 1
    random_start: bool = True

    stepwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(is_count(self.restarts), "restarts to be an integer >= 1", restarts=self.restarts)
        expect(
            isinstance(self.random_start, bool),
            "random_start a bool",
            random_start=self.random_start,
        )
        expect(
            self.random_start or self.restarts == 1,
            "one restart without a random start, as all of them would be the same",
            restarts=self.restarts,
        )

    @property
    def trains(self) -> bool:
        return self.restarts == 1

    @property
    def gradients(self) -> int:
        return self.steps * self.restarts

    @property
    def name(self) -> str:
        return super().name + (f" x {self.restarts}" if self.restarts > 1 else "")

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        import tensorflow as tf

        best = self.ascent(network, x, y, seed, 0)
        if self.restarts == 1:
            return best
        height = self.height(network, best, y)
        for restart in range(1, self.restarts):
            # One after the other, so that memory does not grow with the restarts.
            with tf.control_dependencies([best, height]):
                found = self.ascent(network, tf.identity(x), y, seed, restart)
            reached = self.height(network, found, y)
            better = reached > height
            height = tf.where(better, reached, height)
            best = tf.where(tf.reshape(better, [-1, *[1] * (x.shape.rank - 1)]), found, best)
        return best

    def ascent(self, network: keras.Model, x: Any, y: Any, seed: Any, restart: int) -> Any:
        """The end of one ascent, `[batch, ...]`."""
        import tensorflow as tf

        seed = tf.random.experimental.stateless_fold_in(seed, restart)
        start_seed, steps_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = self.ball.neighbor(x, self.attack_epsilon, start_seed) if self.random_start else x
        return climb(
            network,
            self.ball,
            x,
            y,
            start,
            attack_epsilon=self.attack_epsilon,
            step_size=self.step,
            steps=self.steps,
            seed=steps_seed,
        )

    def height(self, network: keras.Model, x: Any, y: Any) -> Any:
        """How far each example got, `[batch]`: its loss, or infinite if it is broken."""
        import tensorflow as tf

        logits = network(x, training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        broken = tf.argmax(logits, axis=-1, output_type=y.dtype) != y
        return tf.where(broken, tf.constant(float("inf"), losses.dtype), losses)
