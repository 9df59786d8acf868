"""The one training loop: a `keras.Model` with a custom `train_step` that gathers its own batches.

The data set that `fit` sees is only step numbers; images stay on the device and each step gathers
its batch by index, many steps per execution. Order and noise are keyed by (seed, purpose, step or
epoch), and a checkpoint holds weights, optimizer and epoch, so a training that was killed ends
with the same weights, bit for bit, on the same CPU with the same number of threads.

What Keras calls an epoch is a round here: one pass over the examples, or several where a pass has
but a few steps, as testing, logging and keeping a checkpoint take longer than such a pass.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.errors import RunFailed
from ftnoise.core.interfaces import Run
from ftnoise.core.spec import canonical
from ftnoise.training.gradients.plain import Plain
from ftnoise.training.losses import cross_entropy

# Each execution costs a millisecond or two, and says how far it is only at its end; the steps of an
# `inputs` member, which often attacks, take long by themselves.
STEPS_PER_EXECUTION = 64
STEPS_PER_EXECUTION_WITH_INPUTS = 16
TEST_BATCH = 1000


def train(run: Run, data: Any, checkpointing: Checkpointing) -> keras.Model:
    """See `Training.train`."""
    keras.backend.clear_session()
    seeds.fix_initialization(run.seed)
    network = run.training.build(run)
    check_fit(network, data, run)
    checkpoint = checkpointing.load()
    # XLA rounds otherwise, so a training ends as it began.
    xla = checkpoint[1].get("xla", False) if checkpoint else checkpointing.xla
    loop = Loop(network, run, data, xla=xla)
    announced = checkpoint[1].get("gradients") if checkpoint else checkpointing.announced
    if checkpoint and not loop.fits(checkpoint[0]):
        checkpointing.discard(f"does not fit the network {network.name} and its optimizer")
        checkpoint = None
    history, seconds = loop.restore(checkpoint)
    finished = len(history)
    steps, rounds = loop.steps_per_round, loop.rounds
    if finished == rounds:
        return network

    loop.updater.resume(announced, finished * steps, checkpointing.repeats)
    loop.fit(
        tf.data.Dataset.range(finished * steps, rounds * steps),
        validation_data=tf.data.Dataset.range(loop.test_steps),
        steps_per_epoch=steps,
        validation_steps=loop.test_steps,
        initial_epoch=finished,
        epochs=rounds,
        callbacks=[
            Shuffle(),
            *tensorboard(run, checkpointing),
            Checkpoint(checkpointing, history, seconds),
        ],
        verbose=0,
    )
    return network


def check_fit(network: keras.Model, data: Any, run: Run) -> None:
    """Raises `BadInput` unless the data's examples and labels fit the network and the noise."""
    expect(
        tuple(network.input_shape[1:]) == tuple(data.x_train.shape[1:]),
        f"examples of shape {tuple(network.input_shape[1:])} for {network.name}",
        shape=tuple(data.x_train.shape[1:]),
    )
    expect(
        network.output_shape[-1] >= data.classes,
        f"at most {network.output_shape[-1]} classes for {network.name}",
        classes=data.classes,
    )
    expect(
        not network.losses,
        f"{network.name} without losses of its own (regularizers, add_loss), as penalties are "
        "given to Training(penalty=...)",
        losses=len(network.losses),
    )
    if hasattr(run.training.inputs, "check"):
        run.training.inputs.check(network, tuple(data.x_train.shape[1:]))
    if getattr(run.training.inputs, "needs_unit_range", False):
        low, high = float(data.x_train.min()), float(data.x_train.max())
        expect(
            low >= 0 and high <= 1,
            f"examples in [0, 1] for {run.training.inputs.slug}, which clips to it",
            lowest=low,
            highest=high,
        )
    if run.training.augmentation:
        expect(
            data.x_train.ndim == 4,
            "images of height, width and channels for the augmentation",
            shape=tuple(data.x_train.shape[1:]),
        )


class Loop(keras.Model):
    """Trains `network` in place; `fit` feeds step numbers, everything else is inside."""

    def __init__(self, network: keras.Model, run: Run, data: Any, *, xla: bool = False) -> None:
        super().__init__(name="loop")
        self.network, self.run, self.xla = network, run, xla
        self.x_train, self.y_train = _on_device(data.x_train, data.y_train)
        self.x_test, self.y_test = _on_device(data.x_test, data.y_test)
        examples = len(data.y_train)
        self.steps_per_epoch = run.schedule.steps_per_epoch(examples)
        self.passes = run.schedule.passes_in_a_round(examples)
        self.rounds = run.schedule.epochs // self.passes
        self.steps_per_round = self.passes * self.steps_per_epoch
        self.test_steps = -(-len(data.y_test) // TEST_BATCH)
        orders = np.tile(np.arange(examples, dtype=np.int32), (self.passes, 1))
        self.orders = tf.Variable(orders, trainable=False)
        self.order_key = seeds.key(run.seed, "order")
        self.augmentation_key = seeds.key(run.seed, "augmentation")
        self.inputs_key = seeds.key(run.seed, "inputs")
        self.weights_key = seeds.key(run.seed, "weights")
        gradients = run.training.gradients or Plain()
        self.updater = gradients.start(network, run, examples, xla=xla)
        self.updater.optimizer._create_all_weights(network.trainable_variables)
        self.compile(
            optimizer=self.updater.optimizer,
            steps_per_execution=min(
                STEPS_PER_EXECUTION_WITH_INPUTS if run.training.inputs else STEPS_PER_EXECUTION,
                self.steps_per_round,
            ),
        )
        self.loss_metric = keras.metrics.Mean("loss")
        self.accuracy_metric = keras.metrics.Mean("accuracy")
        self.compiled_step = self.one_step
        if xla:
            # Not the bound method itself: AutoGraph takes it for `train_step`.
            self.compiled_step = tf.function(
                lambda x, y, present, step: self.one_step(x, y, present, step), jit_compile=True
            )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Reset by Keras at the start of each epoch."""
        return [self.loss_metric, self.accuracy_metric, *self.updater.metrics]

    def train_step(self, step: Any) -> dict[str, Any]:
        """One update at the absolute step number `step` (int64 scalar)."""
        order = self.orders[(step // self.steps_per_epoch) % self.passes]
        indices, present = self.updater.batch(order, step)
        x, y = tf.gather(self.x_train, indices), tf.gather(self.y_train, indices)
        if self.run.training.augmentation:
            x = self.run.training.augmentation.augment(
                x, seeds.at_step(self.augmentation_key, step)
            )
        loss, logits = self.compiled_step(x, y, present, step)
        if not self.updater.discloses:
            return {"step": step}
        return self.measure(loss, logits, y, present)

    def one_step(self, x: Any, y: Any, present: Any, step: Any) -> tuple[Any, Any]:
        """Objective, penalty and update on one batch; returns (loss, logits)."""
        training, network = self.run.training, self.network
        seed = self.inputs_seed(step)

        def objective() -> tuple[Any, Any]:
            return self.objective(x, y, seed)

        def penalty() -> Any:
            return training.penalty.value(network, x)

        result = self.updater.update(objective, penalty if training.penalty else None, present)
        if training.weights:
            training.weights.after_step(network, seeds.at_step(self.weights_key, step))
        return result

    def inputs_seed(self, step: Any) -> Any:
        """The seed pair of the noise on the inputs at a step."""
        return seeds.at_step(self.inputs_key, step)

    def objective(self, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
        """What the loss is taken on: losses `[batch]` and logits `[batch, classes]`."""
        inputs = self.run.training.inputs
        member = inputs.objective if inputs else natural_objective
        return member(self.network, x, y, seed)

    def test_step(self, step: Any) -> dict[str, Any]:
        """Loss and accuracy on the next `TEST_BATCH` test images."""
        start = step * TEST_BATCH
        x, y = self.x_test[start : start + TEST_BATCH], self.y_test[start : start + TEST_BATCH]
        logits = self.network(x, training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        self.measure(tf.reduce_mean(losses), logits, y, None)
        return {metric.name: metric.result() for metric in self.metrics[:2]}

    def measure(self, loss: Any, logits: Any, y: Any, present: Any) -> dict[str, Any]:
        """Adds a batch, or those of it that are `present`, to the running loss and accuracy."""
        count = tf.shape(y)[0] if present is None else tf.math.count_nonzero(present)
        self.loss_metric.update_state(loss, sample_weight=count)
        hits = tf.argmax(logits, axis=-1, output_type=y.dtype) == y
        self.accuracy_metric.update_state(tf.cast(hits, tf.float32), sample_weight=present)
        return {metric.name: metric.result() for metric in self.metrics}

    def variables_by_name(self) -> dict[str, Any]:
        """What a checkpoint holds: weights and optimizer variables, by kind and position."""
        kinds = {"weight": self.network.weights, "optimizer": self.optimizer.weights}
        return {
            f"{kind}/{n}": variable
            for kind, variables in kinds.items()
            for n, variable in enumerate(variables)
        }

    def state(self) -> dict[str, np.ndarray]:
        """The values of all variables that a checkpoint holds."""
        return {name: np.asarray(v.numpy()) for name, v in self.variables_by_name().items()}

    def fits(self, arrays: dict[str, np.ndarray]) -> bool:
        """Whether a checkpoint has these variables, in these shapes, and no others."""
        shapes = {name: tuple(v.shape) for name, v in self.variables_by_name().items()}
        return shapes == {name: array.shape for name, array in arrays.items()}

    def restore(self, checkpoint: tuple[dict, dict] | None) -> tuple[list[dict], float]:
        """Puts a checkpoint back; returns its history (a dict an epoch) and seconds so far."""
        if checkpoint is None:
            return [], 0.0
        arrays, state = checkpoint
        for name, variable in self.variables_by_name().items():
            variable.assign(arrays[name])
        return state["history"], state["seconds"]


def natural_objective(network: keras.Model, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
    """Cross-entropy on the clean examples: losses `[batch]`, logits `[batch, classes]`."""
    del seed
    logits = network(x, training=True)
    return cross_entropy(y, logits), logits


class Shuffle(keras.callbacks.Callback):
    """Draws an epoch's order, keyed by the epoch; a single batch has none."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Assigns a permutation of the training examples for each pass of the round."""
        del logs
        loop = self.model
        if loop.steps_per_epoch == 1:
            return
        everything = tf.range(tf.shape(loop.orders)[1])
        orders = []
        for number in range(epoch * loop.passes, (epoch + 1) * loop.passes):
            seed = seeds.at_step(loop.order_key, number)
            orders.append(tf.random.experimental.stateless_shuffle(everything, seed))
        loop.orders.assign(tf.stack(orders))


class Checkpoint(keras.callbacks.Callback):
    """Keeps weights, optimizer, history and time after each round, and says how far it is."""

    def __init__(self, checkpointing: Checkpointing, history: list[dict], seconds: float) -> None:
        super().__init__()
        self.checkpointing, self.history, self.seconds = checkpointing, list(history), seconds
        self.epoch, self.step, self.since = len(history), 0, time.monotonic()

    def on_train_begin(self, logs: Any = None) -> None:
        """Announces what comes, where announcing counts."""
        del logs
        at_most = self.model.updater.at_most()
        if at_most is not None:
            self.checkpointing.announce(at_most)
            self.save()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remembers where the epoch starts."""
        del logs
        self.epoch, self.step = epoch, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Progress, once per execution."""
        del logs
        self.step = batch + 1
        self.say(self.step)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Checks that the loss is finite, then keeps the epoch."""
        logs = {
            name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"
        }
        self.history.append(self.checked(logs, epoch))
        now = time.monotonic()
        self.seconds, self.since = self.seconds + now - self.since, now
        self.save()

    def checked(self, logs: dict[str, float], epoch: int) -> dict[str, float]:
        """The logs themselves, if all are finite."""
        if not all(map(math.isfinite, logs.values())):
            last = (epoch + 1) * self.model.passes
            raise RunFailed(f"The loss is no longer finite in epoch {last}: {logs}.")
        return logs

    def save(self) -> None:
        """Keeps the epochs behind, and announces the next one."""
        loop = self.model
        state = {"history": list(self.history), "seconds": self.seconds, "xla": loop.xla}
        state["passes"] = loop.passes
        coming = min(len(self.history) + 1, loop.rounds) * loop.steps_per_round
        announced = loop.updater.announce(coming)
        if announced is not None:
            state["gradients"] = announced
        self.checkpointing.save(self.model.state(), state)

    def say(self, step: int) -> None:
        """Hands the position to the checkpointing."""
        loop = self.model
        steps, epochs = loop.steps_per_epoch, loop.run.schedule.epochs
        done = self.epoch * loop.steps_per_round + step
        epoch = (done - 1) // steps + 1
        self.checkpointing.progress(done, epochs * steps, f"epoch {epoch} of {epochs}")


def tensorboard(run: Run, checkpointing: Checkpointing) -> list[keras.callbacks.Callback]:
    """Curves, learning rate and weight histograms of each epoch, and the run's HParams."""
    if checkpointing.log_dir is None:
        return []
    hyperparameters(run, checkpointing.log_dir)
    return [
        keras.callbacks.TensorBoard(
            str(checkpointing.log_dir), histogram_freq=1, write_graph=False, profile_batch=0
        )
    ]


def hyperparameters(run: Run, folder: Path) -> None:
    """A run's HParams for TensorBoard."""
    from tensorboard.plugins.hparams import api as hparams

    with tf.summary.create_file_writer(str(folder)).as_default():
        hparams.hparams(flat(run), trial_id=folder.name)


def flat(run: Run) -> dict[str, float | str]:
    """A run's fields as dotted names, for HParams."""
    found: dict[str, float | str] = {}

    def visit(prefix: str, form: Any) -> None:
        if isinstance(form, dict):
            found[prefix or "run"] = form["class"]
            for name, value in form.items():
                if name not in ("class", "revision"):
                    visit(f"{prefix}.{name}" if prefix else name, value)
        elif isinstance(form, int | float | str):
            found[prefix] = form
        else:
            found[prefix] = str(form)

    visit("", canonical(run, everything=True))
    return found


def _on_device(x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    return tf.constant(x), tf.constant(y, tf.int32)
