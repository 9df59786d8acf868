"""Event files of TensorBoard, written without TensorFlow's summary ops."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter


def write(writer: EventFileWriter, step: int, summaries: Iterable[Summary]) -> None:
    """Writes summaries as one event."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [value for summary in summaries for value in summary.value]
    writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
    writer.flush()


def curves(logs: Mapping[str, float]) -> dict[str, list[Summary]]:
    """The numbers of a log interval as summaries of its parts, `train` and `test` (`val_...`)."""
    from tensorboard.plugins.scalar.summary import scalar_pb

    found: dict[str, list[Summary]] = {"train": [], "test": []}
    for name, value in logs.items():
        part = "test" if name.startswith("val_") else "train"
        found[part].append(scalar_pb(name.removeprefix("val_"), value))
    return found
