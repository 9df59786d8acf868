"""A measure that takes long: its work survives a kill, and belongs to its run's weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from ftnoise.cli import main as cli
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import canonical
from ftnoise.engine import executor as engine
from ftnoise.engine import plan, runner
from tests import fake
from tests.fake.sweep import ID, LABELS, RATES, SWEEP, TABLE

RUN = TABLE.rows[0].run
TASK, *_ = plan.tasks(TABLE, PRESETS["paper"], 1, "small natural")
pytestmark = pytest.mark.usefixtures("fake_environment")


@pytest.fixture
def folder(store):
    return engine.Engine(TABLE, [TASK], store, None).folder(TASK)


@pytest.fixture
def log(tmp_path):
    """The lines of the sweep since the last call."""
    read = [0]

    def new() -> list[str]:
        lines = (tmp_path / "log").read_text().splitlines()[read[0] :]
        read[0] += len(lines)
        return [line.replace(f" {RUN.slug}", "") for line in lines if RUN.slug in line]

    return new


def perform(folder, report=lambda done, total, text: None, begin=lambda: None) -> None:
    checkpointing = runner.FolderCheckpointing(folder, report)
    with folder.locked():
        runner.perform(RUN, RUN.data.load(None), folder, TABLE.measures(), checkpointing, begin)


def stop_after(part: int) -> Any:
    def report(done: int, total: int, text: str) -> None:
        if (done, text) == (part, f"rate {part}"):
            raise KeyboardInterrupt

    return report


def result(folder) -> tuple[Any, ...]:
    arrays = folder.read_measure_arrays(ID)
    plain = {name: values.tolist() for name, values in arrays.items()}
    return folder.read_measure(ID), plain, folder.read_measure_info(ID)


@pytest.fixture
def whole(folder, tmp_path, log):
    """The result of a measure that nobody interrupted; nothing is left of it."""
    perform(folder)
    found = result(folder)
    folder.drop_measures()
    log()
    return found


def test_the_record_of_a_measure_has_what_it_is_and_what_is_no_number(folder):
    perform(folder)
    assert folder.read_measure_info(ID) == {
        "measure": canonical(SWEEP, everything=True),
        "layers": LABELS,
    }
    stored = json.loads((folder.path / "measures" / ID / "result.json").read_text())
    assert stored["info"]["layers"] == LABELS
    assert sorted(os.listdir(folder.path / "measures" / ID)) == ["result.json", "result.npz"]


@pytest.mark.parametrize("part", [1, 3])
def test_a_measure_that_was_interrupted_goes_on_with_what_it_kept(folder, whole, log, part):
    with pytest.raises(KeyboardInterrupt):
        perform(folder, stop_after(part))
    assert runner.missing(folder, TABLE.measures()) == [SWEEP]
    log()
    perform(folder)
    assert log() == [f"sweep from {part}", *(f"part {n + 1}" for n in range(part, len(RATES)))]
    assert result(folder) == whole
    assert not list(folder.path.rglob("partial*"))


def test_a_measure_that_was_killed_goes_on_with_what_it_kept(folder, whole, log, tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests import fake; fake.install();"
        "from ftnoise.store.folders import Store; from tests.test_runner_measures import *;"
        "engine.Engine(TABLE, [TASK], Store(Path(sys.argv[1])), None).run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path.parent)],
        cwd=cli.ROOT,
        env=os.environ | {"FAKE_HOLD": f"sweep {RUN.slug} 2"},
    )
    try:
        for _ in range(600):
            if "part 2" in (said := log()):
                break
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert said[-1] == "part 2"
    perform(folder)
    assert log() == ["sweep from 2", "part 3", "part 4"]
    assert result(folder) == whole


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_partial_work_that_is_damaged_is_named_and_not_used(folder, whole, log, capsys, suffix):
    with pytest.raises(KeyboardInterrupt):
        perform(folder, stop_after(1))
    (file,) = folder.path.rglob(f"partial.{suffix}")
    file.write_bytes(file.read_bytes()[:-20])
    log()
    perform(folder)
    said = capsys.readouterr().err
    assert said.startswith(f"ftnoise: {file} ")
    assert said.count("\n") == 1
    assert "set aside" in said
    assert log()[0] == "sweep from 0"
    assert result(folder) == whole


def test_partial_work_that_does_not_fit_can_be_set_aside(folder, capsys):
    perform(folder)
    checkpointing = runner.MeasureCheckpointing(folder, SWEEP, lambda done, total, text: None)
    assert checkpointing.load() is None
    checkpointing.save({"values": np.zeros(2)}, {"done": 1})
    with folder.locked():
        checkpointing.discard("is of other rates")
    assert checkpointing.load() is None
    assert "partial.json is of other rates; set aside" in capsys.readouterr().err


def test_partial_work_goes_with_the_weights_that_it_was_made_on(folder, whole, log):
    with pytest.raises(KeyboardInterrupt):
        perform(folder, stop_after(3))
    (folder.path / "weights.npz").write_bytes(b"")
    log()
    perform(folder)
    said = log()
    assert said[0] == "train from 0"
    assert "sweep from 0" in said
    assert result(folder) == whole


def test_a_measure_says_how_far_it_is_and_counts_anew(folder):
    said: list[Any] = []
    perform(
        folder,
        lambda done, total, text: said.append((done, total, text)),
        lambda: said.append("begin"),
    )
    epochs = [(n, 4, f"epoch {n}") for n in (1, 2, 3, 4)]
    assert said == [*epochs, "begin", "begin", *((n, 4, f"rate {n}") for n in (1, 2, 3, 4))]


def test_a_measure_keeps_its_work_apart_from_the_trainings_checkpoint(folder, log, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "natural=nan")
    with pytest.raises(Exception, match="finite"):
        perform(folder)
    monkeypatch.delenv("FAKE_FAILS")
    perform(folder)
    assert folder.load_checkpoint() is None
    assert folder.spec()["environment"] == fake.ENVIRONMENT
    assert folder.spec()["earlier_environments"] == []
