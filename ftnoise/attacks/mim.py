"""MIM: steps along a decaying sum of normalized gradients.

Source: Dong et al. (2018), "Boosting Adversarial Attacks with Momentum". Momentum makes the
perturbations transfer better to other networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.attacks.attack import Iterative
from ftnoise.attacks.target import Target
from ftnoise.core.checks import non_negative
from ftnoise.core.lazy import tf


@dataclass(frozen=True, kw_only=True)
class MIM(Iterative):
    """The momentum iterative method of Dong et al. (2018), which starts at x.

    Args:
        decay: factor of the sum of gradients at each step, >= 0.
    """

    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        non_negative(decay=self.decay)

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        project, moved, total = self.ball.projection(x, self.attack_epsilon), x, tf.zeros_like(x)
        axes = list(range(1, x.shape.rank))
        for step in range(self.steps):
            drawn = tf.random.experimental.stateless_fold_in(seed, step)
            gradient = target.gradient(moved, y, drawn)
            mean = tf.reduce_mean(tf.abs(gradient), axis=axes, keepdims=True)
            total = self.decay * total + tf.math.divide_no_nan(gradient, mean)
            moved = project(moved + self.step * self.ball.direction(total, drawn))
        return moved
