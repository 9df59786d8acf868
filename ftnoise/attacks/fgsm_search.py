"""FGSM with the smallest radius that succeeds: points along the gradient's sign, the nearest first.

Source: Foolbox 1.8, `GradientSignAttack`, whose gradient is taken once, at the example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball, LinfBall
from ftnoise.attacks.search import Search, numbers, until_wrong
from ftnoise.attacks.target import Compiled, draw, per_example
from ftnoise.core.checks import count
from ftnoise.core.lazy import tf

BLOCK = 10  # radii in a call


@dataclass(frozen=True, kw_only=True)
class FGSMSearch(Search):
    """Goodfellow et al.'s (2015) step with each of many radii, until a pass errs.

    If one of the first `finer` radii succeeds, or none of them all, `finer` radii up to that one
    (or to 1) are tried.

    Args:
        radii: their number, evenly spaced in (0, 1], at least 1.
        finer: number of radii of the second round, at least 1.
    """

    radii: int = 1000
    finer: int = 20

    ball: ClassVar[Ball] = LinfBall()

    def __post_init__(self) -> None:
        count(radii=self.radii, finer=self.finer)

    def nearest(self, target: Compiled, x: Any, y: Any, logits: Any, seed: Any) -> tuple[Any, Any]:
        along = tf.sign(numbers(target.gradient(x, y, draw(seed, 0))))
        radius = tf.ones(len(y), x.dtype)
        coarse, found = self.first(target, (x, y, along, radius), self.radii, draw(seed, 1))
        again = tf.where((coarse <= self.finer / self.radii) | ~found)
        if len(again):
            state = (*(tf.gather_nd(part, again) for part in (x, y, along, coarse)),)
            fine, better = self.first(target, state, self.finer, draw(seed, 2))
            coarse = tf.tensor_scatter_nd_update(coarse, again, fine)
            found = tf.tensor_scatter_nd_update(found, again, better | tf.gather_nd(found, again))
        return _moved(x, along, coarse), found

    def first(self, target: Compiled, state: Any, radii: int, seed: Any) -> tuple[Any, Any]:
        """The smallest radius that errs, `[batch]`, and whether one did.

        Args:
            target: the compiled network.
            state: examples, labels, directions and the largest radius `[batch]`, which is also
                the result where no radius errs.
            radii: their number.
            seed: int64 pair.
        """
        from ftnoise.layers.drawing import forward

        def block(x: Any, y: Any, along: Any, most: Any, begin: Any, size: Any, key: Any) -> Any:
            radius, found = most, tf.zeros_like(y, tf.bool)
            for number in range(BLOCK):
                # A draw of its own for each radius, and not for each block.
                candidate = most * (begin + number + 1.0) / size
                logits = forward(target.network, _moved(x, along, candidate), draw(key, number))
                wrong = tf.argmax(logits, axis=-1, output_type=y.dtype) != y
                wrong &= ~found & (begin + number < size)
                radius, found = tf.where(wrong, candidate, radius), found | wrong
            return radius, found

        number, examples = tf.TensorSpec([], tf.float32), tf.TensorSpec([None], tf.float32)
        signature = (target.x, target.y, target.x, examples, number, number, target.seed)
        tried = target.once((FGSMSearch, BLOCK), block, *signature)

        def take(turn: int, state: Any) -> tuple[Any, Any, Any]:
            begin, size = (tf.constant(n, tf.float32) for n in (turn * BLOCK, radii))
            return state, *tried(*state, begin, size, draw(seed, turn))

        return until_wrong(take, state, state[-1], -(-radii // BLOCK))


def _moved(x: Any, along: Any, radius: Any) -> Any:
    return tf.clip_by_value(x + per_example(radius, x) * along, 0.0, 1.0)
