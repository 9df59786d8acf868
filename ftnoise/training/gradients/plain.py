"""Stochastic gradient descent on the mean loss over shuffled batches: no noise in the gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.spec import Schedule, Spec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Plain(Spec):
    """What an empty `gradients` slot means."""

    def optimizer(self, schedule: Schedule, steps_per_epoch: int) -> Any:
        """Keras' SGD with the schedule's learning rate inside, so that TensorBoard sees it."""
        import tensorflow as tf

        schedules = tf.keras.optimizers.schedules
        if schedule.drops:
            # PiecewiseConstantDecay keeps a value up to AND including its boundary.
            boundaries = [(drop - 1) * steps_per_epoch - 1 for drop in schedule.drops]
            values = [
                schedule.learning_rate * schedule.drop_factor**n
                for n in range(len(schedule.drops) + 1)
            ]
            rate = schedules.PiecewiseConstantDecay(boundaries, values)
        else:
            # Constant, but a schedule: TensorBoard hears of no other rate.
            rate = schedules.ExponentialDecay(schedule.learning_rate, 1, decay_rate=1.0)
        # The legacy class updates a variable in one fused kernel; the new one takes several.
        return tf.keras.optimizers.legacy.SGD(rate, momentum=schedule.momentum)

    def batch(self, order: Any, position: Any, size: int) -> Any:
        """Indices of batch number `position` of this epoch's `order`; the last may be shorter."""
        return order[position * size : (position + 1) * size]

    def update(
        self, network: keras.Model, optimizer: Any, compute: Callable[[], tuple[Any, Any, Any]]
    ) -> tuple[Any, Any]:
        """One step on `compute() -> (losses [batch], penalty, logits)`; returns (loss, logits)."""
        import tensorflow as tf

        variables = network.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for variable in variables:
                tape.watch(variable)
            losses, penalty, logits = compute()
            loss = tf.reduce_mean(losses) + penalty
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, logits
