"""Where noise enters a training: the inputs, a penalty, the gradients, or the weights.

`Training` is a value with four optional slots and an augmentation; without any it is natural
training.

| slot | content | base class |
|---|---|---|
| `inputs` | the objective: the loss on noisy or adversarial examples | `Inputs` |
| `penalty` | a scalar added to the loss, outside any clipping | `Penalty` |
| `gradients` | how batches are drawn, and how losses become an update | `Gradients` |
| `weights` | the network itself, before and after each step | `Weights` |

The augmentation changes the examples of a batch before anything else uses them. The base classes
are in `core/interfaces.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import instance
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Run
from ftnoise.core.lazy import keras
from ftnoise.training.slots import Slots


@dataclass(frozen=True, kw_only=True)
class Training(Slots):
    """One training; `Training()` is natural training.

    Args:
        inputs, penalty, gradients, weights, augmentation: members of the slots, or None.

    Raises:
        BadInput: a slot holds something else than its members, or two members cannot be combined.
    """

    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        """See `Procedure.train`; the slots of this training are used, not those of the run."""
        from ftnoise.training.loop import train

        return train(self, run, data, checkpointing or Checkpointing(), network)


def with_slots(run: Run, **slots: Any) -> Run:
    """The run with other members in the slots of its `Training`."""
    instance(Training, "a Training", training=run.training)
    return replace(run, training=replace(run.training, **slots))
