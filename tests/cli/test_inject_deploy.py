"""`ftnoise inject --deploy`: the same flips in Keras and in TensorFlow Lite, side by side."""

from __future__ import annotations

import json

import pytest

FAULT = "parameters,stored=float16:bit_flip:n=9"


def test_both_ways_and_their_difference(own, tmp_path):
    flags = ["--weights=w2.npz", "--deploy=tflite-float16", "--trials=6", "--out=there"]
    code, out, err = own(*flags, fault=FAULT)
    assert code == 0, err
    assert out.count("own, bits of parameters in float16 flipped: 1,200 sites") == 1
    assert "own in TensorFlow Lite, bits of parameters in float16 flipped: 1,200 sites" in out
    table = out[out.index("w2.npz (first) against w2.npz in TensorFlow Lite (second)") :]
    none, row = (line.split() for line in table.splitlines()[4:6])
    assert (none[0], row[:3]) == ("none", ["9", "faults", "6"])
    assert abs(float(row[5])) < 1
    forms = [
        json.loads((tmp_path / "there" / name / "injection.json").read_text())
        for name in ("", "deployed")
    ]
    assert forms[0]["sites"] == forms[1]["sites"] == 1200
    assert forms[1]["checks"].startswith("without faults: the class of the Keras model")
    assert forms[0]["identity"] != forms[1]["identity"]
    code, again, err = own(*flags, fault=FAULT)
    assert (code, again) == (0, out)
    assert err.count("Cached") == 2


@pytest.mark.parametrize(
    "fault",
    [
        "parameters:bit_flip:n=9",
        "parameters,stored=float16:bit_flip=7:n=9",
        "parameters,stored=float16:stuck_at=0:n=9",
        "parameters,stored=int8:bit_flip:n=9",
        "filters,stored=float16:bit_flip:n=9",
        FAULT + ":transient",
    ],
)
def test_other_faults_are_one_line(own, fault):
    code, out, err = own("--deploy=tflite-float16", fault=fault)
    assert (code, out) == (2, "")
    assert "such as parameters,stored=float16:bit_flip:n=10. Received: fault=" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "received"),
    [
        (["--deploy=tflite-int4"], "argument --deploy: invalid choice: 'tflite-int4'"),
        (["--deploy=tflite-float16", "--against=w2.npz"], "--deploy without --against"),
        (["--deploy=tflite-float16", "--plan", "--half-width=2"], "--plan without --deploy"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(own, flags, received):
    code, out, err = own(*flags, fault=FAULT)
    assert (code, out) == (2, "")
    assert received in err
    assert len(err.splitlines()) == 1
