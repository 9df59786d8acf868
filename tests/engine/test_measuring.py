"""A measure that takes long: its work survives a kill, and belongs to its run's weights."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np
import pytest

from ftnoise.core.spec import canonical
from ftnoise.engine import runner
from ftnoise.store.partial_work import PartialWork
from tests import fake
from tests.engine.running import engine, forked, stopped, unit
from tests.fake.sweep import ID, LABELS, RATES, SWEEP, TABLE

RUN = TABLE.rows[0].run
pytestmark = pytest.mark.usefixtures("fake_environment")


@pytest.fixture
def one(store):
    return unit(store.root, RUN, TABLE.measures())


def sweeps(log) -> list[str]:
    return [
        line.replace(f" {RUN.slug}", "") for line in log() if line.startswith(("sweep", "part"))
    ]


def result(folder) -> tuple[Any, ...]:
    arrays = folder.read_measure_arrays(ID)
    plain = {name: values.tolist() for name, values in arrays.items()}
    return folder.read_measure(ID), plain, folder.read_measure_info(ID)


@pytest.fixture
def whole(one, folder, log):
    """The result of a measure that was not interrupted; nothing is left of it."""
    runner.perform(one)
    found = result(folder)
    folder.drop_measures()
    log()
    return found


def test_the_record_of_a_measure_has_its_fields_and_its_names(one, folder):
    runner.perform(one)
    info = {"measure": canonical(SWEEP, everything=True), "layers": LABELS}
    assert folder.read_measure_info(ID) == info
    stored = json.loads((folder.path / "measures" / ID / "result.json").read_text())
    assert stored["info"]["layers"] == LABELS
    assert sorted(os.listdir(folder.path / "measures" / ID)) == ["result.json", "result.npz"]


@pytest.mark.parametrize("part", [1, 3])
def test_an_interrupted_measure_resumes_with_what_it_kept(one, folder, whole, log, part):
    with stopped(after=part, kind=PartialWork):
        runner.perform(one)
    assert SWEEP in runner.missing(folder, TABLE.measures())
    assert sweeps(log)[0] == "sweep from 0"
    runner.perform(one)
    assert sweeps(log) == [
        f"sweep from {part}",
        *(f"part {n + 1}" for n in range(part, len(RATES))),
    ]
    assert result(folder) == whole
    assert not list(folder.path.rglob("partial*"))


def test_a_killed_measure_resumes_with_what_it_kept(one, folder, whole, log, monkeypatch):
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setenv("FAKE_HOLD", f"sweep {RUN.slug} 2")
        with forked(runner.perform, one) as (process,):
            while "part 2" not in said and process.is_alive():
                said += sweeps(log)
                time.sleep(0.01)
    assert said[-1] == "part 2"
    runner.perform(one)
    assert sweeps(log) == ["sweep from 2", "part 3", "part 4"]
    assert result(folder) == whole


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_damaged_partial_work_is_named_and_not_used(one, folder, whole, log, capsys, suffix):
    with stopped(after=1, kind=PartialWork):
        runner.perform(one)
    (file,) = folder.path.rglob(f"partial.{suffix}")
    file.write_bytes(file.read_bytes()[:-20])
    log()
    runner.perform(one)
    said = capsys.readouterr().err
    assert said.startswith(f"ftnoise: {file} ")
    assert said.count("\n") == 1
    assert "set aside" in said
    assert sweeps(log)[0] == "sweep from 0"
    assert result(folder) == whole


def test_partial_work_that_does_not_fit_can_be_set_aside(one, folder, capsys):
    runner.perform(one)
    work = PartialWork(folder.partial_work(ID), lambda done, total, text: None)
    assert work.load() is None
    work.save({"values": np.zeros(2)}, {"done": 1})
    with folder.locked():
        work.discard("belongs to other rates")
    assert work.load() is None
    assert "partial.json belongs to other rates; set aside" in capsys.readouterr().err


@pytest.mark.parametrize("other", [False, True])
def test_partial_work_goes_with_the_weights_that_it_was_made_on(one, folder, whole, log, other):
    with stopped(after=3, kind=PartialWork):
        runner.perform(one)
    (folder.path / "weights.npz").write_bytes(b"")
    if other:
        folder.write_spec(folder.spec() | {"weights_sha256": "0" * 64})
    log()
    runner.perform(one)
    assert ("sweep from 0" if other else "sweep from 3") in sweeps(log)
    assert result(folder) == whole


def test_a_measure_reports_its_progress_after_the_trainings(one):
    said: list[Any] = []
    runner.perform(one, lambda *position: said.append(position))
    epochs = [(n, 4, f"epoch {n}") for n in (1, 2, 3, 4)]
    assert said == [*epochs, *((n, 4, f"rate {n}") for n in (1, 2, 3, 4))]


def test_the_work_of_a_measure_is_no_checkpoint_of_the_training(store, folder, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "natural=nan")
    (failure,) = engine(store, TABLE, rows="small natural").run()
    assert "finite" in str(failure)
    assert len(folder.checkpoints()) == 1
    monkeypatch.delenv("FAKE_FAILS")
    assert engine(store, TABLE, rows="small natural").run() == []
    assert folder.checkpoints() == []
    assert folder.spec()["environment"] == fake.ENVIRONMENT
    assert folder.spec()["earlier_environments"] == []
