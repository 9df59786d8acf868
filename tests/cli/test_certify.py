"""`ftnoise certify` from the command line."""

from __future__ import annotations

import json

import pytest

COMMON = {"command": "certify", "sigma": "0.3"}


def test_a_table_a_curve_and_a_json(own, tmp_path):
    code, out, err = own("--out", "there", "--draws", "40", "--radius", "0.05,0.1", **COMMON)
    assert code == 0, err
    assert "60 examples, 40 draws each" in out
    kinds = ("csv", "json", "npz", "pdf", "png")
    names = sorted(path.name for path in (tmp_path / "there").iterdir() if path.name[0] != ".")
    assert names == [f"certification.{kind}" for kind in kinds]
    found = json.loads((tmp_path / "there" / "certification.json").read_text())
    assert [line["radius"] for line in found["lines"]] == [0.05, 0.1]
    code, again, err = own("--out", "there", "--draws", "40", "--radius", "0.05,0.1", **COMMON)
    assert (code, again) == (0, out)
    assert "Cached" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": "0"}, "sigma > 0"),
        ({"sigma": "nan"}, "sigma > 0"),
        ({"radius": "0.1,x"}, "expected numbers, such as"),
        ({"draws": "1"}, "draws"),
        ({"confidence": "100"}, "--confidence in percent"),
        ({"data": "two.npz"}, "one input"),
        ({"function": "broken"}, "finite outputs"),
    ],
)
def test_bad_input_is_one_line(own, changes, message):
    code, out, err = own(**COMMON | changes)
    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if "error" in line]
    assert message in line
