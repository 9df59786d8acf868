"""The training loop: a `keras.Model` that runs many steps a call and gathers its own batches.

The data set that `fit` gets holds only numbers of steps, a range for each call of `train_step`.
Images stay on the device, and each step gathers its batch by index. Order and noise are keyed by
(seed, purpose, step or epoch), and a checkpoint holds weights, optimizer and progress. So an
interrupted training ends with the same weights, bit for bit, on the same CPU with the same number
of threads.

An epoch of `fit` is a log interval: one epoch of the schedule, or several short ones
(`Schedule.epochs_per_interval`), because testing and logging would take longer than a short epoch.
"""

from __future__ import annotations

import math
import secrets
import time
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.data import Data
from ftnoise.core.errors import RunFailed
from ftnoise.core.interfaces import Penalty, Run, Weights
from ftnoise.core.spec import canonical, digest
from ftnoise.layers.drawing import drawing, forward
from ftnoise.training.gradients.plain import Plain
from ftnoise.training.logs import TensorBoard
from ftnoise.training.slots import Slots

# Steps per call. A call costs a millisecond or two, and reports progress only at its end.
STEPS_PER_CALL = 64
# Steps with an attack take long by themselves.
SLOW_STEPS_PER_CALL = 16
TEST_BATCH = 1000
# A checkpoint takes longer than a short epoch of a small network.
SAVE_SECONDS = 2.0


def train(
    training: Slots,
    run: Run,
    data: Data,
    checkpointing: Checkpointing,
    network: keras.Model | None = None,
) -> keras.Model:
    """The network of `run`, trained by `training`; see `Procedure.train`."""
    start = network.get_weights() if network is not None else None
    keras.backend.clear_session()
    seeds.fix_initialization(run.seed)
    network = training.build(run)
    if start is not None:
        expect(
            [array.shape for array in start] == [variable.shape for variable in network.weights],
            f"a network to start from with the weights of {network.name}",
            shapes=[array.shape for array in start],
        )
        own = [(one, one.numpy()) for one in (training.weights or Weights()).settings(network)]
        network.set_weights(start)
        for variable, value in own:
            variable.assign(value)
    check_fit(training, network, data)
    # A longer training with these slots takes the same first steps.
    shareable = start is None and training.weights is None and not run.schedule.drops
    shared = _identity(training, run, data) if shareable else ""
    checkpoint = checkpointing.load()
    if checkpoint is None and shared:
        checkpoint = checkpointing.recall(shared, run.schedule.epochs)
    arrays, state = checkpoint or ({}, {})
    # XLA rounds differently, so a training ends as it began.
    loop = Loop(training, network, run, data, xla=state.get("xla", checkpointing.xla and not state))
    announced = state.get("gradients") if state else checkpointing.announced
    if state and not loop.restore(arrays):
        checkpointing.discard(f"does not fit the network {network.name} and its optimizer")
        state = {}
    history, seconds = state.get("history", []), state.get("seconds", 0.0)
    finished, steps = len(history), loop.steps_per_interval
    if finished == loop.intervals:
        return network

    loop.updater.resume(announced, finished * steps, checkpointing.repeats)
    callbacks = [
        Shuffle(),
        *loop.weights_slot.callbacks(network, run),
        # Last, so that it keeps the changes of the others.
        Checkpoint(checkpointing, history, seconds, shared),
    ]
    if checkpointing.log_dir:
        epochs = loop.epochs_per_interval
        logs = TensorBoard(checkpointing.log_dir, run, finished, loop.intervals, epochs)
        callbacks.insert(-1, logs)
    loop.fit(
        loop.calls(finished),
        validation_data=(loop.x_test, loop.y_test),
        steps_per_epoch=loop.calls_per_interval,
        initial_epoch=finished,
        epochs=loop.intervals,
        callbacks=callbacks,
        verbose=0,
    )
    return network


def _identity(training: Slots, run: Run, data: Data) -> str:
    """Identifies a training, whatever its number of epochs and the procedure that it is part of."""
    first = run.first_epoch(training)
    interval = run.schedule.epochs_per_interval(len(data.y_train))
    return digest({"run": canonical(first), "interval": interval, "data": data.digest})


def check_fit(training: Slots, network: keras.Model, data: Data) -> None:
    """Raises `BadInput` unless the data's examples and labels fit the network and the noise."""
    shape = tuple(data.x_train.shape[1:])
    expect(
        tuple(network.input_shape[1:]) == shape,
        f"examples of shape {tuple(network.input_shape[1:])} for {network.name}",
        shape=shape,
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
    if training.inputs:
        training.inputs.check(network, shape)
        low, high = float(data.x_train.min()), float(data.x_train.max())
        expect(
            not training.inputs.needs_unit_range or (low >= 0 and high <= 1),
            f"examples in [0, 1] for {training.inputs.slug}, which clips to it",
            lowest=low,
            highest=high,
        )
    expect(
        training.augmentation is None or len(shape) == 3,
        "images of height, width and channels for the augmentation",
        shape=shape,
    )


class Loop(keras.Model):
    """Trains `network` in place; `fit` and `evaluate` feed it step numbers."""

    def __init__(
        self, training: Slots, network: keras.Model, run: Run, data: Data, *, xla: bool = False
    ) -> None:
        super().__init__(name="loop")
        self.training, self.network, self.run, self.xla = training, network, run, xla
        self.weights_slot = training.weights or Weights()
        kept, held_out = split(len(data.y_train), self.weights_slot)
        self.x_train, self.y_train = on_device(data.x_train, data.y_train, kept)
        self.x_test, self.y_test = on_device(data.x_test, data.y_test)
        self.held_out = on_device(data.x_train, data.y_train, held_out) if len(held_out) else None
        examples, schedule = len(kept), run.schedule
        self.steps_per_epoch = schedule.steps_per_epoch(examples)
        self.epochs_per_interval = schedule.epochs_per_interval(examples)
        self.intervals = schedule.epochs // self.epochs_per_interval
        self.steps_per_interval = self.epochs_per_interval * self.steps_per_epoch
        orders = np.tile(np.arange(examples, dtype=np.int32), (self.epochs_per_interval, 1))
        self.orders = tf.Variable(orders, trainable=False)
        purposes = ("order", "augmentation", "inputs", "weights", "draw", "test draw")
        self.keys = {purpose: seeds.key(run.seed, purpose) for purpose in purposes}
        gradients = training.gradients or Plain()
        self.updater = gradients.start(network, run, examples, xla=xla)
        if self.updater.secret:
            # Known noise on the examples by their places in a batch would shift by one place, and
            # change each clipped gradient, where an example is added.
            self.keys |= {name: secrets.randbits(63) for name in ("augmentation", "inputs", "draw")}
        self.updater.optimizer._create_all_weights(network.trainable_variables)
        self.steps_per_call = SLOW_STEPS_PER_CALL if training.attacks else STEPS_PER_CALL
        self.calls_per_interval = -(-self.steps_per_interval // self.steps_per_call)
        self.compile(optimizer=self.updater.optimizer)
        self.tested = tf.function(self.test, autograph=False)
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
        """Reset by Keras at the start of each log interval."""
        return [self.loss_metric, self.accuracy_metric, *self.updater.metrics]

    def seed(self, purpose: str, step: Any) -> Any:
        """The int64 pair for the draws of `purpose` at a step."""
        return seeds.at_step(self.keys[purpose], step)

    def calls(self, finished: int) -> tf.data.Dataset:
        """The calls of `train_step` after `finished` log intervals, each as (first, end) steps."""
        starts = np.arange(0, self.steps_per_interval, self.steps_per_call)
        ends = np.minimum(starts + self.steps_per_call, self.steps_per_interval)
        before = self.steps_per_interval * np.arange(finished, self.intervals)[:, None]
        pairs = (np.ravel(before + starts), np.ravel(before + ends))
        return tf.data.Dataset.from_tensor_slices(pairs)

    def train_step(self, steps: tuple[Any, Any]) -> dict[str, Any]:
        """The updates with the absolute numbers `steps` (first and end, int64 scalars)."""
        first, end = steps

        def update(step: Any) -> Any:
            self.update(step)
            return step + 1

        tf.while_loop(lambda step: step < end, update, [first])
        if self.updater.secret:
            return {"step": end - 1}
        return {metric.name: metric.result() for metric in self.metrics}

    def update(self, step: Any) -> None:
        """One update."""
        order = self.orders[(step // self.steps_per_epoch) % self.epochs_per_interval]
        indices, present = self.updater.batch(order, step)
        x, y = tf.gather(self.x_train, indices), tf.gather(self.y_train, indices)
        if self.training.augmentation:
            x = self.training.augmentation.augment(x, self.seed("augmentation", step))
        loss, logits = self.compiled_step(x, y, present, step)
        if not self.updater.secret:
            count = tf.shape(y)[0] if present is None else tf.math.count_nonzero(present)
            self.loss_metric.update_state(loss, sample_weight=count)
            self.accuracy_metric.update_state(_hits(logits, y), sample_weight=present)

    def one_step(self, x: Any, y: Any, present: Any, step: Any) -> tuple[Any, Any]:
        """Objective, penalty and update on one batch; returns (loss, logits)."""
        training, network, weights = self.training, self.network, self.weights_slot
        member = training.inputs.objective if training.inputs else natural_objective
        draw, noise = self.seed("draw", step), self.seed("weights", step)

        def objective() -> tuple[Any, Any]:
            with drawing(draw), weights.during_pass(network, noise):
                return member(network, x, y, self.seed("inputs", step))

        def penalty(member: Penalty) -> Any:
            with drawing(draw), weights.during_pass(network, noise):
                return member.value(network, x)

        weights.before_step(network, noise)
        loss, logits, gradients = self.updater.update(
            objective, partial(penalty, training.penalty) if training.penalty else None, present
        )
        # An embedding's gradient has only some rows.
        weights.after_step(network, [*map(tf.convert_to_tensor, gradients)], noise)
        return loss, logits

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """Loss and accuracy on all test examples for the logs, with the same draws each time.

        `fit` calls it; a table's accuracies come from `measures/generalization.py`.
        """
        del args, options
        # Divided here: a compiled division by a constant is a product, with another last bit.
        loss, accuracy = (total / len(self.y_test) for total in self.tested())
        found = {"loss": float(loss), "accuracy": float(accuracy)}
        if self.held_out:
            _, hits = self.tested(*self.held_out)
            found["held_out_accuracy"] = float(hits / len(self.held_out[1]))
        return found

    def test(self, images: Any = None, labels: Any = None) -> tuple[Any, Any]:
        """The summed loss of the test examples, or of others, and how many are classified right."""
        images, labels = (self.x_test, self.y_test) if images is None else (images, labels)
        examples = labels.shape[0]

        def batch(start: Any, loss: Any, hits: Any) -> tuple[Any, Any, Any]:
            x, y = images[start : start + TEST_BATCH], labels[start : start + TEST_BATCH]
            logits = forward(self.network, x, self.seed("test draw", start))
            mean = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            loss += mean * tf.cast(tf.size(y), tf.float32)
            return start + TEST_BATCH, loss, hits + tf.reduce_sum(_hits(logits, y))

        start = [tf.constant(0), tf.constant(0.0), tf.constant(0.0)]
        _, loss, hits = tf.while_loop(lambda start, *_: start < examples, batch, start)
        return loss, hits

    def variables_by_name(self) -> dict[str, Any]:
        """The variables of a checkpoint: weights and those of the optimizer, by position."""
        kinds = {"weight": self.network.weights, "optimizer": self.optimizer.weights}
        return {
            f"{kind}/{n}": variable
            for kind, variables in kinds.items()
            for n, variable in enumerate(variables)
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> bool:
        """Puts the arrays of a checkpoint back; False if their names or shapes do not fit."""
        variables = self.variables_by_name()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if shapes != {name: array.shape for name, array in arrays.items()}:
            return False
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return True


def split(examples: int, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """The training examples that are used and those that are held out, by their positions."""
    everything = np.arange(examples)
    share = weights.validation
    if share == 0:
        return everything, everything[:0]
    count = round(share * examples)
    expect(
        0 < count < examples,
        "examples for the training and some to be held out",
        examples=examples,
        validation=share,
    )
    held_out = seeds.subset(examples, count, "validation")
    return np.delete(everything, held_out), held_out


def on_device(x: np.ndarray, y: np.ndarray, chosen: np.ndarray | None = None) -> tuple[Any, Any]:
    """Examples and labels, or the chosen ones, as tensors."""
    if chosen is not None and len(chosen) < len(y):
        x, y = x[chosen], y[chosen]
    return tf.constant(x), tf.constant(y, tf.int32)


def natural_objective(network: keras.Model, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
    """Cross-entropy on the clean examples: losses `[batch]`, logits `[batch, classes]`."""
    del seed
    logits = network(x, training=True)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits


class Shuffle(keras.callbacks.Callback):
    """Draws the order of the examples in each epoch, keyed by the epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Assigns a permutation of the training examples for each epoch of the log interval."""
        del logs
        loop = self.model
        if loop.steps_per_epoch == 1:
            # A single batch has no order.
            return
        everything = tf.range(tf.shape(loop.orders)[1])
        first = epoch * loop.epochs_per_interval
        orders = [
            tf.random.experimental.stateless_shuffle(everything, loop.seed("order", number))
            for number in range(first, first + loop.epochs_per_interval)
        ]
        loop.orders.assign(tf.stack(orders))


class Checkpoint(keras.callbacks.Callback):
    """Reports progress, and keeps weights, optimizer, history and time after a log interval.

    Intervals of less than `SAVE_SECONDS` share a checkpoint, unless the gradients have a ledger,
    which must name each step before it is taken.
    """

    def __init__(
        self, checkpointing: Checkpointing, history: list[dict], seconds: float, shared: str = ""
    ) -> None:
        super().__init__()
        self.checkpointing, self.history, self.seconds = checkpointing, list(history), seconds
        self.shared = shared
        self.since = self.saved = time.monotonic()

    def on_train_begin(self, logs: Any = None) -> None:
        """Announces the steps to come, for gradients that keep a ledger."""
        del logs
        at_most = self.model.updater.at_most()
        self.ledger = at_most is not None
        if self.ledger:
            self.checkpointing.announce(at_most)
            self.save()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Reports progress, once per call."""
        del logs
        loop = self.model
        steps, epochs = loop.steps_per_epoch, loop.run.schedule.epochs
        inside = min((batch + 1) * loop.steps_per_call, loop.steps_per_interval)
        done = len(self.history) * loop.steps_per_interval + inside
        epoch = (done - 1) // steps + 1
        self.checkpointing.progress(done, epochs * steps, f"epoch {epoch} of {epochs}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Checks that the loss is finite, then keeps the log interval."""
        entry = {name: float(value) for name, value in (logs or {}).items()}
        if not all(map(math.isfinite, entry.values())):
            last = (epoch + 1) * self.model.epochs_per_interval
            raise RunFailed(f"The loss is no longer finite in epoch {last}: {entry}.")
        self.history.append(entry)
        now = time.monotonic()
        self.seconds, self.since = self.seconds + now - self.since, now
        last = len(self.history) == self.model.intervals
        if last or self.ledger or now - self.saved >= SAVE_SECONDS:
            self.save()
            self.saved = time.monotonic()

    def save(self) -> None:
        """Keeps the completed log intervals, and announces the next one."""
        loop = self.model
        state = {
            "history": list(self.history),
            "epochs_per_entry": loop.epochs_per_interval,
            "seconds": self.seconds,
            "xla": loop.xla,
        }
        coming = min(len(self.history) + 1, loop.intervals) * loop.steps_per_interval
        announced = loop.updater.announce(coming)
        if announced is not None:
            state["gradients"] = announced
        arrays = {name: np.asarray(v.numpy()) for name, v in loop.variables_by_name().items()}
        self.checkpointing.save(arrays, state)
        if self.shared and announced is None and len(self.history) == loop.intervals:
            epochs = loop.run.schedule.epochs
            self.checkpointing.remember(self.shared, epochs, (arrays, state))


def _hits(logits: Any, y: Any) -> Any:
    """1 for each example that is classified right, else 0; float32 `[batch]`."""
    return tf.cast(tf.argmax(logits, axis=-1, output_type=y.dtype) == y, tf.float32)
