"""A natural epoch through our loop, everything included, against Keras' own `model.fit`.

    python -m tests.benchmarks.natural_epoch [--repetitions 5] [--epochs 4] [--examples 60000]

Ours is an epoch of a run: training, testing loss and accuracy, TensorBoard with histograms, and
checkpoints on the disk. Keras' is `model.fit(x, y, batch_size=128, shuffle=True)` with the
same network, data and optimizer class: once bare (no metrics, no validation, no logs), and once
with accuracy, validation data and TensorBoard with histograms. Each repetition is a `fit` of some
epochs, of which the first, which compiles, does not count. The targets are for ours, everything
included, against the bare one: 0.8 for fmnist_dnn, 0.9 for fmnist_cnn2.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.data import Data
from ftnoise.core.interfaces import Run
from ftnoise.engine.resuming import FolderCheckpointing
from ftnoise.experiments.table5 import EXPERIMENT
from ftnoise.store.folders import Store
from ftnoise.training import loop
from tests.benchmarks.alternating import show

TARGETS = {"fmnist_dnn natural": 0.8, "fmnist_cnn2 natural": 0.9}
OURS, PART, BARE, SAME = (
    "ours, everything included",
    "ours, training alone",
    "Keras, bare",
    "Keras, same services",
)


class Ends(keras.callbacks.Callback):
    """Remembers when epochs and their training parts ended."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0.0
        self.trained: list[float] = []
        self.ended: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.trained.append(self.last)
        self.ended.append(time.perf_counter())


def ours(run: Run, data: Data) -> tuple[list[float], list[float]]:
    """Seconds of each epoch after the first, and of its training part."""
    ends = Ends()
    fit = functools.partialmethod(fit_and_watch, ends)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(loop.Loop, "fit", fit):
        checkpointing = FolderCheckpointing(
            Store(Path(folder)).run("benchmark"), lambda done, total, text: None
        )
        run.training.train(run, data, checkpointing)
    epochs = [after - before for before, after in pairwise(ends.ended)]
    parts = zip(ends.ended, ends.trained[1:], strict=False)
    return epochs, [after - before for before, after in parts]


def fit_and_watch(
    network: loop.Loop, ends: Ends, *args: Any, callbacks: Any, **options: Any
) -> Any:
    """`fit` with one more callback, the last."""
    return keras.Model.fit(network, *args, callbacks=[*callbacks, ends], **options)


def of_keras(run: Run, data: Data, services: bool) -> list[float]:
    """Seconds of each epoch after the first."""
    keras.backend.clear_session()
    network, schedule = run.architecture.build(), run.schedule
    network.compile(
        optimizer=tf.keras.optimizers.legacy.SGD(
            schedule.learning_rate, momentum=schedule.momentum
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"] if services else None,
    )
    ends, options, callbacks = Ends(), {}, []
    with tempfile.TemporaryDirectory() as folder:
        if services:
            options["validation_data"] = (data.x_test, data.y_test)
            callbacks = [
                keras.callbacks.TensorBoard(
                    folder, histogram_freq=1, write_graph=False, profile_batch=0
                )
            ]
        network.fit(
            data.x_train,
            data.y_train,
            batch_size=schedule.batch_size,
            shuffle=True,
            epochs=schedule.epochs,
            callbacks=[*callbacks, ends],
            verbose=0,
            **options,
        )
    return [after - before for before, after in pairwise(ends.ended)]


def main() -> bool:
    """Measures both networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--examples", type=int, default=60_000)
    arguments = parser.parse_args()
    reached = True

    generator = np.random.default_rng(0)
    examples = arguments.examples
    x = generator.random((examples + examples // 6, 28, 28, 1), np.float32)
    y = generator.integers(0, 10, len(x))
    data = Data(x[:examples], y[:examples], x[examples:], y[examples:], classes=10, digest="")
    for row in EXPERIMENT.rows:
        if row.name not in TARGETS:
            continue
        schedule = dataclasses.replace(row.run.schedule, epochs=arguments.epochs)
        run = dataclasses.replace(row.run, schedule=schedule)
        seconds: dict[str, list[float]] = {name: [] for name in (OURS, PART, BARE, SAME)}
        for _ in range(arguments.repetitions):
            epochs, parts = ours(run, data)
            seconds[OURS] += epochs
            seconds[PART] += parts
            seconds[BARE] += of_keras(run, data, services=False)
            seconds[SAME] += of_keras(run, data, services=True)
        print(f"{row.name}, an epoch of {examples} images")
        reached &= show(
            seconds,
            {
                "ours / Keras, bare": (OURS, BARE, TARGETS[row.name]),
                "ours / Keras, same services": (OURS, SAME, None),
                "ours, training alone / Keras, bare": (PART, BARE, None),
            },
        )
    return reached


if __name__ == "__main__":
    sys.exit(not main())
