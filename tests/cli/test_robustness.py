"""`ftnoise robustness` from the command line: what it prints, writes, keeps and refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

COMMON = {"command": "robustness", "radius": "0.05,0.2", "low": "-9", "high": "9", "tolerance": "0"}


def test_a_table_a_curve_and_a_json(own, tmp_path):
    code, out, err = own("--out", "there", "--budget", "3", **COMMON)
    assert code == 0, err
    assert "R: " in out
    assert "60 of 60 examples" in out
    folder = tmp_path / "there"
    kinds = ("csv", "json", "npz", "pdf", "png")
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != ".")
    assert names == [f"robustness.{kind}" for kind in kinds]
    found = json.loads((folder / "robustness.json").read_text())
    assert [line["radius"] for line in found["lines"]] == [0.05, 0.2]
    assert found["settings"]["budget"] == "3"
    assert len((folder / "robustness.csv").read_text().splitlines()) == 3
    code, again, err = own("--out", "there", "--budget", "3", **COMMON)
    assert (code, again) == (0, out)
    assert "Cached" in err
    code, _, err = own("--out", "there", "--budget", "4", **COMMON)
    assert code == 2
    assert "another model, data or settings" in err


def test_a_plan_measures_few_examples_and_writes_nothing(own, tmp_path):
    code, out, _ = own("--plan", **COMMON | {"tolerance": "0.3"})
    assert code == 0
    assert out.startswith("21 of 60 examples, for R within 0.3 with 95 % confidence")
    assert not (tmp_path / "runs").exists()


def test_a_plan_counts_the_seconds_of_the_verifier_once(own):
    code, out, _ = own("--plan", "--budget", "3000s", **COMMON)
    assert code == 0
    minutes = re.search(r"At most about (\d+) min for 2 radii", out)
    assert minutes
    assert 50 <= int(minutes[1]) < 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radius": "x"}, "expected numbers, such as"),
        ({"radius": "-1"}, "radius > 0"),
        ({"radius": "nan"}, "radius > 0"),
        ({"tolerance": "1"}, "tolerance in [0, 1)"),
        ({"tolerance": "0.01"}, "at most the 60 examples"),
        ({"confidence": "0"}, "--confidence in percent"),
        ({"data": "none.npz"}, "no such file"),
        ({"data": "two.npz"}, "one input"),
        ({"function": "two", "data": "two.npz"}, "one input"),
        ({"function": "broken"}, "finite outputs"),
        ({"function": "words"}, "can compute"),
        ({"low": "5"}, "examples in [5, 9]"),
    ],
)
def test_bad_input_is_one_line(own, changes, message):
    code, out, err = own(**COMMON | changes)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if "error" in line]
    assert len(lines) == 1
    assert message in lines[0]


def test_uint8_examples_are_divided_by_255(own, tmp_path, data):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 5), np.uint8)
    np.savez(tmp_path / "uint8.npz", x=pixels, y=data[1])
    np.savez(tmp_path / "float.npz", x=np.divide(pixels, 255, dtype=np.float32), y=data[1])
    unit = COMMON | {"low": None, "high": None, "budget": "0"}
    (code, out, _), (_, same, _) = (own(**unit, data=f"{name}.npz") for name in ("uint8", "float"))
    assert code == 0
    assert out.splitlines()[:-1] == same.splitlines()[:-1]
