"""`ftnoise outcomes`: tables and files of logged predictions, and errors of one line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

CLEAN = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
NOISE = np.random.default_rng(1).normal(size=(8, 30, 6)).astype(np.float32)


@pytest.fixture
def logs(ftnoise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = CLEAN.argmax(axis=1)
    np.savez("g.npz", outputs=CLEAN, y=y)
    np.savez("f.npz", outputs=CLEAN + NOISE)
    np.savez("f2.npz", outputs=CLEAN + 0.1 * NOISE)
    np.savez("y.npz", y=(y + 1) % 6)

    def run(*argv, golden="g.npz", faulty="f.npz"):
        return ftnoise("outcomes", f"--golden={golden}", "--faulty", *faulty.split(), *argv)

    return run


def test_a_table_and_files(logs, tmp_path):
    code, out, err = logs("--out=there")
    assert code == 0, err
    assert out.startswith("30 examples, 6 outputs (logits), accuracy without faults 100.00 %.\n")
    titles = next(line for line in out.splitlines() if "SDC-1 " in line)
    assert re.split("  +", titles.strip())[1:] == [
        *("DUE", "SDC-1", "right to wrong", "SDC-5", "SDC-10%", "SDC-20%", "masked", "repaired")
    ]
    assert err.splitlines()[0].endswith("outcomes: reading g.npz, then loading TensorFlow.")
    form = json.loads((tmp_path / "there" / "outcomes.json").read_text())
    (line,) = form["lines"]
    assert line["sdc_1_rate_low"] < line["sdc_1_rate"] < line["sdc_1_rate_high"]
    assert (line["file"], line["trials"]) == ("f", 8)
    text = (tmp_path / "there" / "outcomes.csv").read_text()
    assert text.startswith("set,file,trials,accuracy,sd,low,high,")
    assert logs("--out=there")[:2] == (0, out)
    code, _, err = logs("--out=there", faulty="f2.npz")
    assert code == 2
    assert "to be empty or of this measurement" in err


def test_several_files_labels_and_a_comparison(logs, tmp_path):
    code, out, _ = logs("--against", "f2.npz", "f.npz", "--y=y.npz", faulty="f.npz f2.npz")
    assert code == 0
    assert "accuracy without faults 0.00 %" in out
    assert "f, f2" in out
    assert "Holm's correction for 6 comparisons" in out
    (folder,) = (tmp_path / "runs" / "outcomes").iterdir()
    assert folder.name.startswith("g-")
    assert len(json.loads((folder / "outcomes.json").read_text())["comparison"]) == 6


BAD = {
    "nan": {"outputs": np.where(CLEAN > 2, np.nan, CLEAN)},
    "flat": {"outputs": CLEAN[0]},
    "missing": {"logits": CLEAN},
    "pickled": {"outputs": np.array([{}] * 30, object)},
    "one": {"outputs": NOISE[:1]},
    "short": {"outputs": NOISE[:, 1:]},
    "wide": {"outputs": NOISE.astype(np.float64)},
    "words": {"outputs": CLEAN.astype(str)},
    "labels": {"outputs": CLEAN, "y": np.arange(30)},
    "no_y": {"x": CLEAN},
}


@pytest.mark.parametrize(
    ("argv", "changes", "received"),
    [
        ([], {"golden": "nan.npz"}, "nan.npz: Expected finite outputs without faults"),
        ([], {"golden": "flat.npz"}, "flat.npz: Expected outputs to be numbers with 2 axes"),
        ([], {"golden": "missing.npz"}, "Expected an array outputs. Received: arrays='logits'"),
        ([], {"golden": "pickled.npz"}, "pickled.npz to be a readable .npz"),
        ([], {"golden": "words.npz"}, "words.npz: Expected outputs to be numbers"),
        ([], {"golden": "text.npz"}, "text.npz to be a readable .npz"),
        ([], {"golden": "array.npy"}, "array.npy to be a readable .npz"),
        ([], {"golden": "nowhere.npz"}, "Expected --golden to be a file"),
        ([], {"golden": "labels.npz"}, "Expected labels from 0 to 5. Received: highest=29"),
        ([], {"faulty": "f.npz one.npz"}, "one.npz: Expected outputs [trials, 30, 6], at least 2"),
        ([], {"faulty": "short.npz"}, "Received: float32 of shape (8, 29, 6)"),
        ([], {"faulty": "wide.npz"}, "wide.npz: Expected the type of g.npz, float32"),
        (["--y=no_y.npz"], {}, "Expected an array y"),
        (["--against", "f.npz", "f2.npz"], {}, "as many files and trials against each other"),
        (["--probabilities"], {}, "g.npz: Expected probabilities, as was given"),
        (["--probabilities", "--logits"], {}, "not allowed with argument"),
        (["--threshold=0.5"], {}, "a threshold for a single output only"),
        (["--confidence=100"], {}, "Expected --confidence in percent"),
    ],
)
def test_bad_input_is_one_line(logs, tmp_path, argv, changes, received):
    for name, arrays in BAD.items():
        np.savez(f"{name}.npz", **arrays)
    (tmp_path / "text.npz").write_text("text")
    np.save("array.npy", CLEAN)
    code, out, err = logs(*argv, **changes)
    assert (code, out) == (2, "")
    assert received in err.splitlines()[-1]
    assert len(err.splitlines()) <= 2
    assert not (tmp_path / "runs").exists()
