"""A unit of work on a real network: what is stored, and that it resumes with the same bits."""

from __future__ import annotations

import dataclasses
import gc
import os
from typing import Any

import numpy as np
import pytest

from ftnoise.core.spec import canonical
from ftnoise.engine import environment, resuming, runner
from ftnoise.engine.resuming import FolderCheckpointing, position
from ftnoise.measures.generalization import Generalization
from ftnoise.store.folders import RunFolder
from tests.disk import ENVIRONMENT
from tests.engine.running import (
    MEASURES,
    RUN,
    Small,
    digest,
    folder_of,
    numbers,
    stopped,
    unit,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    """A run that was performed without interruption."""
    one = unit(tmp_path_factory.mktemp("whole"))
    assert runner.perform(one) == one.id
    return folder_of(one)


@pytest.fixture
def one(tmp_path) -> runner.Unit:
    return unit(tmp_path / "runs")


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
    assert spec["started"] <= spec["finished"] <= environment.now()
    assert spec["seconds"] > 0
    assert spec["earlier_environments"] == []
    assert spec["environment"] == environment.environment()
    assert whole.finished() == spec
    assert runner.missing(whole, MEASURES) == []
    assert whole.checkpoints() == []
    assert list(whole.path.rglob("events.out.tfevents.*"))


def test_the_same_spec_gives_the_same_bits_in_another_folder(whole, one, folder):
    runner.perform(one)
    assert digest(folder) == digest(whole)
    assert numbers(folder) == numbers(whole)


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_resumes_and_ends_with_the_same_bits(whole, one, folder, epoch):
    with stopped(after=epoch):
        runner.perform(one)
    assert folder.finished() is None
    started = folder.spec()["started"]
    assert "finished" not in folder.spec()
    assert position(folder) == f"epoch {epoch} of 3"

    said: list[str] = []
    runner.perform(one, lambda done, total, text: said.append(text))
    assert dict.fromkeys(said) == dict.fromkeys(f"epoch {n} of 3" for n in range(epoch + 1, 4))
    assert digest(folder) == digest(whole)
    assert numbers(folder) == numbers(whole)
    assert folder.spec()["started"] == started
    assert folder.spec()["history"] == whole.spec()["history"]


def test_a_measure_sees_the_same_network_from_the_store_as_after_training(whole, one, copy):
    for result in copy.path.glob("measures/*/result.json"):
        result.unlink()
    assert runner.missing(copy, MEASURES) == list(MEASURES)
    weights = (copy.path / "weights.npz").stat().st_mtime_ns
    runner.perform(one)
    assert numbers(copy) == numbers(whole)
    assert (copy.path / "weights.npz").stat().st_mtime_ns == weights


def test_a_stored_network_is_rebuilt_with_its_weights(whole):
    named = runner.named_weights(runner.stored_network(RUN, whole))
    stored = whole.load_weights()
    assert [name for name, _ in named] == [name for name, _ in stored]
    assert [name.split("/", 1)[0] for name, _ in named] == ["00", "01", "02", "03"]
    for (_, one), (_, other) in zip(named, stored, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_are_set_aside(copy, capsys):
    larger = dataclasses.replace(RUN, architecture=Small(units=4))
    with copy.locked():
        assert runner.stored_network(larger, copy) is None
    assert "does not fit the network" in capsys.readouterr().err
    assert not copy.finished()
    assert (copy.path / "weights.npz.damaged").exists()


def save(folder: RunFolder, state: dict) -> None:
    folder.checkpoint().save({"state": state}, [("weight/0", np.zeros(3))])


def test_a_checkpoint_that_does_not_fit_or_is_of_another_version_is_set_aside(
    whole, one, folder, capsys
):
    state = {"training": {"history": [{}], "seconds": 1.0}, "environments": [{}], "position": ""}
    for there, said in (
        (state | {"environments": [environment.environment()]}, "does not fit the network"),
        ({"history": [{}]}, "was written by another version"),
    ):
        save(folder, there)
        folder.drop_measures()
        for file in folder.path.glob("weights*"):
            file.unlink()
        runner.perform(one)
        assert f"checkpoint.json {said}" in capsys.readouterr().err
        assert digest(folder) == digest(whole)


def test_the_position_is_that_of_the_checkpoint(whole, one, folder, capsys):
    assert position(whole) == position(folder) == ""
    with stopped(after=2):
        runner.perform(one)
    (folder.path / "checkpoint-2.npz").write_bytes(b"not looked at")
    assert position(folder) == "epoch 2 of 3"
    save(folder, {"history": [{}]})
    assert position(folder) == ""
    assert capsys.readouterr().err == ""


def test_a_checkpoint_at_the_start_of_a_resumed_training_keeps_the_position(folder):
    """Gradients with a ledger save one before their first progress."""
    before, after = (FolderCheckpointing(folder, lambda done, total, text: None) for _ in range(2))
    before.progress(1, 3, "epoch 1 of 3")
    before.save({}, {"history": [{}]})
    after.load()
    after.save({}, {"history": [{}]})
    assert position(folder) == "epoch 1 of 3"


def test_a_training_that_resumes_elsewhere_tells_where_it_was_before(
    one, folder, monkeypatch, capsys
):
    for threads in (16, 32):
        place = ENVIRONMENT | {"threads": threads, "commit": "one"}
        monkeypatch.setattr(resuming, "environment", lambda place=place: place)
        with stopped(after=1):
            runner.perform(one)
    assert capsys.readouterr().err == (
        f"ftnoise: {folder.id} resumes with abacus, 32 threads after abacus, 16 threads: its last "
        "bits differ from those of a training in one place.\n"
    )
    # On the same machine, other code says nothing.
    new = place | {"commit": "two"}
    monkeypatch.setattr(resuming, "environment", lambda: new)
    runner.perform(one)
    assert "abacus, 32 threads after abacus, 16 threads" in capsys.readouterr().err
    assert folder.spec()["environment"] == new
    assert folder.spec()["earlier_environments"] == [place | {"threads": 16}, place]


@pytest.mark.parametrize("known", [None, "0" * 64])
def test_results_of_damaged_weights_stay_if_the_same_ones_are_made_again(
    whole, one, copy, capsys, known, monkeypatch
):
    spec = copy.spec() or {}
    copy.write_spec(spec if known is None else spec | {"weights_sha256": known})
    evaluated = []
    evaluate = Generalization.evaluate
    monkeypatch.setattr(
        Generalization, "evaluate", lambda *of: evaluated.append(1) or evaluate(*of)
    )
    (copy.path / "weights.npz").write_bytes(b"")
    with stopped(after=RUN.schedule.epochs):
        runner.perform(one)
    assert not copy.finished()
    runner.perform(one)
    assert "weights.npz" in capsys.readouterr().err
    assert digest(copy) == digest(whole)
    assert numbers(copy) == numbers(whole)
    assert len(evaluated) == (known is not None)
    assert copy.checkpoints() == []


def test_a_run_that_is_locked_elsewhere_is_left_alone(one, folder):
    with folder.locked():
        assert runner.perform(one) is None
    assert not folder.spec()


# Environments.


def test_an_environment_has_versions_machine_and_switches(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "somewhere/terraformrc")
    here = environment.environment()
    assert here["tensorflow"].startswith("2.15")
    assert here["threads"] >= 1
    assert here["cores"] == len(os.sched_getaffinity(0))
    assert {"python", "ftnoise", "keras", "numpy", "commit", "code", "processor", "gpus"} <= set(
        here
    )
    assert here["switches"]["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert not {"TF_CPP_MIN_LOG_LEVEL", "TF_CLI_CONFIG_FILE"} & set(here["switches"])


def test_steps_repeat_with_the_same_code_on_the_same_processor():
    here = environment.environment()
    assert environment.repeatable(here, here | {"commit": "another"})
    for other in ({"code": "other"}, {"threads": 99}, {"switches": {"XLA_FLAGS": "x"}}):
        assert not environment.repeatable(here, here | other)
        assert not environment.repeatable(here | other, here)
    assert not environment.repeatable(here | {"gpus": ["one"]}, here | {"gpus": ["one"]})


def test_a_commit_is_known_inside_a_checkout_only(monkeypatch, tmp_path):
    monkeypatch.setattr(environment.ftnoise, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("FTNOISE_COMMIT", raising=False)
    assert environment.commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.commit() is None
    monkeypatch.setenv("FTNOISE_COMMIT", "0123456789ab")
    assert environment.commit() == "0123456789ab"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallCNN(Small):
    """A convolution with a custom gradient."""

    def layers(self) -> list[Any]:
        from keras.layers import Dense, Flatten, Reshape

        from ftnoise.layers.convolution import ImageConv2D

        return [Reshape((3, 1, 1)), ImageConv2D(2, (2, 1)), Flatten(), Dense(self.classes)]


def test_no_graph_of_an_earlier_network_stays_in_memory(tmp_path):
    from tensorflow.python.framework.func_graph import FuncGraph

    def graphs() -> int:
        found = [one for one in gc.get_objects() if isinstance(one, FuncGraph)]
        return sum(graph.name != "keras_graph" for graph in found)  # those are empty

    left = []
    for seed in range(3):
        run = dataclasses.replace(RUN, architecture=SmallCNN(), seed=seed)
        runner.perform(unit(tmp_path, run))
        left.append(graphs())
    assert left[0] == left[1] == left[2]
