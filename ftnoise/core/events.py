"""Event files of TensorBoard, written without TensorFlow's summary ops."""

from __future__ import annotations

import time
from collections.abc import Iterable
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
