"""How the batches of DP-SGD are drawn, on which its privacy guarantee depends.

Source: Abadi et al. (2016), "Deep Learning with Differential Privacy", for Poisson sampling;
Chua et al. (2024), "How Private are DP-SGD Implementations?", for what shuffling costs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from ftnoise.core.spec import Spec
from ftnoise.training.gradients.plain import batch_of


@dataclass(frozen=True, kw_only=True)
class Sampler(Spec, ABC):
    """Base of the samplers."""

    @abstractmethod
    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        """The examples of a step; see `Updater.batch`.

        Args:
            order: this epoch's permutation, int32 `[examples]`.
            step: number of the step, int64 scalar.
            size: (expected) number of examples.
            steps_per_epoch: steps in an epoch.
            key: int64 scalar that, with `step`, determines the draw.
            multiple: where the number of indices varies, it is rounded up to a multiple of this.
        """


@dataclass(frozen=True, kw_only=True)
class Poisson(Sampler):
    """Each example is in each batch with probability size / examples, independently of all others.

    A batch may be empty. It then has one index that does not count, because some kernels fail on
    zero examples.
    """

    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        import tensorflow as tf

        del steps_per_epoch
        examples = order.shape[0]
        # In integers: the probability, rounded down to a multiple of 2^-32, is never above the
        # stated one.
        drawn = tf.random.stateless_uniform(
            [examples], tf.stack([key, step]), minval=None, maxval=None, dtype=tf.uint32
        )
        if size >= examples:
            chosen = tf.range(examples, dtype=tf.int64)
        else:
            threshold = tf.constant(size * 2**32 // examples, tf.uint32)
            chosen = tf.where(drawn < threshold)[:, 0]
        count = tf.shape(chosen)[0]
        length = tf.maximum(-(-count // multiple), 1) * multiple
        indices = tf.pad(chosen, [[0, length - count]])
        return tf.cast(indices, tf.int32), tf.range(length) < count


@dataclass(frozen=True, kw_only=True)
class Shuffled(Sampler):
    """Consecutive slices of a permutation drawn anew in each epoch, as in most code."""

    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        del key, multiple
        return batch_of(order, step, steps_per_epoch, size), None
