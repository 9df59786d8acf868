"""Reads event files of TensorBoard."""

from __future__ import annotations

from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray


def events(folder):
    """All events of a folder."""
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def scalars(accumulator, tag):
    """The numbers of a tag by step."""
    return {e.step: float(make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)}


def hparams(accumulator, kind):
    """The data of the HParams plugin: of the "experiment" or the "session_start_info"."""
    content = accumulator.SummaryMetadata(f"_hparams_/{kind}").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)
