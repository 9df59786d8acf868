from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftnoise.architectures import Architecture
from ftnoise.core.errors import RunFailed
from ftnoise.core.experiment import run_id
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import canonical, spec_id
from ftnoise.engine import runner
from ftnoise.measures.generalization import Generalization
from ftnoise.measures.parameter_spread import ParameterSpread
from ftnoise.store.folders import RunFolder, Store
from ftnoise.training import Training
from tests.fake import Dots


@dataclass(frozen=True, kw_only=True)
class Small(Architecture):
    """Three units."""

    input_shape: tuple[int, ...] = (3,)
    classes: int = 2
    units: int = 3

    def layers(self) -> list[Any]:
        from keras.layers import Dense

        return [Dense(self.units, activation="relu"), Dense(self.classes)]


RUN = Run(
    architecture=Small(),
    data=Dots(),
    training=Training(),
    schedule=Schedule(epochs=3, batch_size=16, learning_rate=0.1, momentum=0.9, drops=(3,)),
)
MEASURES = (Generalization(), ParameterSpread())


def folder_in(root: Path, run: Run = RUN) -> RunFolder:
    return Store(root).run(run_id(run, run.data.digest(None)))


def perform(folder: RunFolder, measures=MEASURES, run: Run = RUN, at_epoch=None) -> list[str]:
    """Performs a run; `at_epoch` is called with the number of each epoch that is behind."""
    said = []

    class Watched(runner.FolderCheckpointing):
        def save(self, arrays: Any, state: Any) -> None:
            super().save(arrays, state)
            said.append(f"epoch {len(state['history'])}")
            if at_epoch:
                at_epoch(len(state["history"]))

    checkpointing = Watched(folder, lambda done, total, text: None)
    with folder.locked():
        runner.perform(run, run.data.load(None), folder, measures, checkpointing)
    return said


def stop_at(epoch: int) -> Any:
    def at_epoch(number: int) -> None:
        if number == epoch:
            raise KeyboardInterrupt

    return at_epoch


def results(folder: RunFolder) -> dict[str, Any]:
    return {spec_id(measure): folder.read_measure(spec_id(measure)) for measure in MEASURES}


def digest(folder: RunFolder) -> str:
    return json.loads((folder.path / "weights.json").read_text())["array_file"]["sha256"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    """A run that was performed without interruption."""
    folder = folder_in(tmp_path_factory.mktemp("whole"))
    assert perform(folder) == ["epoch 1", "epoch 2", "epoch 3"]
    return folder


def test_a_finished_run_has_weights_results_and_the_record_of_how_they_were_made(whole):
    spec = whole.spec()
    assert spec["id"] == whole.id
    assert spec["run"] == canonical(RUN)
    assert spec["fields"] == canonical(RUN, everything=True)
    assert spec["data"] == {"digest": RUN.data.digest(None), "source": "memory"}
    assert spec["steps"] == 9
    assert [set(epoch) for epoch in spec["history"]] == [
        {"loss", "accuracy", "val_loss", "val_accuracy"}
    ] * 3
    assert spec["started"] <= spec["finished"] <= runner.now()
    assert spec["seconds"] > 0
    environment = spec["environment"]
    assert environment["tensorflow"].startswith("2.15")
    assert environment["threads"] >= 1
    assert {"python", "ftnoise", "keras", "numpy", "commit", "processor", "gpus"} <= set(
        environment
    )
    assert whole.finished() == spec
    assert runner.missing(whole, MEASURES) == []
    assert whole.load_checkpoint() is None
    assert list(whole.path.rglob("events.out.tfevents.*"))


def test_the_same_spec_gives_the_same_bits_in_another_folder(whole, tmp_path):
    again = folder_in(tmp_path)
    perform(again)
    assert digest(again) == digest(whole)
    assert results(again) == results(whole)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_run_that_was_interrupted_goes_on_and_ends_with_the_same_bits(whole, tmp_path, epoch):
    folder = folder_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        perform(folder, at_epoch=stop_at(epoch))
    assert folder.finished() is None
    started = folder.spec()["started"]
    assert "finished" not in folder.spec()

    assert perform(folder) == ["epoch 1", "epoch 2", "epoch 3"][epoch:]
    assert digest(folder) == digest(whole)
    assert results(folder) == results(whole)
    assert folder.spec()["started"] == started
    assert folder.spec()["history"] == whole.spec()["history"]


def test_a_measure_sees_the_same_network_from_the_store_as_fresh_from_training(whole, tmp_path):
    whole.copy_to(Store(tmp_path))
    folder = folder_in(tmp_path)
    for result in folder.path.glob("measures/*/result.json"):
        result.unlink()
    assert runner.missing(folder, MEASURES) == list(MEASURES)
    assert perform(folder) == []
    assert results(folder) == results(whole)


def test_a_stored_network_is_rebuilt_with_its_weights(whole):
    network = runner.stored_network(RUN, whole)
    stored = whole.load_weights()
    named = runner.named_weights(network)
    assert [name for name, _ in named] == [name for name, _ in stored]
    assert [name.split("/", 1)[0] for name, _ in named] == ["00", "01", "02", "03"]
    for (_, one), (_, other) in zip(named, stored, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_are_set_aside(whole, tmp_path, capsys):
    whole.copy_to(Store(tmp_path))
    folder = folder_in(tmp_path)
    larger = dataclasses.replace(RUN, architecture=Small(units=4))
    with (
        folder.locked(),
        pytest.raises(RunFailed, match=f"{whole.id} do not fit") as failure,
    ):
        runner.stored_network(larger, folder)
    assert failure.value.exit_code == 1
    assert "does not fit the network" in capsys.readouterr().err
    assert not folder.trained()
    assert (folder.path / "weights.npz.damaged").exists()


def test_a_checkpoint_that_does_not_fit_is_set_aside(whole, tmp_path, capsys):
    folder = folder_in(tmp_path)
    training = {"history": [{}], "seconds": 1.0}
    state = {"training": training, "environments": [runner.environment()]}
    folder.save_checkpoint({"weight/0": np.zeros(3)}, state)
    perform(folder)
    assert "checkpoint.json does not fit the network" in capsys.readouterr().err
    assert digest(folder) == digest(whole)


def test_a_checkpoint_of_another_version_is_set_aside(whole, tmp_path, capsys):
    folder = folder_in(tmp_path)
    folder.save_checkpoint({"weight/0": np.zeros(3)}, {"history": [{}], "seconds": 1.0})
    perform(folder)
    assert "checkpoint.json was written by another version" in capsys.readouterr().err
    assert digest(folder) == digest(whole)


def test_the_epochs_that_are_behind_are_those_of_the_checkpoint(whole, tmp_path, capsys):
    assert runner.epochs_done(whole) == 0
    folder = folder_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        perform(folder, at_epoch=stop_at(2))
    (folder.path / "checkpoint-2.npz").write_bytes(b"not looked at")
    assert runner.epochs_done(folder) == 2
    folder.save_checkpoint({}, {"history": [{}]})
    assert runner.epochs_done(folder) == 0
    assert capsys.readouterr().err == ""


def test_a_training_that_went_on_elsewhere_says_where_it_was_before(
    whole, tmp_path, monkeypatch, capsys
):
    assert whole.spec()["earlier_environments"] == []
    folder = folder_in(tmp_path)
    for epoch in (1, 2):
        place = {"processor": "abacus", "threads": 16 * epoch, "gpus": [], "commit": "one"}
        monkeypatch.setattr(runner, "environment", lambda place=place: place)
        with pytest.raises(KeyboardInterrupt):
            perform(folder, at_epoch=stop_at(epoch))
    said = capsys.readouterr().err
    assert said == (
        f"ftnoise: {folder.id} goes on with abacus, 32 threads after abacus, 16 threads: its last "
        "bits differ from those of a training in one place.\n"
    )
    perform(folder)
    assert folder.spec()["environment"] == place
    assert folder.spec()["earlier_environments"] == [place | {"threads": 16}]


def test_a_training_that_goes_on_with_other_code_on_the_same_machine_says_nothing(
    tmp_path, monkeypatch, capsys
):
    folder = folder_in(tmp_path)
    for commit in ("one", "two"):
        place = runner.environment() | {"commit": commit}
        monkeypatch.setattr(runner.FolderCheckpointing, "environment", place)
        with pytest.raises(KeyboardInterrupt):
            perform(folder, at_epoch=stop_at(1 if commit == "one" else 2))
    assert capsys.readouterr().err == ""
    assert len(folder.checkpoint_state()["environments"]) == 2


def test_a_kill_after_training_again_leaves_no_result_of_the_old_weights(whole, tmp_path):
    whole.copy_to(Store(tmp_path))
    folder = folder_in(tmp_path)
    (folder.path / "weights.npz").write_bytes(b"")

    class Killed(Exception):
        pass

    def kill(epoch: int) -> None:
        if epoch == RUN.schedule.epochs:
            raise Killed

    with pytest.raises(Killed):
        perform(folder, at_epoch=kill)
    assert [folder.read_measure(spec_id(measure)) for measure in MEASURES] == [None, None]
    perform(folder)
    assert results(folder) == results(whole)
    assert folder.load_checkpoint() is None


def test_results_of_weights_that_were_damaged_are_made_again_with_them(whole, tmp_path, capsys):
    whole.copy_to(Store(tmp_path))
    folder = folder_in(tmp_path)
    (folder.path / "weights.npz").write_bytes(b"")
    old = {file: file.stat().st_ino for file in folder.path.glob("measures/*/result.json")}
    perform(folder)
    assert "weights.npz" in capsys.readouterr().err
    assert digest(folder) == digest(whole)
    assert results(folder) == results(whole)
    assert all(file.stat().st_ino != inode for file, inode in old.items())


def test_steps_repeat_with_the_same_code_on_the_same_processor():
    here = runner.environment()
    assert runner.repeatable(here, here | {"commit": "another"})
    for other in ({"code": "other"}, {"threads": 99}, {"switches": {"XLA_FLAGS": "x"}}):
        assert not runner.repeatable(here, here | other)
        assert not runner.repeatable(here | other, here)
    assert not runner.repeatable(here | {"gpus": ["one"]}, here | {"gpus": ["one"]})


def test_what_may_change_the_bits_from_outside_is_recorded(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "somewhere/terraformrc")
    switches = runner.environment()["switches"]
    assert switches["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert "TF_CPP_MIN_LOG_LEVEL" not in switches
    assert "TF_CLI_CONFIG_FILE" not in switches


def test_a_commit_is_known_inside_a_checkout_only(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "__file__", str(tmp_path / "runner.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert runner.commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runner.commit() is None
