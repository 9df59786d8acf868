"""A table from Python, on the fake table: what is trained, what comes back, what is refused."""

from __future__ import annotations

import pytest

import ftnoise
from ftnoise.core.errors import BadInput, RunFailed
from tests.fake import TABLE


@pytest.fixture
def trained(fake_environment, quick_disk, tmp_path):
    """Reproduces in `tmp_path / "runs"`; and the trainings until now."""

    def reproduce(experiment=TABLE, **settings):
        return ftnoise.reproduce(experiment, runs=tmp_path / "runs", **settings)

    def trainings():
        lines = (tmp_path / "log").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith("train")]

    return reproduce, trainings


def test_a_table_is_trained_once_and_comes_back_as_numbers_and_text(trained, tmp_path):
    reproduce, trainings = trained
    found = reproduce(seeds=2)
    assert len(trainings()) == 6
    lines = found.lines
    assert list(lines["row"]) == [row.name for row in TABLE.rows]
    assert list(lines["seeds"]) == [2, 2, 2]
    assert list(lines["paper"]) == [1.5, 1.5, 1.5]
    assert list(lines["difference"]) == pytest.approx(list(lines["ours"] - lines["paper"]))
    assert "A table for tests" in str(found)
    again = reproduce("tiny", seeds=2)
    assert again.lines.equals(lines)
    assert len(trainings()) == 6
    paths = found.write(tmp_path / "out")
    assert {path.suffix for path in paths} == {".md", ".html", ".tex", ".csv", ".png", ".pdf"}


def test_rows_and_presets_limit_it(trained):
    reproduce, trainings = trained
    found = reproduce("tiny", rows="*noisy", preset="smoke")
    assert len(trainings()) == 1
    assert list(found.lines["row"]) == ["small noisy"]
    assert list(found.lines["seeds"]) == [1]
    assert found.results.preset == "smoke"


def test_a_run_that_fails_is_an_error_and_the_others_are_kept(trained, monkeypatch):
    reproduce, trainings = trained
    monkeypatch.setenv("FAKE_FAILS", "noisy=run")
    with pytest.raises(RunFailed, match=r"1 of 3 runs failed, the first: The loss is no longer"):
        reproduce()
    monkeypatch.delenv("FAKE_FAILS")
    assert reproduce().lines["ours"].notna().all()
    assert len(trainings()) == 4


@pytest.mark.parametrize(
    ("experiment", "settings", "message"),
    [
        ("tyni", {}, r"an experiment \(tiny\)\. Received: .tyni."),
        ("nowhere/mine.py", {}, "a Python file"),
        (3, {}, "experiment to be an experiment or its name"),
        (TABLE, {"preset": "fast"}, "preset of tiny in paper, quick, smoke"),
        (TABLE, {"rows": "none"}, "rows to match one of"),
        (TABLE, {"seeds": 0}, "seeds to be an integer >= 1"),
    ],
)
def test_a_wrong_argument_is_one_line(trained, experiment, settings, message):
    reproduce, _ = trained
    with pytest.raises(BadInput, match=message) as error:
        reproduce(experiment, **settings)
    assert "\n" not in str(error.value)


def test_a_runs_folder_has_to_be_a_path():
    with pytest.raises(BadInput, match="runs to be a path"):
        ftnoise.reproduce(TABLE, runs=3)
