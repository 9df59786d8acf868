"""How the batches of DP-SGD are drawn; the epsilon that may be stated depends on it.

Source: Abadi et al. (2016), "Deep Learning with Differential Privacy", for Poisson sampling;
Chua et al. (2024), "How Private are DP-SGD Implementations?", for what shuffling costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.core.spec import Spec
from ftnoise.training.gradients.plain import batch_of


@dataclass(frozen=True, kw_only=True)
class Sampler(Spec):
    """Base of the samplers."""

    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        """The examples of a step; see `Updater.batch`.

        Args:
            order: this epoch's permutation, int32 `[examples]`.
            step: number of the step, int64 scalar.
            size: (expected) number of examples.
            steps_per_epoch: steps in an epoch.
            key: int64 scalar that, with `step`, decides what is drawn.
            multiple: the number of indices is a multiple of it, where it varies.
        """
        raise TypeError(f"{type(self).__name__} has no batch.")


@dataclass(frozen=True, kw_only=True)
class Poisson(Sampler):
    """Each example is in each batch with probability size / examples, independently of all else.

    A batch may be empty: then one index comes back, which does not count, as there are kernels
    that cannot work on no example at all.
    """

    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        import tensorflow as tf

        del steps_per_epoch
        examples = order.shape[0]
        # In integers: a probability of 2^-32 steps, rounded down, is never above the one stated.
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
    """Consecutive slices of a permutation that is drawn for each epoch, as most code does it."""

    def batch(
        self, order: Any, step: Any, *, size: int, steps_per_epoch: int, key: Any, multiple: int
    ) -> tuple[Any, Any]:
        del key, multiple
        return batch_of(order, step, steps_per_epoch, size), None
