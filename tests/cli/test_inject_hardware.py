"""`ftnoise inject` as reliability engineers use it: maps, hardening, the worst case, FIT."""

from __future__ import annotations

import json
import re
from csv import DictReader

import numpy as np
import pytest

from tests.cli.test_inject_errors import PROGRESS

FLIPS = "parameters,stored=int8:bit_flip:n=1"


def test_a_map_of_bits(own, tmp_path):
    code, out, _ = own(
        "--map", "bits", "--trials", "3", "--out", str(tmp_path / "map"), fault=FLIPS
    )
    assert code == 0
    assert "single flips by bits: 60 examples" in out
    assert "worst flips of those tried" in out
    form = json.loads((tmp_path / "map" / "map.json").read_text())
    assert form["by"] == "bits"
    assert all(line["trials"] <= 3 for line in form["lines"])
    # The second time, it is read from the folder.
    again = own("--map", "bits", "--trials", "3", "--out", str(tmp_path / "map"), fault=FLIPS)
    assert again[1] == out
    assert "Cached" in again[2]


def test_a_map_of_layers(own, tmp_path):
    code, out, _ = own("--map", "layers", "--trials", "3", fault="weights:stuck_at_zero:0.5")
    assert code == 0
    assert "50 % by layers" in out


def test_the_worst_case(own, tmp_path):
    code, out, _ = own(
        "--worst", "1", "--most-flips", "2", "--out", str(tmp_path / "worst"), fault=FLIPS
    )
    assert code == 0
    assert "with 2 flips the accuracy" in out
    assert len(json.loads((tmp_path / "worst" / "worst_case.json").read_text())["flips"]) == 2


def test_hardening_in_the_same_trials(own, tmp_path):
    flags = ["--harden", "zero=channel", "--trials", "4", "--out", str(tmp_path / "h")]
    code, out, _ = own(*flags, fault=FLIPS)
    assert code == 0
    assert "Hardened, activations zeroed outside their range per channel" in out
    assert "against as it is (second)" in out
    assert "times as long. Ranges of d.npz." in out
    folder = tmp_path / "h" / "activations-zeroed-outside-their-range-per-channel"
    form, plain = (
        json.loads((path / "injection.json").read_text()) for path in (folder, tmp_path / "h")
    )
    assert form["hardening"] == "activations zeroed outside their range per channel"
    assert "hardening" not in plain
    compared = json.loads((folder / "comparison.json").read_text())
    assert compared["names"] == [form["hardening"], "as it is"]
    assert compared["golden_accuracies"] == [form["golden_accuracy"], plain["golden_accuracy"]]
    (line,) = compared["lines"]
    gain = form["lines"][0]["accuracy"] - plain["lines"][0]["accuracy"]
    assert line["difference"] == pytest.approx(gain)
    assert 0 <= line["p_value"] <= line["adjusted_p_value"] <= 1
    assert f"takes {compared['time_ratio']:.2f} times" in out


def test_protected_parameters(own, tmp_path):
    flags = ["--harden", "protect=50%+100%", "--trials", "4", "--out", str(tmp_path / "p")]
    code, out, err = own(*flags, "--fit-per-mbit", "100", fault=FLIPS)
    assert code == 0
    assert "100 % protected (first) against as it is (second)" in out
    assert "so it is optimistic: --ranges names others." in out
    form = json.loads((tmp_path / "p" / "100-protected" / "injection.json").read_text())
    assert form["lines"][-1]["accuracy"] == form["golden_accuracy"]
    assert form["hardening"] == "100 % protected"
    assert (tmp_path / "p" / "50-protected" / "comparison.json").exists()
    texts = [line for line in out.splitlines() if line.startswith("FIT:")]
    found = [re.search("with (no ECC[^,]*), and stay", text)[1] for text in texts]
    assert found == [
        "no ECC",
        *(f"no ECC but for the {n} % of parameters protected" for n in (50, 100)),
    ]
    with (tmp_path / "p" / "protection.csv").open() as file:
        curve = [
            (float(line["protected"]), line["rate"], line["accuracy"]) for line in DictReader(file)
        ]
    assert {share for share, *_ in curve} == {0, 0.5, 1}
    assert all(
        float(accuracy) == pytest.approx(form["golden_accuracy"])
        for one, _, accuracy in curve
        if one == 1
    )
    assert re.search(r"100 % +\+200 % ", out)
    assert "protection: .csv, .png, .pdf" in err
    assert (tmp_path / "p" / "protection.png").stat().st_size > 5_000
    # Read from the folder, the text is the same.
    assert own(*flags, "--fit-per-mbit", "100", fault=FLIPS)[1] == out


def test_protection_by_the_sensitivity_on_other_examples(own, tmp_path, data):
    x, y = data
    np.savez(tmp_path / "train.npz", x=x[::-1] ** 2, y=y)
    flags = ["--harden", "protect=20%", "--trials", "4"]
    plain = own(*flags, "--out", str(tmp_path / "p"), fault=FLIPS)[1]
    code, out, _ = own(*flags, "--ranges", "train.npz", "--out", str(tmp_path / "q"), fault=FLIPS)
    assert code == 0
    assert "Sensitivity on train.npz." in re.sub(r"on \S*/", "on ", out)
    assert "optimistic" not in out
    assert "optimistic" in plain
    one, other = (
        json.loads((tmp_path / name / "20-protected" / "injection.json").read_text())["identity"]
        for name in "pq"
    )
    assert one != other


def test_fit_is_the_share_of_sdc_times_upsets(own, tmp_path):
    code, out, _ = own("--fit-per-mbit", "1000", "--out", str(tmp_path / "fit"), fault=FLIPS)
    assert code == 0
    assert "failures in 1e9 hours" in out
    assert "not the worst case" in out
    form = json.loads((tmp_path / "fit" / "injection.json").read_text())
    (line,) = form["lines"]
    factor = 1000 * form["sites"] / 2**20 / 100
    mean, low, high = form["fit"]
    np.testing.assert_allclose(mean, factor * line["sdc_1_rate"])
    assert low <= mean <= high


@pytest.mark.parametrize(
    ("arguments", "fault", "line"),
    [
        (["--map", "bits", "--worst", "50"], FLIPS, "Expected --map without --worst."),
        (["--map", "bits", "--against", "w.npz"], FLIPS, "Expected --map without --against."),
        (["--map", "bits", "--half-width", "1"], FLIPS, "a number of trials for a map"),
        (["--map", "bits"], "weights:stuck_at_zero:0.5", "single flips, n=1"),
        (["--worst", "0"], FLIPS, "an accuracy in percent, in (0, 100]"),
        (["--worst", "50", "--most-flips", "0"], FLIPS, "most_flips"),
        (["--worst", "50"], "parameters:bit_flip:n=1", "flips of any stored bit"),
        (["--most-flips", "3"], FLIPS, "Expected --worst with --most-flips."),
        (["--harden", "wrap"], FLIPS, "Expected a hardening: clamp, clamp=channel"),
        (["--harden", "protect=0"], FLIPS, "Received: 'protect=0'"),
        (["--harden", "protect=1%"], "parameters:bit_flip:n=1", "a stored format"),
        (["--harden", "protect=1%"], FLIPS.replace("parameters", "filters"), "not of filters"),
        (["--ranges", "d.npz"], FLIPS, "Expected --harden with --ranges."),
        (["--fit-per-mbit", "0"], FLIPS, "fit_per_mbit > 0"),
        (["--fit-per-mbit", "9"], "parameters:bit_flip:n=1", "single flips of stored bits for FIT"),
    ],
)
def test_wrong_arguments_are_one_line(own, arguments, fault, line):
    code, out, err = own(*arguments, fault=fault)
    assert code == 2
    assert out == ""
    assert line in err.splitlines()[-1]


NO_UNITS = "parameters,layers=flatten,stored=bfloat16:bit_flip:n=1"


@pytest.mark.parametrize(
    ("arguments", "changes", "line"),
    [
        (
            ["--map", "bits"],
            {"function": "words", "fault": NO_UNITS},
            "with parameters (embedding, dense). Received: 'flatten'.",
        ),
        (
            ["--map", "layers"],
            {"function": "words", "fault": NO_UNITS},
            "with parameters (embedding, dense). Received: 'flatten'.",
        ),
        (["--deploy", "own.tflite"], {}, "argument --deploy: invalid choice: 'own.tflite'"),
        ([], {"weights": "own.tflite"}, "own.tflite to be a readable .npz. Received: "),
        (["--harden", "clamp", "--ranges", "empty.npz"], {}, "at least one example"),
        (["--harden", "protect=1%", "--ranges", "empty.npz"], {}, "at least one example"),
        (
            [],
            {"function": "words"},
            "layers for int8. Received: layer='embedding, a Embedding'.",
        ),
        (
            [],
            {"fault": FLIPS.replace("bit_flip", "bit_flip=9")},
            "Expected a bit from 0 to 7 for dense/kernel, which is stored in int8.",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_one_line(own, tmp_path, data, arguments, changes, line):
    x, y = data
    np.savez(tmp_path / "empty.npz", x=x[:0], y=y[:0])
    (tmp_path / "own.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    code, out, err = own(*arguments, **{"fault": FLIPS, **changes})
    lines = [row for row in err.splitlines() if not row.startswith(PROGRESS)]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert line in lines[0]
