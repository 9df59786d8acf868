"""Pictures of arrays: their measures are asked, their arrays read, and a copy draws the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.experiment import Experiment
from ftnoise.core.preset import PRESETS
from ftnoise.engine import executor as engine
from ftnoise.engine import plan, stored
from ftnoise.report.pictures import plot
from ftnoise.store.folders import RunFolder, Store
from tests import fake
from tests.fake.sweep import HEAT_MAP, ID, PAIRS, RATES, SERIES, TABLE, without_pictures

PAPER = PRESETS["paper"]
ROWS = [row.name for row in TABLE.rows]
pytestmark = pytest.mark.usefixtures("fake_environment")


def run(store: Store, experiment: Experiment = TABLE, seeds: int = 1) -> list[Any]:
    todo = plan.tasks(experiment, PAPER, seeds, None)
    return engine.Engine(experiment, todo, store, None).run()


def lines(tmp_path: Any, kind: str) -> int:
    return sum(line.startswith(kind) for line in (tmp_path / "log").read_text().splitlines())


def test_a_measure_that_only_pictures_name_is_asked_once_of_every_run(store, tmp_path):
    assert run(store, without_pictures()) == []
    assert lines(tmp_path, "sweep") == 0
    statuses = engine.foreseen(TABLE, PAPER, plan.tasks(TABLE, PAPER, 1, None), store)
    assert [str(status) for status in statuses] == ["to measure"] * len(ROWS)
    for _ in range(2):
        assert run(store) == []
        assert lines(tmp_path, "train") == lines(tmp_path, "sweep") == len(ROWS)


def test_results_have_the_arrays_by_row_measure_and_seed(store):
    run(store, seeds=2)
    found = stored.results(TABLE, PAPER, None, store).readings
    assert list(found) == ROWS
    for by_measure in found.values():
        assert list(by_measure) == [ID]
        assert [reading.seed for reading in by_measure[ID]] == [0, 1]
        for reading in by_measure[ID]:
            assert reading.arrays["rates"].tolist() == RATES.tolist()
            assert reading.info["layers"] == ["dense", "output"]
    (first,) = stored.results(TABLE, PAPER, 1, store).readings[ROWS[0]][ID]
    one = found[ROWS[0]][ID]
    np.testing.assert_array_equal(first.arrays["values"], one[0].arrays["values"])
    assert not np.array_equal(one[0].arrays["values"], one[1].arrays["values"])


def test_a_table_without_such_pictures_reads_no_arrays(store, monkeypatch):
    run(store)

    def fail(self: Any, measure_id: str) -> None:
        raise AssertionError(measure_id)

    monkeypatch.setattr(RunFolder, "read_measure_arrays", fail)
    monkeypatch.setattr(RunFolder, "read_measure_info", fail)
    curves = dataclasses.replace(TABLE, figures=fake.TABLE.pictures)
    for table in (without_pictures(), curves):
        assert stored.results(table, PAPER, None, store).readings == {}
    with pytest.raises(AssertionError, match="sweep"):
        stored.results(TABLE, PAPER, None, store)


def test_arrays_that_are_not_there_are_absent(store):
    assert stored.results(TABLE, PAPER, None, store).readings == {}
    run(store, without_pictures())
    assert stored.results(TABLE, PAPER, None, store).readings == {}
    other = plan.tasks(TABLE, PAPER, 1, "small noisy")
    engine.Engine(TABLE, other, store, None).run()
    assert list(stored.results(TABLE, PAPER, None, store).readings) == ["small noisy"]


def test_arrays_that_are_damaged_are_absent_and_made_again(store, tmp_path, capsys):
    run(store)
    before = report.csv(stored.results(TABLE, PAPER, None, store))
    (file,) = next(store.root.glob("*noisy*")).glob(f"measures/{ID}/result.npz")
    sound = file.read_bytes()
    file.write_bytes(sound[:-20])
    assert "small noisy" not in stored.results(TABLE, PAPER, None, store).readings
    assert f"{file} has" in capsys.readouterr().err
    assert run(store) == []
    assert lines(tmp_path, "train") == len(ROWS)
    assert lines(tmp_path, "sweep") == len(ROWS) + 1
    assert file.read_bytes() == sound
    assert report.csv(stored.results(TABLE, PAPER, None, store)) == before


@pytest.fixture
def real_pictures(monkeypatch, fake_environment):
    """The fake table's pictures are pretended; these are not."""
    monkeypatch.setattr(report, "plot", plot)


@pytest.mark.usefixtures("real_pictures")
def test_a_published_store_draws_the_same_bytes(store, tmp_path):
    run(store, seeds=2)
    found = stored.write(stored.results(TABLE, PAPER, None, store), store.reports)
    target = Store(tmp_path / "published")
    published = stored.publish(TABLE, PAPER, None, store, target)
    redrawn = stored.write(stored.results(TABLE, PAPER, None, target), tmp_path / "again")
    names = [path.name for path in found]
    suffixes = {SERIES: ("png", "pdf", "csv"), HEAT_MAP: ("png", "pdf", "csv"), PAIRS: ("csv",)}
    assert names[5:] == [
        f"tiny.paper.{picture.name}.{suffix}"
        for picture, some in suffixes.items()
        for suffix in some
    ]
    for copy in (published, redrawn):
        assert [path.name for path in copy] == names
        assert [path.read_bytes() for path in copy] == [path.read_bytes() for path in found]


def test_the_line_of_progress_of_a_measure_speaks_of_that_measure_alone(store):
    task, *others = plan.tasks(TABLE, PAPER, 1, None)
    work = engine.Engine(TABLE, [task, *others], store, None)
    assert work.position(plan.Status(task), None, [(0.0, 2), (9.0, 2)], 8, "rate 2") == (
        "small natural: rate 2, 25 %"
    )
    assert work.position(plan.Status(task), None, [(0.0, 2), (10.0, 4)], 8, "rate 4") == (
        "small natural: rate 4, 50 %, 20 s left"
    )


def test_the_speed_of_a_measure_is_its_own(store, monkeypatch):
    (task, *_) = plan.tasks(TABLE, PAPER, 1, "small natural")
    work = engine.Engine(TABLE, [task], store, None)
    said: list[str] = []
    monkeypatch.setattr(work.progress, "update", said.append)
    assert work.run() == []
    first = next(line for line in said if "rate 1" in line)
    assert first == "small natural: rate 1, 25 %"
    assert [line.split(",")[0] for line in said[-4:]] == [
        f"small natural: rate {n}" for n in (1, 2, 3, 4)
    ]


def test_of_a_trained_run_the_rest_of_the_table_is_known_too(store):
    task, *others = plan.tasks(TABLE, PAPER, 1, None)
    work = engine.Engine(TABLE, [task, *others], store, None)
    later = [plan.Status(other, trained=True) for other in others]
    trained = plan.Status(task, trained=True)
    line = work.position(trained, later, [(0.0, 2), (10.0, 4)], 8, "rate 4")
    assert line.startswith("small natural: rate 4, 50 %, 20 s left; ")
    assert line.endswith(" for all")
