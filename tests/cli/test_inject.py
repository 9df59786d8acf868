"""`ftnoise inject`: a table, a curve and a JSON of a user's own model, and errors of one line."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from pathlib import Path

import numpy as np
import pandas
import pytest

from ftnoise.cli import own_model
from ftnoise.core import files
from ftnoise.core.errors import BadInput
from ftnoise.core.progress import Progress, reporting
from ftnoise.store.folders import Store
from ftnoise.user.result import InjectionResult
from tests.user.made import model


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


FIGURE = InjectionResult.figure
FILES = [f"injection.{suffix}" for suffix in ("csv", "json", "npz", "pdf", "png")]


def test_a_table_a_curve_and_a_json(own, tmp_path, monkeypatch):
    monkeypatch.setattr(InjectionResult, "figure", FIGURE)
    code, out, err = own("--weights", "w.npz")
    assert code == 0
    assert out.startswith("own, weights stuck at 0: 64 sites, 60 examples, seed 0.\n")
    (folder,) = (tmp_path / "runs" / "injections").iterdir()
    assert folder.name.startswith("own-")
    assert err.splitlines()[0].startswith("inject: reading d.npz, then loading TensorFlow")
    assert err.splitlines()[1] == "printed by the user"
    assert err.splitlines()[-1].endswith(f"{folder}/injection: .json, .npz, .csv, .png, .pdf")
    found = contents(folder)
    assert sorted(found) == FILES
    form = json.loads(found["injection.json"])
    assert form["function"].endswith(":build")
    assert form["scaling"] == "none"
    assert form["versions"]["tensorflow"] == "2.15.1"
    assert folder.name == f"own-{form['identity'][:8]}"
    assert str(tmp_path).encode() not in found["injection.json"]
    assert found["injection.pdf"].startswith(b"%PDF")
    assert found["injection.png"].startswith(b"\x89PNG")
    table = pandas.read_csv(folder / "injection.csv")
    assert table["rate"].tolist() == ["10 %", "20 %", "30 %", "40 %", "50 %"]
    for name in ("accuracy", "low", "high", "sdc_rate", "sdc_rate_low", "trials"):
        np.testing.assert_allclose(table[name], [line[name] for line in form["lines"]], rtol=1e-9)
    assert set(table["golden_accuracy"]) == {100.0}
    store = Store(tmp_path / "runs")
    assert list(store.begun()) == []
    with pytest.raises(BadInput):
        store.run("injections")


def test_uint8_examples_are_divided_by_255(own, tmp_path, data):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 5), np.uint8)
    np.savez(tmp_path / "uint8.npz", x=pixels, y=data[1])
    np.savez(tmp_path / "float.npz", x=np.divide(pixels, 255, dtype=np.float32), y=data[1])
    (code, out, _), (_, same, _) = (own(data=f"{name}.npz") for name in ("uint8", "float"))
    assert code == 0
    assert out.splitlines()[-1] == "Scaling of the examples: uint8 examples divided by 255."
    assert out.splitlines()[:-1] == same.splitlines()[:-1]


def test_the_same_campaign_is_answered_from_the_store(own, monkeypatch, tmp_path):
    _, out, _ = own("--out", "there")
    before = contents(tmp_path / "there")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").glob("[!.]*")}
    monkeypatch.setattr("ftnoise.user.inject.measured", None)
    code, again, err = own("--out", "there", "--weights", "w.npz")
    assert (code, again) == (0, out)
    assert "Cached: this was measured before." in err
    assert contents(tmp_path / "there") == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").glob("[!.]*")} == times
    for name in ("injection.csv", "injection.pdf"):
        (tmp_path / "there" / name).unlink()
    assert own("--out", "there")[0] == 0
    assert contents(tmp_path / "there") == before


def test_other_settings_are_another_campaign(own, tmp_path):
    for argv in ([], ["--seed", "1"], ["--rates", "n=1,n=3"], ["--confidence", "90"]):
        assert own(*argv)[0] == 0
    assert len(list((tmp_path / "runs" / "injections").iterdir())) == 4
    assert own("--examples-per-call", "7")[0] == 0
    assert own("--examples-per-call", "0")[0] == 2


def test_a_damaged_result_is_set_aside_and_made_again(own, tmp_path):
    own("--out", "there")
    before = contents(tmp_path / "there")
    (tmp_path / "there" / "injection.json").write_bytes(before["injection.json"][:-9])
    code, _, err = own("--out", "there")
    assert code == 0
    assert "set aside" in err
    after = contents(tmp_path / "there")
    assert after.pop("injection.json.damaged") == before["injection.json"][:-9]
    assert after.pop("injection.npz.damaged") == before["injection.npz"]
    assert after == before


def test_trials_until_a_half_width(own):
    code, out, _ = own("--half-width=9", "--max-trials=24", "--rates=0.5", "--confidence=99")
    assert code == 0
    assert "hedged betting confidence sequence" in out
    assert "99 % interval" in out
    assert "WARNING: The half-width of 9 points was not reached at 50 % (24 trials)" in out


def test_a_plan(own, tmp_path):
    code, out, _ = own("--half-width=2", "--plan")
    assert code == 0
    assert "Trials for an interval of mean -+ 2 points with 95 % confidence:" in out
    assert not (tmp_path / "runs").exists()


def test_several_inputs(own):
    code, out, _ = own(function="two", data="two.npz", rates="n=1")
    assert code == 0
    assert out.startswith("two, weights stuck at 0: 30 sites")
    assert own(function="two")[0] == 2


def test_two_files_of_weights_are_compared_under_the_same_trials(own, tmp_path):
    argv = ["--trials=5", "--rates=0.2,0.5", "--against=w2.npz"]
    code, out, err = own(*argv, "--weights=w.npz")
    assert code == 0, err
    assert out.count("own, weights stuck at 0: 64 sites, 60 examples, seed 0.") == 2
    table = out[out.index("w.npz (first) against w2.npz (second), weights stuck at 0") :]
    assert [line.split()[:3] for line in table.splitlines() if "%" in line][1:3] == [
        ["20", "%", "5"],
        ["50", "%", "5"],
    ]
    assert len(list((tmp_path / "runs" / "injections").iterdir())) == 2
    # What is stored is compared again.
    code, again, err = own(*argv, "--weights=w.npz")
    assert (code, again) == (0, out)
    assert err.count("Cached") == 2
    assert own(*argv, "--out=there")[0] == 0
    for folder in ("there", "there/against"):
        form = json.loads((tmp_path / folder / "injection.json").read_text())
        names = [entry["name"] for entry in form["array_file"]["entries"]]
        assert {"correct", "golden", "trials", "y"} <= {*names}
        with np.load(tmp_path / folder / "injection.npz") as stored:
            packed = stored[f"arr_{names.index('correct')}"]
        right = np.unpackbits(packed, axis=1, count=60).mean(axis=1)
        assert 100 * right[:5].mean() == pytest.approx(form["lines"][0]["accuracy"])


def test_code_that_changes_the_folder_changes_no_path(own, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    files = ["--weights=w.npz", "--against=w2.npz", "--out=there"]
    code, _, err = own(*files, function="moves")
    assert code == 0, err
    assert sorted(contents(tmp_path / "there" / "against")) == ["comparison.json", *FILES]
    assert [*(tmp_path / "elsewhere").iterdir()] == []


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_weights_that_keras_wrote(own, tmp_path, weights, suffix):
    network = model()
    network.set_weights([weight + 0.1 for weight in weights])
    getattr(network, "save" if suffix == ".keras" else "save_weights")(tmp_path / f"w2{suffix}")
    code, out, err = own(f"--weights=w2{suffix}")
    assert code == 0, err
    assert out == own("--weights=w2.npz")[1]


def test_a_model_that_guesses_is_a_warning_before_the_trials(own, tmp_path, data):
    np.savez(tmp_path / "shifted.npz", x=data[0], y=(data[1] + 1) % 3)
    code, out, err = own(data="shifted.npz")
    assert code == 0
    for text in (out, err):
        assert "WARNING: The accuracy without faults is 0.00 %, and always predicting" in text


def test_help_describes_faults_and_scaling(ftnoise, capsys):
    with pytest.raises(SystemExit):
        ftnoise("inject", "--help")
    text = " ".join(capsys.readouterr().out.split())
    for part in ("WHERE:WHAT:RATE[:transient]", "such as 0.5 or 50% is a share", "divided by 255"):
        assert part in text


def test_a_rate_that_hits_nothing_is_a_warning(own):
    code, out, _ = own("--rates=0.001,0.5")
    assert code == 0
    assert "WARNING: No site was hit at 0.1 %, of 64 sites" in out


def test_the_folder_of_another_campaign_is_left_alone(own, tmp_path):
    own("--out", "there")
    before = contents(tmp_path / "there")
    code, out, err = own("--out", "there", "--seed", "1")
    assert (code, out) == (2, "")
    assert f"Expected {tmp_path / 'there'} to be empty or of this measurement" in err
    assert contents(tmp_path / "there") == before


def test_the_unfinished_work_of_another_campaign_is_left_alone(own, tmp_path, monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", -1.0)
    monkeypatch.setattr(own_model, "reporting", lambda words, limit: stops)
    assert own("--out", "there")[0] == 130
    before = contents(tmp_path / "there")
    partial = next((tmp_path / "there").glob("partial-*.json"))
    assert sorted(before) == [partial.name, f"{partial.stem}.npz"]
    assert own("--out", "there", "--seed", "1")[0] == 2
    assert contents(tmp_path / "there") == before


def stops(*arguments):
    raise KeyboardInterrupt


def test_ctrl_c_tells_how_to_resume(own, monkeypatch):
    monkeypatch.setattr(own_model, "reporting", lambda words, limit: stops)
    code, out, err = own()
    assert (code, out) == (130, "")
    assert err.endswith("Stopped. What was finished is kept; the same command resumes.\n")


def test_a_folder_in_which_another_process_works_is_one_line_and_exit_code_1(own, tmp_path):
    with files.locked(tmp_path / "there") as mine:
        assert mine
        code, out, err = own("--out", "there")
    assert (code, out) == (1, "")
    who = f"process {os.getpid()} on {socket.gethostname()}"
    assert f"there to be free. Received: a folder in which {who} works; wait for it" in err
    assert own("--out", "there")[0] == 0


def test_what_a_killed_process_left_is_removed_and_nothing_else(own, tmp_path):
    left, others = (tmp_path / place / ".ftnoise-0.tmp" for place in ("there", "there/run"))
    others.parent.mkdir(parents=True)
    for file in (left, others):
        file.write_text("half")
    assert own("--out", "there")[0] == 0
    assert not left.exists()
    assert others.exists()


def test_a_full_disk_is_one_line_and_exit_code_1(own, monkeypatch, tmp_path):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, out, err = own("--out", "there")
    assert code == 1
    assert out.startswith("own, weights")
    assert "No space left on device" in err.splitlines()[-1]
    assert contents(tmp_path / "there") == {}
    assert own("--out", "there")[0] == 0
    assert sorted(contents(tmp_path / "there")) == FILES


def test_progress_shows_the_time_left_of_each_part(monkeypatch):
    lines = []
    monkeypatch.setattr(Progress, "update", lambda progress, text: lines.append(text))
    report = reporting(lambda done, total, part: f"{part} {done} of {total}", "about ")
    times = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    report(100, 1000, "a")
    report(200, 1000, "a")
    report(10, 20, "b")
    assert lines == ["a 100 of 1000", "a 200 of 1000, about 80 s left", "b 10 of 20"]


# Their words change at each report.
@pytest.mark.parametrize(
    ("changes", "flags", "words"),
    [
        ({}, (), r"inject: \d+ of 20 trials, about"),
        (
            {"fault": "parameters,stored=int8:bit_flip:n=1", "trials": ""},
            ("--worst=1", "--most-flips=3"),
            r"worst case: \d of 3 flips, accuracy [\d.]+ %, at most",
        ),
    ],
)
def test_a_campaign_and_a_search_show_the_time_left(own, monkeypatch, changes, flags, words):
    lines = []
    monkeypatch.setattr(Progress, "update", lambda progress, text: lines.append(text))
    assert own(*flags, **changes)[0] == 0
    assert len(lines) > 2
    assert all(re.fullmatch(rf"{words} \d+ s left", line) for line in lines[1:])
