"""Gradient descent on the mean loss of shuffled batches, without noise: SGD or Adam.

Source: Kingma and Ba (2015), "Adam: A Method for Stochastic Optimization".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, fraction, positive
from ftnoise.core.interfaces import Gradients, Objective, Run, Updater
from ftnoise.core.lazy import keras, tf
from ftnoise.core.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Plain(Gradients):
    """SGD with the schedule's momentum, the default of the `gradients` slot."""

    def start(self, network: keras.Model, run: Run, examples: int, *, xla: bool) -> Updater:
        del xla
        return PlainUpdater(network, run.schedule, run.schedule.steps_per_epoch(examples))


@dataclass(frozen=True, kw_only=True)
class Adam(Gradients):
    """Steps of about the learning rate in each coordinate; the schedule's momentum has to be 0.

    Args:
        beta_1, beta_2: decay of the running means of the gradient and of its square, in [0, 1).
        floor: added to the root of the latter, > 0; Keras' epsilon.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    floor: float = 1e-7

    def __post_init__(self) -> None:
        fraction(one=False, beta_1=self.beta_1, beta_2=self.beta_2)
        positive(floor=self.floor)

    def start(self, network: keras.Model, run: Run, examples: int, *, xla: bool) -> Updater:
        del xla
        expect(
            run.schedule.momentum == 0,
            "momentum 0 with Adam, which has its own (beta_1)",
            momentum=run.schedule.momentum,
        )
        steps = run.schedule.steps_per_epoch(examples)
        optimizer = tf.keras.optimizers.legacy.Adam(
            learning_rate(run.schedule, steps),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.floor,
        )
        return PlainUpdater(network, run.schedule, steps, optimizer)


class PlainUpdater(Updater):
    """Keras' SGD, or another optimizer, on the mean loss."""

    def __init__(
        self, network: keras.Model, schedule: Schedule, steps_per_epoch: int, optimizer: Any = None
    ) -> None:
        self.network, self.schedule, self.steps_per_epoch = network, schedule, steps_per_epoch
        # The legacy class updates a variable in one fused kernel; the new one takes several.
        self.optimizer = optimizer or tf.keras.optimizers.legacy.SGD(
            learning_rate(schedule, steps_per_epoch), momentum=schedule.momentum
        )

    def batch(self, order: Any, step: Any) -> tuple[Any, Any]:
        """The step's slice of the epoch's order; the last of an epoch may be shorter."""
        return batch_of(order, step, self.steps_per_epoch, self.schedule.batch_size), None

    def update(self, objective: Objective, penalty: Callable[[], Any] | None, present: Any) -> Any:
        """One step against the gradient of the mean loss and the penalty."""
        del present
        variables = self.network.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            losses, logits = objective()
            loss = tf.reduce_mean(losses) + (penalty() if penalty else 0.0)
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, logits, gradients


def batch_of(order: Any, step: Any, steps_per_epoch: int, size: int) -> Any:
    """Indices of a step's batch out of the epoch's `order`; the last may be shorter."""
    position = tf.cast(step % steps_per_epoch, tf.int32)
    return order[position * size : (position + 1) * size]


def learning_rate(schedule: Schedule, steps_per_epoch: int) -> Any:
    """The learning rate at each step, as a Keras schedule; one table lookup a step."""
    # `iterations` counts completed steps, so the first step of an epoch is past this boundary.
    boundaries = [(drop - 1) * steps_per_epoch - 1.0 for drop in schedule.drops]
    values = [
        schedule.learning_rate * schedule.drop_factor**n for n in range(len(schedule.drops) + 1)
    ]

    class Table(tf.keras.optimizers.schedules.LearningRateSchedule):
        """The value after the last boundary."""

        def __call__(self, step: Any) -> Any:
            past = tf.cast(step, tf.float32) > tf.constant(boundaries, tf.float32)
            return tf.gather(tf.constant(values), tf.math.count_nonzero(past, dtype=tf.int32))

        def get_config(self) -> dict[str, Any]:
            return {"boundaries": boundaries, "values": values}

    return Table()
