"""Logs of a training for TensorBoard: curves, learning rate, histograms of weights, HParams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ftnoise.core.interfaces import Run
from ftnoise.core.spec import canonical

# Histograms take as long as a test pass, so only some log intervals have them.
HISTOGRAM_EVERY = 10


class TensorBoard(keras.callbacks.Callback):
    """Writes the logs of each log interval in the files and names of Keras' own callback.

    Curves of training are in `train/`, those of testing in `validation/`; histograms of the
    weights are written after the first, every tenth and the last log interval.

    Args:
        folder: where to write.
        last: number of the last log interval, counted from 0.
    """

    def __init__(self, folder: Path, last: int) -> None:
        super().__init__()
        self.folder, self.last = folder, last

    def on_train_begin(self, logs: Any = None) -> None:
        """Opens the files."""
        del logs
        self.writers = {
            part: tf.summary.create_file_writer(str(self.folder / part))
            for part in ("train", "validation")
        }

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes one log interval."""
        rate = self.model.optimizer._decayed_lr(tf.float32)
        for name, value in {**(logs or {}), "learning_rate": rate}.items():
            part = "validation" if name.startswith("val_") else "train"
            with self.writers[part].as_default():
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value, step=epoch)
        if epoch % HISTOGRAM_EVERY == 0 or epoch == self.last:
            with self.writers["train"].as_default():
                for weight in self.model.network.weights:
                    tf.summary.histogram(weight.name.replace(":", "_"), weight, step=epoch)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        del logs
        for writer in self.writers.values():
            writer.close()


def tensorboard(run: Run, intervals: int, folder: Path | None) -> list[keras.callbacks.Callback]:
    """The callback that logs a training of `intervals` log intervals; none without a folder."""
    if folder is None:
        return []
    hyperparameters(run, folder)
    return [TensorBoard(folder, intervals - 1)]


def hyperparameters(run: Run, folder: Path) -> None:
    """Writes a run's HParams."""
    from tensorboard.plugins.hparams import api as hparams

    with tf.summary.create_file_writer(str(folder)).as_default():
        hparams.hparams(flat(run), trial_id=folder.name)


def flat(run: Run) -> dict[str, float | str]:
    """A run's fields as dotted names."""
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
