"""Gaussian noise that is a function of a key and the step, and the optimizer that adds it.

The optimizer is a subclass of tensorflow-privacy's. It takes the clipped sum from the book-keeping
pass, and the noise from a query with keyed draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_privacy.privacy.dp_query.gaussian_query import GaussianSumQuery
from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras import GenericDPSGDOptimizer

from ftnoise.training.gradients.clipping import clipped_sum
from ftnoise.training.gradients.recording import RecordingTape, refuse_calls


def standard_normals(count: int, seed: Any) -> Any:
    """`count` independent standard normals, float32, a function of the int64 pair `seed`.

    Box and Muller (1958) on TensorFlow's keyed random bits, with 64 of them for the radius: it
    reaches 9.5 standard deviations. TensorFlow's own normals, from uniforms of 23 bits, end below
    5.7; a value beyond such an edge would reveal with certainty who was in the data.
    """
    half = (count + 1) // 2
    bits = tf.random.stateless_uniform(
        [3, half], seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    radius = radius_of(bits[0], bits[1])
    angle = (2.0 * math.pi / 2**32) * tf.cast(bits[2], tf.float32)
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)[:count]


def radius_of(high: Any, low: Any) -> Any:
    """sqrt(-2 log u) for u in (0, 1] with the binary digits of the uint32 `high` and `low`."""
    fraction = (tf.cast(low, tf.float32) + 0.5) * 2.0**-32
    return tf.sqrt(-2.0 * tf.math.log((tf.cast(high, tf.float32) + fraction) * 2.0**-32))


class KeyedGaussianSum(GaussianSumQuery):
    """A Gaussian sum query whose noise is a function of `key` and `step()`, int64 scalars.

    `clip` is the largest l_2 norm of a record, `stddev` that of the noise in each element of the
    sum.
    """

    def __init__(self, clip: float, stddev: float, key: Any, step: Callable[[], Any]) -> None:
        super().__init__(clip, stddev)
        self.key, self.step = key, step

    def get_noised_result(self, sample_state: Any, global_state: Any) -> tuple[Any, Any, None]:
        """The sum with noise; the event is None, because the accounting reads the ledger."""
        sums = tf.nest.flatten(sample_state)
        sizes = [total.shape.num_elements() for total in sums]
        seed = tf.stack([tf.cast(self.key, tf.int64), tf.cast(self.step(), tf.int64)])
        # One draw for all of them: no two elements share noise.
        noise = tf.split(global_state.stddev * standard_normals(sum(sizes), seed), sizes)
        noised = [
            total + tf.reshape(one, total.shape) for total, one in zip(sums, noise, strict=True)
        ]
        return tf.nest.pack_sequence_as(sample_state, noised), global_state, None


class BookkeepingSGD(GenericDPSGDOptimizer):
    """DP-SGD whose clipped sum costs one forward and one backward pass.

    Use: `with RecordingTape(model) as tape: losses = ...` (rank one, one loss an example), then
    `optimizer.minimize(losses, model.trainable_variables, tape=tape)`. Call `checks.check(model)`
    before: the tape refuses unknown layers, but only the trial finds those that mix the examples of
    a batch. Under a `tf.distribute` strategy the sums of the replicas are added, with one draw of
    the noise.

    Args:
        clip: largest l_2 norm of an example's gradient over all weights, > 0.
        noise_multiplier: standard deviation of the noise in units of `clip`, >= 0.
        batch_size: the expected number of examples a step over all replicas, by which the noised
            sum is divided; public.
        key: int64 scalar that, with the number of the step, decides the noise.
        learning_rate, momentum: as for Keras' SGD.
        xla: whether XLA compiles its steps.
    """

    def __init__(
        self,
        *,
        clip: float,
        noise_multiplier: float,
        batch_size: int,
        key: Any,
        learning_rate: Any,
        momentum: float = 0.0,
        xla: bool = False,
    ) -> None:
        query = KeyedGaussianSum(clip, clip * noise_multiplier, key, lambda: self.iterations)
        super().__init__(query, learning_rate=learning_rate, momentum=momentum)
        self.query, self.clip, self.batch_size, self.xla = query, clip, batch_size, xla

    def _compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Any],
        grad_loss: Any = None,
        tape: RecordingTape | None = None,
    ) -> list[tuple[Any, Any]]:
        """The noised mean of the examples' clipped gradients, with its variables."""
        del grad_loss
        if not isinstance(tape, RecordingTape):
            raise TypeError(f"Expected tape to be a RecordingTape. Received: tape={tape!r}.")
        self._was_dp_gradients_called = True
        refuse_calls(tape)
        sums, tape.finite = clipped_sum(tape.parts(loss), var_list, self.clip, xla=self.xla)
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        noised, _, _ = self.query.get_noised_result(sums, self.query.initial_global_state())
        return [
            (total / self.batch_size, variable)
            for total, variable in zip(noised, var_list, strict=True)
        ]

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        """Applies gradients that every replica already has in full."""
        return super().apply_gradients(
            grads_and_vars, name=name, experimental_aggregate_gradients=False
        )
