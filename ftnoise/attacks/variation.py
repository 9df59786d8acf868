"""Steps that change the softmax as much as they can, class by class, up and down.

Source: Definition 3 of "Global Adversarial Robustness Guarantees for Neural Networks", whose
objective it ascends: the largest change of a class's probability in the ball. The steps are those
of Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks".

An ascent follows the log odds of one class, which rise and fall with its probability and keep their
gradient where that saturates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.attacks.attack import Iterative
from ftnoise.attacks.target import Target, draw, per_example
from ftnoise.core.lazy import tf


@dataclass(frozen=True, kw_only=True)
class Variation(Iterative):
    """The neighbor whose softmax differs most, in l_inf, of two ascents for each class.

    The labels have no effect: it is as far from the prediction as it gets, right or wrong.
    """

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        fold = tf.random.experimental.stateless_fold_in
        before = tf.nn.softmax(target.logits(x, seed))
        ascend = self.compiled(target, x)
        best, most = x, tf.zeros_like(before[:, 0])
        for number in range(2 * before.shape[-1]):
            own, sign = number // 2, 1 - 2 * (number % 2)
            start = self.ball.neighbor(x, self.attack_epsilon, fold(seed, 2 * number))
            how = tf.constant(self.attack_epsilon, x.dtype), tf.constant(self.step, x.dtype)
            drawn = draw(seed, 2 * number + 1)
            moved = ascend(x, start, tf.constant(own), tf.constant(sign, x.dtype), *how, drawn)
            change = tf.abs(tf.nn.softmax(target.logits(moved, seed)) - before)
            reached = tf.reduce_max(change, axis=-1)
            best = tf.where(per_example(reached > most, x), moved, best)
            most = tf.maximum(reached, most)
        return best

    def compiled(self, target: Target, x: Any) -> Any:
        """The function that takes all steps of an ascent, once for each target."""

        def ascend(
            x: Any, start: Any, own: Any, sign: Any, radius: Any, size: Any, seed: Any
        ) -> Any:
            def objective(moved: Any) -> Any:
                logits = target.network(moved, training=False)
                is_own = tf.range(logits.shape[-1]) == own
                others = tf.where(is_own, tf.constant(-float("inf"), logits.dtype), logits)
                return sign * (tf.gather(logits, own, axis=1) - tf.reduce_logsumexp(others, axis=1))

            how = {"attack_epsilon": radius, "step_size": size, "steps": self.steps, "seed": seed}
            return self.ball.ascend(objective, x, start, **how)

        image, number = tf.TensorSpec([None, *x.shape[1:]], x.dtype), tf.TensorSpec([], x.dtype)
        own, drawn = tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int64)
        key = (type(self), self.ball, self.steps)
        return target.once(key, ascend, image, image, own, number, number, number, drawn)
