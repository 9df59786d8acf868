"""Logs of a training for TensorBoard: curves, learning rate, histograms of weights, HParams.

Event files are written without TensorFlow's summary ops, which cost more than a short epoch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.metadata import create_summary_metadata
from tensorboard.plugins.hparams.api import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from ftnoise.core.events import curves, write
from ftnoise.core.interfaces import Run
from ftnoise.core.spec import flat

# Histograms take as long as a test pass, so only some log intervals have them.
HISTOGRAM_EVERY = 10
BUCKETS = 30


class TensorBoard(keras.callbacks.Callback):
    """Writes each log interval, at the number of epochs that are completed.

    Curves of training are in `train/`, those of testing in `test/`; histograms of the weights are
    written after the first, every tenth and the last log interval. The run is written as HParams.
    `finished` of all `intervals` are completed, of `epochs` each; later ones in the folder are
    replaced.
    """

    def __init__(self, folder: Path, run: Run, finished: int, intervals: int, epochs: int) -> None:
        super().__init__()
        self.folder, self.run, self.finished, self.last = folder, run, finished, intervals - 1
        self.epochs = epochs

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes HParams and opens the files of the curves."""
        del logs
        writer = EventFileWriter(str(self.folder))
        write(writer, 0, [hparams_pb(flat(self.run), trial_id=self.folder.name)])
        writer.close()
        self.writers = {
            part: EventFileWriter(str(self.folder / part)) for part in ("train", "test")
        }
        begin = self.finished * self.epochs + 1
        start = Event(step=begin, session_log=SessionLog(status=SessionLog.START))
        for writer in self.writers.values():
            writer.add_event(start)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes one log interval."""
        rate = self.model.optimizer._decayed_lr(tf.float32)
        summaries = curves({**(logs or {}), "learning_rate": float(rate)})
        if epoch % HISTOGRAM_EVERY == 0 or epoch == self.last:
            summaries["train"] += map(histogram, self.model.network.weights)
        for part, writer in self.writers.items():
            write(writer, (epoch + 1) * self.epochs, summaries[part])

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        del logs
        for writer in self.writers.values():
            writer.close()


def histogram(weight: Any) -> Summary:
    """The counts of a weight's finite elements in equal intervals from minimum to maximum."""
    elements = weight.numpy().astype(float)
    counts, edges = np.histogram(elements[np.isfinite(elements)], BUCKETS)
    buckets = make_tensor_proto(np.stack([edges[:-1], edges[1:], counts], 1), np.float64)
    metadata = create_summary_metadata(display_name=None, description=None)
    tag = weight.name.replace(":", "_")
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=buckets)])
