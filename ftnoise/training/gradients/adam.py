"""Adam on the mean loss of shuffled batches, without noise.

Source: Kingma and Ba (2015), "Adam: A Method for Stochastic Optimization".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect, fraction, positive
from ftnoise.core.interfaces import Gradients, Run, Updater
from ftnoise.training.gradients.plain import PlainUpdater, learning_rate

if TYPE_CHECKING:
    import keras


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
        """The updater of one training on `examples` training examples."""
        import tensorflow as tf

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
