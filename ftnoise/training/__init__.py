"""Training says where the noise enters: at the inputs, beside the loss, at the gradients, in the
weights.

`Training` is a value with four optional slots; with none of them it is natural training. Each
slot's members are specs with the methods named here:

- `inputs`: `objective(network, x, y, seed) -> (losses [batch], logits [batch, classes])`, what
  the loss is taken on and the logits that it saw; `needs_unit_range` says that it clips to [0, 1];
- `penalty`: `value(network, x) -> scalar`, added to the mean loss, outside any clipping;
  `looks_at_data` says whether it depends on x;
- `gradients`: `start(network, run, examples, xla=...) -> Updater`, how batches are drawn and losses
  become an update (see `gradients/updater.py`); `check(training)` refuses what cannot be right
  with it;
- `weights`: `rebuild(network) -> network` and `after_step(network, seed)`, the network itself.

Beside them, `augmentation` changes the examples of a batch before anything else looks at them:
`augment(x, seed) -> x`, each example by itself.

`seed` is an int64 pair for TensorFlow's stateless generators, different at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import instance
from ftnoise.core.data import Data
from ftnoise.core.interfaces import (
    Augmentation,
    Gradients,
    Inputs,
    Penalty,
    Procedure,
    Run,
    Weights,
)

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Training(Procedure):
    """Where noise or a constraint enters; `Training()` is natural training.

    Raises:
        BadInput: if a slot holds something that has not its methods.
    """

    inputs: Inputs | None = None
    penalty: Penalty | None = None
    gradients: Gradients | None = None
    weights: Weights | None = None
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        instance(Inputs, "a member of Inputs", optional=True, inputs=self.inputs)
        instance(Penalty, "a member of Penalty", optional=True, penalty=self.penalty)
        instance(Gradients, "a member of Gradients", optional=True, gradients=self.gradients)
        instance(Weights, "a member of Weights", optional=True, weights=self.weights)
        instance(
            Augmentation, "a member of Augmentation", optional=True, augmentation=self.augmentation
        )
        if self.gradients:
            self.gradients.check(self.inputs, self.penalty, self.weights)

    @property
    def slug(self) -> str:
        members = (self.inputs, self.penalty, self.gradients, self.weights)
        return "+".join(member.slug for member in members if member) or "natural"

    @property
    def noisy(self) -> bool:
        return self.gradients is not None and self.gradients.noisy

    def build(self, run: Run) -> keras.Model:
        """The untrained network of a run, as `train` returns it: the place for stored weights."""
        network = run.architecture.build()
        return self.weights.rebuild(network) if self.weights else network

    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        from ftnoise.training.loop import train

        return train(self, run, data, checkpointing or Checkpointing(), network)


def with_slots(run: Run, **slots: Any) -> Run:
    """The run with other members in the slots of its `Training`."""
    instance(Training, "a Training", training=run.training)
    return replace(run, training=replace(run.training, **slots))
