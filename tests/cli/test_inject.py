"""`ftnoise inject`: a table, a curve and a JSON of a user's own model, and what is refused."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from ftnoise.commands import inject

from ftnoise.campaigns import keeping
from ftnoise.campaigns.injection import Injection
from ftnoise.core import files
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.store.folders import Store
from tests.campaigns.made import examples, model

FAULT = "weights:stuck_at_zero:0.5"
SOURCE = """
import numpy as np
from tests.campaigns.made import model

def build():
    print("a word of the user's")
    return model()

def fails():
    raise ValueError("two\\nlines")

def leaves():
    raise SystemExit("usage: own")

def needs(more):
    return more

def nothing():
    pass

def unbuilt():
    import keras
    return keras.Sequential([keras.layers.Dense(3)])

def subclass():
    import keras
    class Own(keras.Model):
        pass
    return Own()

def broken():
    found = model()
    found.layers[-1].bias.assign([0, np.nan, 0])
    return found

def two():
    import keras
    inputs = [keras.Input((5,)), keras.Input((5,))]
    outputs = keras.layers.Dense(3)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, outputs, name="two")

def words():
    import keras
    layers = [keras.layers.InputLayer((5,)), keras.layers.Embedding(4, 2), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(3)])

text = "no function"
"""
NUMBERS = itertools.count()
PICTURE = keeping.picture


@pytest.fixture(scope="module")
def data():
    return examples(model())


@pytest.fixture(scope="module")
def weights():
    return model().get_weights()


@pytest.fixture
def own(ftnoise, tmp_path, monkeypatch, data, weights):
    """Runs `ftnoise inject` on a model of a module in the current folder, a new one each time."""
    name = f"own_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    x, y = data
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "two.npz", x_0=x, x_1=x, y_0=y, y=y)
    np.savez(tmp_path / "w.npz", *weights)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(inject, "RUNS", tmp_path / "runs")
    # Drawing takes longer than all the rest.
    monkeypatch.setattr(keeping, "picture", lambda found: {"png": b"a picture", "pdf": b"another"})

    def run(*words, function="build", **changes):
        given = {"model": f"{name}:{function}", "data": "d.npz", "fault": FAULT, "masks": "4"}
        if any(word.startswith("--half-width") for word in words):
            del given["masks"]
        flags = [f"--{flag}={value}" for flag, value in {**given, **changes}.items() if value]
        return ftnoise("inject", *flags, *words)

    yield run
    sys.modules.pop(name, None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bad")
    x, y = data
    (folder / "folder").mkdir()
    (folder / "text.npz").write_text("text")
    (folder / "bad_one.py").write_text("1 / 0")
    (folder / "bad_two.py").write_text("def build(:")
    (folder / "bad_three.py").write_text("import nowhere")
    given = {
        "many": {"x": np.full_like(x, 9), "y": y},
        "pickled": {"x": np.array([{}] * 60, object), "y": y},
        "labels": {"x": x, "y": y + 1},
        "fewer": {"x": x, "y": y[1:]},
        "shape": {"x": x[:, :3], "y": y},
        "nan": {"x": x * np.nan, "y": y},
    }
    for name, arrays in given.items():
        np.savez(folder / f"{name}.npz", **arrays)
    np.savez(folder / "other.npz", *model(units=9).get_weights())
    np.savez(folder / "half.npz", *model().get_weights()[:2])
    return folder


FILES = [f"injection.{suffix}" for suffix in ("csv", "json", "npz", "pdf", "png")]


def test_a_table_a_curve_and_a_json(own, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "picture", PICTURE)
    code, out, err = own("--weights", "w.npz")
    assert code == 0
    assert out.startswith("own, weights stuck at 0: 64 places, 60 examples, seed 0.\n")
    (folder,) = (tmp_path / "runs" / "injections").iterdir()
    assert folder.name.startswith("own-")
    assert err.splitlines()[0] == "a word of the user's"
    assert err.splitlines()[-1].endswith(f"{folder}/injection: .json, .npz, .csv, .png, .pdf")
    found = contents(folder)
    assert sorted(found) == FILES
    form = json.loads(found["injection.json"])
    assert str(Injection.from_json(form)) == out.rstrip("\n")
    assert form["made_of"]["function"].endswith(":build")
    assert form["made_of"]["weights"] == form["digest"]
    assert form["made_of"]["versions"]["tensorflow"] == "2.15.1"
    assert folder.name == f"own-{form['identity'][:8]}"
    assert str(tmp_path).encode() not in found["injection.json"]
    assert found["injection.pdf"].startswith(b"%PDF")
    assert found["injection.png"].startswith(b"\x89PNG")
    table = pandas.read_csv(folder / "injection.csv")
    assert table["amount"].tolist() == ["10 %", "20 %", "30 %", "40 %", "50 %"]
    for name in ("accuracy", "low", "high", "silent_corruptions", "masks"):
        np.testing.assert_allclose(table[name], [line[name] for line in form["lines"]], rtol=1e-9)
    assert set(table["golden_accuracy"]) == {100.0}
    store = Store(tmp_path / "runs")
    assert list(store.begun()) == []
    with pytest.raises(BadInput):
        store.run("injections")


def test_the_same_words_are_answered_from_the_store(own, monkeypatch, tmp_path):
    _, out, _ = own("--out", "there")
    before = contents(tmp_path / "there")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").iterdir()}
    monkeypatch.setattr("ftnoise.campaigns.asking.ask", None)
    code, again, err = own("--out", "there", "--weights", "w.npz")
    assert (code, again) == (0, out)
    assert "asked before" in err
    assert contents(tmp_path / "there") == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").iterdir()} == times
    for name in ("injection.csv", "injection.pdf"):
        (tmp_path / "there" / name).unlink()
    assert own("--out", "there")[0] == 0
    assert contents(tmp_path / "there") == before


def test_other_words_are_another_campaign(own, tmp_path):
    for words in ([], ["--seed", "1"], ["--amounts", "n=1,n=3"], ["--confidence", "90"]):
        assert own(*words)[0] == 0
    assert len(list((tmp_path / "runs" / "injections").iterdir())) == 4


def test_a_damaged_answer_is_set_aside_and_made_again(own, tmp_path):
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


def test_masks_until_a_half_width(own):
    code, out, err = own("--half-width=9", "--max-masks=24", "--amounts=0.5", "--confidence=99")
    assert code == 0
    assert "inject: About " in err
    assert "hedged betting confidence sequence" in out
    assert "99 % interval" in out
    assert "WARNING: The half-width of 9 points was not reached at 50 % (24 masks)" in out


def test_a_plan(own, tmp_path):
    code, out, _ = own("--half-width=2", "--plan")
    assert code == 0
    assert "Masks for an interval of mean -+ 2 points with 95 % confidence:" in out
    assert not (tmp_path / "runs").exists()


def test_several_inputs(own):
    code, out, _ = own(function="two", data="two.npz", amounts="n=1")
    assert code == 0
    assert out.startswith("two, weights stuck at 0: 30 places")
    assert own(function="two")[0] == 2


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model": ""}, "the following arguments are required: --model"),
        ({"fault": ""}, "the following arguments are required: --fault"),
        ({"model": "own.py:build"}, "function, such as own:build. Received: 'own.py:build'."),
        ({"model": "own.py"}, "Expected a model as package.module:function, such as own:build"),
        ({"model": "no_such:build"}, "Expected a module no_such in the current folder"),
        ({"model": "bad_one:build"}, "ZeroDivisionError"),
        ({"model": "bad_two:build"}, "SyntaxError"),
        ({"model": "bad_three:build"}, "No module named 'nowhere'"),
        ({"function": "bild"}, "Expected a function bild in own_"),
        ({"function": "text"}, "Received: str."),
        ({"function": "fails"}, "Received: ValueError: two lines"),
        ({"function": "leaves"}, "Received: SystemExit: usage: own"),
        ({"function": "needs"}, "called without arguments. Received: TypeError"),
        ({"function": "nothing"}, "Sequential or functional keras.Model that is built (with an"),
        ({"function": "unbuilt"}, "Received: Sequential that is not built."),
        ({"function": "subclass"}, "Received: Own."),
        ({"function": "broken"}, "Expected finite outputs of own without faults. Received: NaN"),
        ({"function": "words", "data": "many.npz"}, "Expected examples that own_"),
        ({"data": "none.npz"}, "Expected --data to be an .npz file. Received: none.npz, no such"),
        ({"data": "folder"}, "Received: folder, a folder."),
        ({"data": "text.npz"}, "Expected text.npz to be a sound .npz. Received: BadZipFile"),
        ({"data": "w.npz"}, "w.npz: Expected arrays x and y, or x_test and y_test"),
        ({"data": "pickled.npz"}, "without pickled objects"),
        ({"data": "labels.npz"}, "Expected labels from 0 to 2 for own. Received: lowest=1, high"),
        ({"data": "fewer.npz"}, "Expected 60 integer labels, one for each example"),
        ({"data": "shape.npz"}, "Expected examples of shape [n, 5] for own"),
        ({"data": "nan.npz"}, "Expected examples that are finite numbers"),
        ({"weights": "none.npz"}, "Expected --weights to be an .npz file"),
        ({"weights": "text.npz"}, "Expected text.npz to be a sound .npz"),
        ({"weights": "d.npz"}, "arrays arr_0, arr_1, ..., as numpy.savez"),
        ({"weights": "pickled.npz"}, "Expected arrays arr_0"),
        ({"weights": "other.npz"}, "of shape [5, 8]. Received: shape [5, 9], so they are another"),
        ({"weights": "half.npz"}, "Expected half.npz to hold the 4 weights of own. Received: 2"),
        ({"fault": "weights"}, "Expected a fault WHERE"),
        ({"fault": "wheels:stuck_at_zero:1"}, "Expected where to be one of neurons"),
        ({"fault": "weights:stuck:1"}, "Expected what to be one of"),
        ({"fault": "weights:stuck_at_zero:1.5"}, "Expected rate in [0, 1]. Received: rate=1.5."),
        ({"fault": "weights:stuck_at_zero:-1"}, "Expected rate in [0, 1]"),
        ({"fault": "weights@dens:stuck_at_zero:1"}, "Expected a layer of own with weights (dense"),
        ({"fault": "neurons:stuck_at_zero:n=9"}, "Expected at most 8 faults. Received: faults=9."),
        ({"fault": "filters:stuck_at_zero:1"}, "Expected filters in own. Received: none."),
        ({"amounts": "0.1,few"}, "Expected a share to be a number. Received: 'few'."),
        ({"amounts": "0.1,,0.2"}, "Expected a share to be a number. Received: ''."),
        ({"amounts": "0.2,0.1"}, "Expected amounts that differ, and rise"),
        ({"amounts": "n=65"}, "Expected at most 64 faults"),
        ({"masks": "1"}, "Expected masks >= 2"),
        ({"masks": "x"}, "argument --masks: invalid int value: 'x'"),
        ({"half-width": "1"}, "not allowed with argument"),
        ({"masks": "", "half-width": "0"}, "Expected half_width in points, in (0, 100)"),
        ({"masks": "", "half-width": "nan"}, "Expected half_width in points, in (0, 100)"),
        ({"masks": "", "half-width": "1", "max-masks": "1"}, "Expected max_masks >= 2"),
        ({"max-masks": "0"}, "Expected --half-width with --max-masks"),
        ({"confidence": "100"}, "Expected --confidence in percent, in (0, 100). Received: 100."),
        ({"confidence": "nan"}, "Expected --confidence in percent"),
        ({"seed": "-1"}, "Expected seed an integer >= 0"),
        ({"fault": "neurons@0[8]:stuck_at_zero:1"}, "from 0 to 7. Received: indices=(8,)"),
        ({"out": "d.npz"}, "Expected --out to be a folder that can be written. Received: d.npz."),
        ({"out": "d.npz/there"}, "Expected --out to be a folder that can be written"),
    ],
    ids=lambda value: " ".join(map("=".join, value.items())) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(own, tmp_path, bad_files, changes, line):
    shutil.copytree(bad_files, tmp_path, dirs_exist_ok=True)
    code, out, err = own(**changes)
    said = [row for row in err.splitlines() if row != "a word of the user's"]
    assert (code, out, len(said)) == (2, "", 1), err
    assert said[0].startswith("ftnoise: error: ")
    assert line in said[0]
    assert not (tmp_path / "there").exists()
    sys.modules.pop("bad_one", None)


@pytest.mark.parametrize("flag", ["--plan", "--max-masks=9"])
def test_what_belongs_to_a_half_width_needs_one(own, flag):
    code, out, err = own(flag)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Expected --half-width with" in err


def test_the_folder_of_another_campaign_is_left_alone(own, tmp_path):
    own("--out", "there")
    before = contents(tmp_path / "there")
    code, out, err = own("--out", "there", "--seed", "1")
    assert (code, out) == (2, "")
    assert "Expected there to be empty or of this campaign" in err
    assert contents(tmp_path / "there") == before


def test_the_unfinished_work_of_another_campaign_is_left_alone(own, tmp_path, monkeypatch):
    monkeypatch.setattr("ftnoise.faults.sweep.SAVE_SECONDS", -1)
    monkeypatch.setattr(inject.Shown, "report", stops)
    assert own("--out", "there")[0] == 130
    before = contents(tmp_path / "there")
    assert sorted(before) == ["partial.json", "partial.npz"]
    assert own("--out", "there", "--seed", "1")[0] == 2
    assert contents(tmp_path / "there") == before


def stops(*arguments):
    raise KeyboardInterrupt


def test_ctrl_c_says_that_the_same_command_goes_on(own, monkeypatch):
    monkeypatch.setattr(inject.Shown, "report", stops)
    code, out, err = own()
    assert (code, out) == (130, "")
    assert err.endswith(
        "Stopped. What was finished is kept; the same command goes on from there.\n"
    )


def test_a_folder_in_which_another_process_works_is_one_line_and_exit_code_1(own, tmp_path):
    with files.locked(tmp_path / "there") as mine:
        assert mine
        code, out, err = own("--out", "there")
    assert (code, out) == (1, "")
    assert "Expected there to be free. Received: a folder in which another process" in err
    assert own("--out", "there")[0] == 0


def test_what_a_killed_process_left_is_removed_and_nothing_of_others(own, tmp_path):
    left, others = (tmp_path / place / ".ftnoise-0.tmp" for place in ("there", "there/run"))
    others.parent.mkdir(parents=True)
    for file in (left, others):
        file.write_text("half")
    assert own("--out", "there")[0] == 0
    assert not left.exists()
    assert others.exists()


def test_a_failed_check_is_one_line_and_exit_code_1(own, monkeypatch):
    def wrong(*arguments):
        raise RunFailed("Expected the campaign to agree with Keras. Received: not.")

    monkeypatch.setattr("ftnoise.faults.gates.gates", wrong)
    code, out, err = own()
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("ftnoise: error: Expected the campaign to agree")


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


def test_progress_says_what_is_left(monkeypatch):
    said = []
    shown = inject.Shown()
    monkeypatch.setattr(shown._progress, "update", said.append)
    times = iter([0.0, 10.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    shown.report(100, 1000, "")
    shown.report(200, 1000, "")
    assert said == ["inject: 100 of 1,000 masks", "inject: 200 of 1,000 masks, about 80 s left"]
