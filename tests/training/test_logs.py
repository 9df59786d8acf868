"""What a training writes for TensorBoard."""

from __future__ import annotations

import pytest

from ftnoise.core.spec import flat
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.logs import HISTOGRAM_EVERY
from ftnoise.training.penalties import L2
from tests.event_files import events, hparams, scalars


@pytest.mark.parametrize("drops", [(), (2,)])
def test_tensorboard_gets_curves_rates_histograms_and_hparams(
    tmp_path, drops, run_of, memory, trained
):
    folder = tmp_path / "a-run"
    run = run_of(Training(penalty=L2(weight=0.01)), epochs=3, drops=drops)
    checkpointing = memory(log_dir=folder)
    trained(run, checkpointing)

    training, validation = events(folder / "train"), events(folder / "test")
    for accumulator, prefix in ((training, ""), (validation, "val_")):
        for name in ("loss", "accuracy"):
            known = [epoch[prefix + name] for epoch in checkpointing.history]
            assert scalars(accumulator, name) == pytest.approx(dict(enumerate(known, 1)), rel=1e-6)

    # The rate after the last update of an epoch: that of the next one.
    rates = [0.002] * 3 if drops else [0.02] * 3
    assert scalars(training, "learning_rate") == pytest.approx(dict(enumerate(rates, 1)), rel=1e-6)

    histograms = [
        tag
        for tag in training.Tags()["tensors"]
        if training.SummaryMetadata(tag).plugin_data.plugin_name == "histograms"
    ]
    assert len(histograms) == 4
    # After the first and the last epoch.
    assert all([e.step for e in training.Tensors(tag)] == [1, 3] for tag in histograms)

    start = hparams(events(folder), "session_start_info").session_start_info
    written = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()
    }
    assert written == flat(run)
    assert written["training.penalty.weight"] == 0.01
    assert written["schedule.epochs"] == 3


def test_a_longer_training_gets_histograms_in_between(tmp_path, run_of, memory, trained):
    epochs = HISTOGRAM_EVERY + 2
    trained(run_of(epochs=epochs), memory(log_dir=tmp_path))
    training = events(tmp_path / "train")
    assert len(training.Tensors("loss")) == epochs
    assert [e.step for e in training.Tensors("dense/kernel_0")] == [1, HISTOGRAM_EVERY + 1, epochs]


def test_a_resumed_training_replaces_what_was_logged_after_its_checkpoint(
    tmp_path, run_of, memory, trained
):
    broken = memory(log_dir=tmp_path / "a-run", after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run_of(), broken)
    broken.after_epoch = None
    checkpoint = broken.kept
    trained(run_of(), broken)
    broken.kept = checkpoint
    trained(run_of(), broken)
    training = events(tmp_path / "a-run" / "train")
    assert [e.step for e in training.Tensors("loss")] == [1, 2, 3]


def test_flat_names_every_field(run_of):
    found = flat(run_of(Training(inputs=TRADES(attack_epsilon=0.1))))
    assert found["run"] == "Run"
    assert found["training.inputs"] == "TRADES"
    assert found["training.inputs.attack_epsilon"] == 0.1
    assert found["training.inputs.step_size"] == "None"
    assert found["training.penalty"] == "None"
    assert found["architecture.input_shape"] == "[6, 6, 1]"
    assert found["schedule.drops"] == "[]"
    assert not any("revision" in name for name in found)


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch, run_of, trained):
    monkeypatch.chdir(tmp_path)
    trained(run_of(epochs=1))
    assert list(tmp_path.iterdir()) == []
