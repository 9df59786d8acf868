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

`seed` is an int64 pair for TensorFlow's stateless generators, different at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.spec import Run, Spec, expect
from ftnoise.workspace import Workspace

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Training(Spec):
    """Where noise or a constraint enters; `Training()` is natural training.

    Raises:
        BadInput: if a slot holds something that has not its methods.
    """

    inputs: Any = None
    penalty: Any = None
    gradients: Any = None
    weights: Any = None

    def __post_init__(self) -> None:
        needed = {
            "inputs": ("objective",),
            "penalty": ("value",),
            "gradients": ("start",),
            "weights": ("rebuild", "after_step"),
        }
        for slot, methods in needed.items():
            member = getattr(self, slot)
            expect(
                member is None
                or (isinstance(member, Spec) and all(hasattr(member, m) for m in methods)),
                f"{slot} to be a spec with {' and '.join(methods)}",
                **{slot: member},
            )
        if hasattr(self.gradients, "check"):
            self.gradients.check(self)

    @property
    def slug(self) -> str:
        members = (self.inputs, self.penalty, self.gradients, self.weights)
        return "+".join(member.slug for member in members if member) or "natural"

    def with_secret_key(self) -> Training:
        """The same with a key from the operating system, where noise in the gradients has one."""
        if not hasattr(self.gradients, "secret_key"):
            return self
        return replace(self, gradients=replace(self.gradients, secret_key=True))

    def build(self, run: Run) -> keras.Model:
        """The untrained network of a run, as `train` returns it: the place for stored weights."""
        network = run.architecture.build()
        return self.weights.rebuild(network) if self.weights else network

    def train(self, run: Run, data: Any, workspace: Workspace | None = None) -> keras.Model:
        """Trains `run.architecture` on `data` and returns the trained network.

        Args:
            run: the run; its architecture, schedule and seed are used.
            data: arrays `x_train [n, ...]` (float32), `y_train [n]` (integers), and the same
                for testing, whose accuracy is logged at the end of each epoch.
            workspace: where to keep checkpoints and logs; with one, an interrupted training
                goes on where it was and ends with the same weights, bit for bit, on the same
                CPU with the same number of threads.

        Raises:
            RunFailed: if the loss stops being finite.
            BadInput: if the data do not fit the architecture.
        """
        from ftnoise.training.loop import train

        return train(run, data, workspace or Workspace())
