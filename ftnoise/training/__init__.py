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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.spec import Run, Spec, canonical, digest, expect
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
    augmentation: Any = None

    def __post_init__(self) -> None:
        needed = {
            "inputs": ("objective",),
            "penalty": ("value",),
            "gradients": ("start",),
            "weights": ("rebuild", "after_step"),
            "augmentation": ("augment",),
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
        workspace = workspace or Workspace()
        if self.stack_key(run):
            return self.train_together([run], [data], [workspace])[0]
        from ftnoise.training.loop import train

        return train(run, data, workspace)

    def stack_key(self, run: Run) -> str | None:
        """What runs have in common that can be trained at once, which is all but seed and data.

        None if a run is trained alone; see `training/stack.py` for what can be stacked.
        """
        members = [member for member in (self.inputs, self.gradients) if member is not None]
        alone = (self.penalty, self.weights, self.augmentation)
        if alone != (None, None, None) or not all(
            getattr(part, "stacks", False) for part in (run.architecture, *members)
        ):
            return None
        examples = run.examples()
        if examples is None or run.schedule.batch_size < examples:
            return None
        form = canonical(run)
        shared = {name: value for name, value in form.items() if name not in ("seed", "data")}
        return digest(shared | {"data": [run.data.slug, run.data.train_size, run.data.test_size]})

    def train_together(
        self, runs: Sequence[Run], data: Sequence[Any], workspaces: Sequence[Workspace]
    ) -> list[keras.Model]:
        """As `train`, of runs with the same `stack_key`, at once; each as if it were alone.

        Args:
            runs: what is trained.
            data: of each run, in the same shapes.
            workspaces: of each run.
        """
        from ftnoise.training.stack import train

        return train(runs, data, workspaces)
