"""Searches look for the nearest example that a network gets wrong, at any distance in [0, 1].

Source: Rauber et al. (2017), "Foolbox: A Python toolbox to benchmark the robustness of machine
learning models", release 1.8, as Khan et al. (2019), "Non-Determinism in Neural Networks for
Adversarial Robustness", used it.

A search stops at the first forward pass that errs, the one without a perturbation included. Each
pass of a network that draws is a draw of its own, which the images of a call share, so one unlucky
draw ends the search at an example that most draws get right. What the score of a fresh draw then
shows is not robustness.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball
from ftnoise.attacks.attack import BATCH_NUMBERS, check_logits, check_range
from ftnoise.attacks.target import Compiled, draw, per_example
from ftnoise.core.lazy import keras, tf
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Search(Spec, ABC):
    """Base of the searches. A member defines `nearest`; users call `search`.

    Attributes:
        ball: its norm measures distances.
        batch_size: the most examples that it gets at a time; see `at_a_time`.
    """

    ball: ClassVar[Ball]
    batch_size: ClassVar[int] = 1000

    @property
    def label(self) -> str:
        """Its name in print."""
        return type(self).__name__

    def at_a_time(self, shape: tuple[int, ...]) -> int:
        """The number of examples of this shape in a batch."""
        return max(1, min(self.batch_size, BATCH_NUMBERS // math.prod(shape)))

    def search(self, network: keras.Model | Compiled, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
        """The nearest wrong examples that it finds, outside a `tf.function`.

        Args:
            network: gives logits `[batch, classes]`; it stays as it is.
            x: `[batch, ...]` in [0, 1].
            y: integer labels `[batch]`.
            seed: int64 pair; all that is random follows from it.

        Returns:
            Examples `[batch, ...]` in [0, 1], and whether a pass got each wrong, bool `[batch]`;
            where none did, the example is that of `x`.

        Raises:
            BadInput: the network gives no logits, or examples are outside [0, 1].
        """
        x, y = tf.convert_to_tensor(x, tf.float32), tf.convert_to_tensor(y, tf.int32)
        shape = tuple(x.shape[1:])
        target = network if isinstance(network, Compiled) else Compiled(network, shape)
        self.check(target.network, shape)
        check_range(x)
        logits = target.logits(x, draw(seed, 0))
        right = tf.argmax(logits, axis=-1, output_type=y.dtype) == y
        where = tf.where(right)
        if not len(where):
            return x, ~right
        own, labels, first = (tf.gather_nd(part, where) for part in (x, y, logits))
        moved, found = self.nearest(target, own, labels, first, draw(seed, 1))
        moved = tf.where(per_example(found, moved), moved, own)
        return (
            tf.tensor_scatter_nd_update(x, where, moved),
            tf.tensor_scatter_nd_update(~right, where, found),
        )

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        """Raises `BadInput` where it cannot work on examples of this shape."""
        check_logits(network)

    @abstractmethod
    def nearest(self, target: Compiled, x: Any, y: Any, logits: Any, seed: Any) -> tuple[Any, Any]:
        """The result of `search` for examples that the first pass gets right, at least one.

        Args:
            target: the compiled network.
            x: `[batch, ...]`.
            y: `[batch]`.
            logits: `[batch, classes]` of the first pass.
            seed: int64 pair.
        """


def until_wrong(
    take: Callable[[int, Any], tuple[Any, Any, Any]], state: Any, start: Any, rounds: int
) -> tuple[Any, Any]:
    """Rounds of a search; examples leave the batch in the round that gets them wrong.

    `take` maps a round and the state, a tuple of tensors `[batch, ...]`, to
    `(state, result, wrong)` of the examples left; wrong is bool `[left]`. `start` is the result of
    an example that stays right, `[batch, ...]`. Gives the results `[batch, ...]`, and which
    examples were wrong, bool `[batch]`.
    """
    results, left = start, tf.range(len(start))[:, None]
    found = tf.zeros(len(start), tf.bool)
    for number in range(rounds):
        state, result, wrong = take(number, state)
        if not (gone := wrong.numpy()).any():
            continue
        out = left[gone]
        results = tf.tensor_scatter_nd_update(results, out, result[gone])
        found = tf.tensor_scatter_nd_update(found, out, tf.ones(len(out), tf.bool))
        if gone.all():
            break
        left, state = left[~gone], tuple(part[~gone] for part in state)
    return results, found


def numbers(gradient: Any) -> Any:
    """The gradient with 0 where it is no number, which would lead anywhere after clipping."""
    return tf.where(tf.math.is_finite(gradient), gradient, 0.0)
