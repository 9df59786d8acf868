"""Report, publish and dry runs change no run, and an unreadable folder is an error."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftnoise.datasets.npz_file import NpzFile
from tests import fake


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


READING = [["report", "tiny"], ["tiny", "--dry-run"], ["publish", "tiny", "--to", "there"]]
reading = pytest.mark.parametrize("words", READING, ids=" ".join)


@reading
def test_a_runs_folder_that_is_a_file_is_an_error(ftnoise, tmp_path, words):
    (tmp_path / "runs").write_text("")
    code, out, err = ftnoise(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"Received: {tmp_path / 'runs'} (Not a directory)." in err


@reading
def test_an_unreadable_runs_folder_is_an_error(ftnoise, tmp_path, monkeypatch, words):
    scandir = os.scandir

    def locked_up(path: Path) -> Any:
        if path == tmp_path / "runs":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    ftnoise("tiny")
    monkeypatch.setattr(os, "scandir", locked_up)
    code, out, err = ftnoise(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"Received: {tmp_path / 'runs'} (Permission denied)." in err


@pytest.mark.parametrize("words", [*READING, ["tiny"]], ids=" ".join)
def test_an_unreadable_run_is_named_and_blocks_no_other(ftnoise, tmp_path, monkeypatch, words):
    ftnoise("tiny")
    (noisy,) = (tmp_path / "runs").glob("*noisy*")
    stat = os.stat

    def locked_up(path: Path, *arguments: Any, **options: Any) -> os.stat_result:
        if noisy in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", locked_up)
    code, out, err = ftnoise(*words)
    assert f"ftnoise: Could not read {noisy}/spec.json: Permission denied; not used.\n" in err
    assert "Traceback" not in err
    # Only a command that trains needs it.
    assert code == (1 if words == ["tiny"] else 0)
    assert ("1 of 3 runs failed" in err) == (words == ["tiny"])
    if words[-1] == "tiny":
        assert "1 of 3 numbers are missing" in out
    elif "publish" in words:
        assert len(list((tmp_path / "there").glob("*/spec.json"))) == 2
    else:
        assert "3 runs: 2 stored, 1 to train." in out


@reading
def test_a_run_whose_spec_has_another_shape_is_named_and_blocks_no_other(ftnoise, tmp_path, words):
    ftnoise("tiny")
    (file,) = (tmp_path / "runs").glob("*noisy*/spec.json")
    sound = json.loads(file.read_bytes())
    for change in ({"data": None}, {"run": []}, {"environment": "here"}):
        file.write_text(json.dumps(sound | change))
        code, _, err = ftnoise(*words)
        assert (code, "Traceback" in err) == (0, False)
        assert f"ftnoise: {file} is truncated or was changed; not used" in err
    # And is made again.
    assert ftnoise("tiny")[0] == 0
    assert ftnoise("report", "tiny")[0] == 0


@pytest.mark.parametrize("file", ["weights.npz", "spec.json", "measures/*/result.json"])
@reading
def test_reading_reports_damage_in_one_line_and_renames_nothing(ftnoise, tmp_path, words, file):
    ftnoise("tiny")
    (noisy,) = (tmp_path / "runs").glob("*noisy*")
    (damaged,) = noisy.glob(file)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    before = files(noisy)
    code, _, err = ftnoise(*words)
    assert code == 0
    (line,) = [line for line in err.splitlines() if line.startswith("ftnoise: ")]
    assert str(damaged) in line
    assert line.endswith("; not used, and made again by the next training.")
    assert files(noisy) == before


def test_what_a_run_of_somebody_else_says_commands_no_terminal(ftnoise, tmp_path):
    ftnoise("tiny")
    (file,) = (tmp_path / "runs").glob("*noisy*/spec.json")
    content = json.loads(file.read_bytes())
    content["data"]["source"] = content["environment"]["processor"] = "a\x1b]0;b\x07\nc"
    file.write_text(json.dumps(content))
    code, out, err = ftnoise("report", "tiny")
    assert code == 0
    assert r"a\x1b]0;b\x07\nc" in out
    written = [text.read_text() for text in (tmp_path / "runs/reports").glob("*.[mt]*")]
    for text in (out, err, *written):
        assert text.replace("\n", "").isprintable()


def test_a_report_that_cannot_be_written_is_exit_code_1_after_the_table(ftnoise, tmp_path):
    _, table, _ = ftnoise("tiny")
    shutil.rmtree(tmp_path / "runs/reports")
    (tmp_path / "runs/reports").write_text("in the way")
    for words in (["report", "tiny"], ["tiny"]):
        code, out, err = ftnoise(*words)
        assert (code, out) == (1, table)
        assert "ftnoise: error: The report is not written: Could not write" in err


def test_a_report_draws_what_is_stored_and_writes_the_same_files(ftnoise, tmp_path):
    _, out, _ = ftnoise("tiny")
    drawn = files(tmp_path / "runs/reports")
    for file in drawn:
        file.unlink()
    code, redrawn, err = ftnoise("report", "tiny")
    assert (code, redrawn) == (0, out)
    assert err.count("\n") == 1
    assert files(tmp_path / "runs/reports") == drawn


def test_publish_prints_the_files_that_it_wrote(ftnoise, tmp_path):
    ftnoise("tiny", "--seeds", "2")
    code, out, err = ftnoise("publish", "tiny", "--to", str(tmp_path / "there"))
    assert (code, err) == (0, "")
    assert [Path(line).name for line in out.splitlines()] == [
        f"tiny.paper.{suffix}"
        for suffix in ("md", "html", "tex", "csv", "png", "pdf", "curve.png", "curve.pdf")
    ]
    assert all(Path(line).is_file() for line in out.splitlines())
    assert ftnoise("report", "tiny")[1] == ftnoise("report", "tiny", at="there")[1]


def test_results_on_other_data_are_not_those_of_your_own(ftnoise, monkeypatch, tmp_path):
    def on(path):
        rows = [
            dataclasses.replace(row, run=dataclasses.replace(row.run, data=NpzFile(path=path)))
            for row in fake.TABLE.rows
        ]
        table = dataclasses.replace(fake.TABLE, rows=tuple(rows))
        monkeypatch.setattr("ftnoise.experiments.tiny.EXPERIMENT", table)

    def made(path, value):
        x, y = np.full((4, 2), value, np.float32), np.arange(4) % 2
        np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)

    def stored():
        codes = [
            ftnoise("tiny", "--dry-run")[1].split(" runs: ")[1][0],
            ftnoise("report", "tiny")[0],
        ]
        return [*codes, len(list((tmp_path / "runs").glob("*/weights.json")))]

    made("a.npz", 0.1)
    made("b.npz", 0.2)
    on("a.npz")
    ftnoise("tiny")
    assert stored() == ["3", 0, 3]
    on("b.npz")
    assert stored() == ["0", 2, 3]
    ftnoise("tiny")
    assert stored() == ["3", 0, 6]
    made("b.npz", 0.3)
    on("b.npz")
    assert stored() == ["0", 2, 6]
    Path("a.npz").unlink()
    on("a.npz")  # by its name, to draw a table again where the data no longer are
    assert stored() == ["3", 0, 6]
    on("c.npz")
    assert stored() == ["0", 2, 6]
