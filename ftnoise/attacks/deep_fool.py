"""DeepFool: steps to the nearest of the linearized boundaries between the label and other classes.

Source: Moosavi-Dezfooli et al. (2016), "DeepFool: a simple and accurate method to fool deep neural
networks", Algorithm 2, in l_2; Foolbox 1.8 for `overshoot_steps`.

Deviations
1. Iterates are clipped to [0, 1], as in Foolbox; the algorithm leaves the image range.
2. All gradients of a step are those of the pass that shows whether the iterate is wrong. In Foolbox
   1.8 a network that draws has another draw for the gradient of each class.
3. A step is longer by 1e-4, as in the authors' code and in Foolbox 3. Without it, as in Foolbox
   1.8, clipped iterates approach the boundary and never cross it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.attack import BATCH_NUMBERS
from ftnoise.attacks.search import Search, numbers, until_wrong
from ftnoise.attacks.target import Compiled, draw, per_example
from ftnoise.core.checks import boolean, count, non_negative
from ftnoise.core.lazy import tf

LONGER = 1e-4  # added to the length of a step


@dataclass(frozen=True, kw_only=True)
class DeepFool(Search):
    """The attack of Moosavi-Dezfooli et al. (2016).

    Foolbox 1.8 is `DeepFool(steps=100, overshoot=0.05, overshoot_steps=True)`.

    Args:
        steps: the most steps, at least 1.
        classes: number of classes with the largest logits of the first pass, the label among them,
            at least 2; all classes if there are fewer.
        overshoot: share by which it goes beyond the boundary, >= 0.
        overshoot_steps: each step overshoots, instead of their sum.
    """

    steps: int = 50
    classes: int = 10
    overshoot: float = 0.02
    overshoot_steps: bool = False

    ball: ClassVar[Ball] = L2Ball()

    def __post_init__(self) -> None:
        count(steps=self.steps)
        count(least=2, classes=self.classes)
        non_negative(overshoot=self.overshoot)
        boolean(overshoot_steps=self.overshoot_steps)

    def at_a_time(self, shape: tuple[int, ...]) -> int:
        # A gradient for each of the classes.
        most = 4 * BATCH_NUMBERS // (self.classes * math.prod(shape))
        return max(1, min(self.batch_size, most))

    def nearest(self, target: Compiled, x: Any, y: Any, logits: Any, seed: Any) -> tuple[Any, Any]:
        from ftnoise.layers.drawing import forward

        beyond = 1.0 + self.overshoot

        def step(x: Any, total: Any, at: Any, order: Any, key: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(at)
                logits = forward(target.network, at, key)
                chosen = tf.gather(logits, order, batch_dims=1)
            slopes = tape.batch_jacobian(
                chosen, at, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            wrong = tf.argmax(logits, axis=-1, output_type=order.dtype) != order[:, 0]
            gaps, slopes = chosen[:, :1] - chosen[:, 1:], numbers(slopes[:, 1:] - slopes[:, :1])
            lengths = tf.norm(tf.reshape(slopes, [*tf.unstack(tf.shape(gaps)), -1]), axis=-1) + 1e-8
            nearest = tf.argmin(tf.abs(gaps) / lengths, axis=1)
            gap, length, slope = (
                tf.gather(part, nearest, batch_dims=1) for part in (gaps, lengths, slopes)
            )
            move = per_example((tf.abs(gap) / length + LONGER) / length, x) * slope
            total += move
            moved = at + beyond * move if self.overshoot_steps else x + beyond * total
            return total, tf.clip_by_value(moved, 0.0, 1.0), wrong

        order = tf.math.top_k(logits, min(self.classes, logits.shape[-1])).indices
        classes = tf.TensorSpec([None, order.shape[1]], tf.int32)
        signature = (*[target.x] * 3, classes, target.seed)
        compiled = target.once((self, order.shape[1]), step, *signature)

        def take(number: int, state: Any) -> tuple[Any, Any, Any]:
            x, _, at, order = state
            total, moved, wrong = compiled(*state, draw(seed, number))
            return (x, total, moved, order), at, wrong

        # One round more, as a round judges where the step before it went.
        return until_wrong(take, (x, tf.zeros_like(x), x, order), x, self.steps + 1)
