"""`ftnoise inject` as reliability engineers use it: maps, hardening, the worst case, FIT."""

from __future__ import annotations

import json

import numpy as np
import pytest

FLIPS = "parameters,stored=int8:bit_flip:n=1"


def told(own, *words, fault=FLIPS):
    return own(*words, fault=fault)


def test_a_map_of_bits(own, tmp_path):
    code, out, _ = told(own, "--map", "bits", "--trials", "3", "--out", str(tmp_path / "map"))
    assert code == 0
    assert "single flips by bits: 60 examples" in out
    assert "worst flips of those tried" in out
    form = json.loads((tmp_path / "map" / "map.json").read_text())
    assert form["by"] == "bits"
    assert all(line["trials"] <= 3 for line in form["lines"])
    # Asked again, it is read from the folder.
    again = told(own, "--map", "bits", "--trials", "3", "--out", str(tmp_path / "map"))
    assert again[1] == out
    assert "Cached" in again[2]


def test_a_map_of_layers(own, tmp_path):
    code, out, _ = told(own, "--map", "layers", "--trials", "3", fault="weights:stuck_at_zero:0.5")
    assert code == 0
    assert "50 % by layers" in out


def test_the_worst_case(own, tmp_path):
    code, out, _ = told(own, "--worst", "1", "--most-flips", "2", "--out", str(tmp_path / "worst"))
    assert code == 0
    assert "with 2 flips the accuracy" in out
    assert len(json.loads((tmp_path / "worst" / "worst_case.json").read_text())["flips"]) == 2


def test_hardening_in_the_same_trials(own, tmp_path):
    code, out, _ = told(
        own, "--harden", "zero=channel", "--trials", "4", "--out", str(tmp_path / "h")
    )
    assert code == 0
    assert "Hardened, activations zeroed outside their range per channel" in out
    assert "against as it is (second)" in out
    assert "times as long. Ranges of d.npz." in out
    assert (tmp_path / "h" / "activations-zeroed-outside-their-range-per-channel").is_dir()


def test_protected_parameters(own, tmp_path):
    code, out, _ = told(
        own, "--harden", "protect=50%+100%", "--trials", "4", "--out", str(tmp_path / "p")
    )
    assert code == 0
    assert "100 % protected (first) against as it is (second)" in out
    form = json.loads((tmp_path / "p" / "100-protected" / "injection.json").read_text())
    assert form["lines"][-1]["accuracy"] == form["golden_accuracy"]


def test_fit_is_the_share_of_sdc_times_upsets(own, tmp_path):
    code, out, _ = told(own, "--fit-per-mbit", "1000", "--out", str(tmp_path / "fit"))
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
    ("words", "fault", "line"),
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
        (["--ranges", "d.npz"], FLIPS, "Expected --harden with --ranges."),
        (["--fit-per-mbit", "0"], FLIPS, "fit_per_mbit > 0"),
        (["--fit-per-mbit", "9"], "parameters:bit_flip:n=1", "single flips of stored bits for FIT"),
    ],
)
def test_wrong_words_are_one_line(own, words, fault, line):
    code, out, err = told(own, *words, fault=fault)
    assert code == 2
    assert out == ""
    assert line in err.splitlines()[-1]
