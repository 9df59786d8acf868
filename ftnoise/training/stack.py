"""Many small networks trained at once: a stacked batch of matrices instead of one after the other.

A step of a network of a few thousand parameters takes hundreds of microseconds of calls and a few
of arithmetic, so twenty trainings that differ by their seeds take little longer than one. Each is
what it would be alone, bit for bit: its own initial weights, noise, optimizer and checkpoint. So a
run does not depend on what it was trained with, and one that was interrupted goes on with others.

What can be stacked: dense networks with one batch an epoch, trained by an optimizer that works
element by element, with inputs whose noise is drawn for each member and no more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise import seeds
from ftnoise.spec import Run
from ftnoise.training.loop import Checkpoint, Loop, check_fit, hyperparameters
from ftnoise.training.losses import cross_entropy
from ftnoise.workspace import Workspace

SAVE_SECONDS = 10.0


def train(
    runs: Sequence[Run], data: Sequence[Any], workspaces: Sequence[Workspace]
) -> list[keras.Model]:
    """Trains runs that have a `Training.stack_key` in common; see `Training.train_together`."""
    keras.backend.clear_session()
    members = [
        Member(run, one, workspace)
        for run, one, workspace in zip(runs, data, workspaces, strict=True)
    ]
    # Those that were interrupted go on first, each with those at the same place.
    for finished in sorted({len(member.history) for member in members}, reverse=True):
        together = [member for member in members if len(member.history) == finished]
        _train(together, finished)
    return [member.network for member in members]


class Member:
    """One training of a stack: its network, and where it is."""

    def __init__(self, run: Run, data: Any, workspace: Workspace) -> None:
        seeds.fix_initialization(run.seed)
        self.run, self.data, self.workspace = run, data, workspace
        self.network = run.training.build(run)
        check_fit(self.network, data, run)
        self.optimizer: list[np.ndarray] | None = None
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        if (checkpoint := workspace.load()) is not None:
            self._restore(*checkpoint)

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        kinds: dict[str, list[np.ndarray]] = {"weight": [], "optimizer": []}
        for name, array in arrays.items():
            kinds[name.split("/")[0]].append(array)
        shapes = [tuple(variable.shape) for variable in self.network.weights]
        if [array.shape for array in kinds["weight"]] != shapes:
            self.workspace.discard(f"does not fit the network {self.network.name}")
            return
        self.network.set_weights(kinds["weight"])
        self.optimizer = kinds["optimizer"]
        self.history, self.seconds = list(state["history"]), state["seconds"]


class Stack(keras.Model):
    """Networks of one architecture as one: `[batch, members, ...] -> [batch, members, classes]`."""

    def __init__(self, networks: Sequence[keras.Model]) -> None:
        super().__init__(name="stack")
        self.parts = networks[0].layers
        self.members = len(networks)
        self.stacked = [
            tf.Variable(tf.stack(same))
            for same in zip(*(network.trainable_variables for network in networks), strict=True)
        ]

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """The stacked parameters, `[members, ...]`, in the order of the networks' own."""
        return self.stacked

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Logits of each member on its own examples."""
        del training
        variables = iter(self.stacked)
        x = tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
        for layer in self.parts:
            if isinstance(layer, keras.layers.Dense):
                kernel = next(variables)
                if layer.use_bias:
                    # As a row of the kernel: a sum over examples rounds otherwise in other stacks.
                    x = tf.concat([x, tf.ones_like(x[..., :1])], axis=-1)
                    kernel = tf.concat([kernel, next(variables)[:, None, :]], axis=1)
                x = layer.activation(tf.matmul(x, kernel))
            elif isinstance(layer, keras.layers.Flatten):
                x = tf.reshape(x, [*tf.unstack(tf.shape(x)[:2]), -1])
            else:
                x = layer(x)
        return tf.transpose(x, [1, 0, 2])


class StackedLoop(Loop):
    """The loop of a stack; losses, accuracies and noise are each member's own."""

    def __init__(self, stack: Stack, members: Sequence[Member]) -> None:
        self.keys = [seeds.key(member.run.seed, "inputs") for member in members]
        super().__init__(stack, members[0].run, Joined([member.data for member in members]))
        self.loss_metric = keras.metrics.MeanTensor("loss", shape=[len(members)])
        self.accuracy_metric = keras.metrics.MeanTensor("accuracy", shape=[len(members)])

    def inputs_seed(self, step: Any) -> Any:
        """A seed for each member, `[members, 2]`."""
        return tf.stack([seeds.at_step(key, step) for key in self.keys])

    def measure(self, loss: Any, logits: Any, y: Any, present: Any) -> dict[str, Any]:
        """Adds a batch to the running losses and accuracies, `[members]`."""
        del loss, present
        losses = cross_entropy(y, logits)
        hits = tf.argmax(logits, axis=-1, output_type=y.dtype) == y
        count = tf.cast(tf.shape(y)[0], tf.float32)
        self.loss_metric.update_state(tf.reduce_mean(losses, axis=0), sample_weight=count)
        self.accuracy_metric.update_state(
            tf.reduce_mean(tf.cast(hits, tf.float32), axis=0), sample_weight=count
        )
        return {metric.name: metric.result() for metric in self.metrics}


class Joined:
    """The data of all members, `[examples, members, ...]`."""

    def __init__(self, data: Sequence[Any]) -> None:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            setattr(self, name, np.stack([getattr(one, name) for one in data], axis=1))


def _train(members: Sequence[Member], finished: int) -> None:
    """The rest of trainings that all have so many rounds behind."""
    loop = StackedLoop(Stack([member.network for member in members]), members)
    if finished == loop.rounds:
        return
    if members[0].optimizer is not None:
        kept = [member.optimizer or [] for member in members]
        for variable, *own in zip(loop.optimizer.weights, *kept, strict=True):
            variable.assign(np.stack(own) if variable.shape.rank else own[0])
    loop.fit(
        tf.data.Dataset.range(finished * loop.steps_per_round, loop.rounds * loop.steps_per_round),
        validation_data=tf.data.Dataset.range(loop.test_steps),
        steps_per_epoch=loop.steps_per_round,
        validation_steps=loop.test_steps,
        initial_epoch=finished,
        epochs=loop.rounds,
        callbacks=[StackCheckpoint(members)],
        verbose=0,
    )


class StackCheckpoint(Checkpoint):
    """Keeps each member by itself, now and then and at the end; says how far all are."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(members[0].workspace, members[0].history, members[0].seconds)
        self.members, self.kept = members, time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks that all losses are finite, then keeps the round."""
        for number, member in enumerate(self.members):
            own = {name: float(values[number]) for name, values in (logs or {}).items()}
            member.history.append(self.checked(own, epoch))
        now = time.monotonic()
        last = len(self.members[0].history) == self.model.rounds
        if last or now - self.kept > SAVE_SECONDS:
            self.save()
            self.kept = time.monotonic()
        if last:
            for member in self.members:
                curves(member, self.model.passes)

    def save(self) -> None:
        """Keeps weights and optimizer of each member as if it had been trained alone."""
        loop, now = self.model, time.monotonic()
        weights = [variable.numpy() for variable in loop.network.trainable_variables]
        optimizer = [variable.numpy() for variable in loop.optimizer.weights]
        for number, member in enumerate(self.members):
            # The time of all is shared.
            member.seconds += (now - self.since) / len(self.members)
            member.network.set_weights([array[number] for array in weights])
            member.optimizer = [
                np.asarray(array[number] if array.ndim else array) for array in optimizer
            ]
            kinds = {"weight": [array[number] for array in weights], "optimizer": member.optimizer}
            arrays = {
                f"{kind}/{n}": array
                for kind, found in kinds.items()
                for n, array in enumerate(found)
            }
            state = {"history": list(member.history), "seconds": member.seconds, "xla": False}
            member.workspace.save(arrays, state | {"passes": loop.passes})
        self.since = now


def curves(member: Member, passes: int) -> None:
    """The curves of a training for TensorBoard, under Keras' names, by epoch."""
    folder = member.workspace.log_dir
    if folder is None:
        return
    hyperparameters(member.run, folder)
    for part, prefix in (("train", ""), ("validation", "val_")):
        with tf.summary.create_file_writer(str(folder / part)).as_default():
            for number, logs in enumerate(member.history):
                for name in ("loss", "accuracy"):
                    step = (number + 1) * passes - 1
                    tf.summary.scalar(f"epoch_{name}", logs[prefix + name], step)
