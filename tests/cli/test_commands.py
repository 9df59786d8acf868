"""The commands `privacy` and `audit`."""

from __future__ import annotations

import re

import pytest

from ftnoise import audit
from ftnoise.privacy import Mechanism, statement

PAPER = ["--batch", "250", "--epochs", "60", "--examples", "60000"]


def test_privacy_of_poisson_batches(ftnoise):
    code, out, err = ftnoise("privacy", "--noise-multiplier", "1.1", *PAPER)
    assert (code, err) == (0, "")
    assert "14400 steps, delta 1e-05" in out
    assert "added or removed" in out
    for number in ("2.35", "2.562", "2.97"):
        assert number in out
    assert out.count("vacuous") == 2
    assert "Assumes" in out


def test_privacy_of_shuffled_batches(ftnoise):
    code, out, _ = ftnoise("privacy", "--noise-multiplier", "1.1", *PAPER, "--sampler", "shuffled")
    assert code == 0
    assert "at most                54.05" in out
    assert "at least                      10.7" in out
    assert "NO guarantee" in out


def test_privacy_finds_the_noise(ftnoise):
    code, out, _ = ftnoise("privacy", "--target-epsilon", "2.35", *PAPER)
    assert code == 0
    assert out.startswith("Noise multiplier 1.1")
    (noise,) = re.findall("Noise multiplier ([0-9.]+)", out)
    # The noise that is printed reaches the target.
    _, again, _ = ftnoise("privacy", "--noise-multiplier", noise, *PAPER)
    assert again == out
    (epsilon,) = re.findall("sound value +([0-9.]+)", out)
    assert 2.34 < float(epsilon) <= 2.35


@pytest.mark.parametrize("noise", ["0.05", "0.5", "1.1", "5", "123.4"])
def test_epsilons_are_rounded_up_and_lower_bounds_down(ftnoise, noise):
    for sampler in ("poisson", "shuffled"):
        found = statement(
            Mechanism(
                noise_multiplier=float(noise),
                batch_size=250,
                examples=60_000,
                steps=14_400,
                sampler=sampler,
            )
        )
        _, out, _ = ftnoise("privacy", "--noise-multiplier", noise, *PAPER, "--sampler", sampler)
        (printed,) = re.findall("(?:sound value|at most) +([0-9.e+]+)", out)
        assert found.epsilon <= float(printed) <= 1.001 * found.epsilon
        if sampler == "shuffled":
            (least,) = re.findall("at least +([0-9.e+]+)", out)
            assert 0.999 * found.low <= float(least) <= found.low


def test_several_releases_compose(ftnoise):
    _, out, _ = ftnoise("privacy", "--noise-multiplier", "1.1", *PAPER)
    assert "N equal ones to the epsilon of N times the epochs" in out
    _, three, _ = ftnoise("privacy", "--noise-multiplier", "1.1", *PAPER, "--epochs", "180")
    assert "4.34" in three


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["privacy"], "required"),
        (["privacy", "--noise-multiplier", "0", *PAPER], "noise_multiplier > 0"),
        (["privacy", "--noise-multiplier", "nan", *PAPER], "noise_multiplier > 0"),
        (["privacy", "--noise-multiplier", "x", *PAPER], "invalid float value: 'x'"),
        (["privacy", "--target-epsilon", "-1", *PAPER], "target_epsilon > 0"),
        (
            ["privacy", "--noise-multiplier", "1", "--target-epsilon", "1", *PAPER],
            "not allowed with",
        ),
        (["privacy", "--noise-multiplier", "1", *PAPER, "--delta", "2"], "delta in (0, 1)"),
        (["privacy", "--noise-multiplier", "1", *PAPER, "--batch", "0"], "batch_size in 1 to"),
        (["privacy", "--noise-multiplier", "1", *PAPER, "--epochs", "0"], "epochs > 0"),
        (["privacy", "--noise-multiplier", "1", *PAPER, "--epochs", "inf"], "epochs > 0"),
        (["privacy", "--noise-multiplier", "1", *PAPER, "--sampler", "x"], "invalid choice: 'x'"),
        (["audit", "--steps", "1"], "steps in 2 to 1000"),
        (["audit", "--noise-multiplier", "1e300"], "in 0.001 to 10000"),
        (["audit", "--canaries", "1000000"], "in 100 to 10000"),
        (["audit", "--delta", "1e-320"], "1e-100 or more"),
        (
            ["privacy", "--noise-multiplier=1", "--batch=1", "--epochs=1e308", "--examples=9"],
            "epochs of 9 steps that make 1e+07 steps at most",
        ),
        (
            ["privacy", "--noise-multiplier=1", "--batch=1", "--epochs=1", f"--examples={10**99}"],
            "examples in 1 to 1000000000000",
        ),
        (["audit", "--canaries", "3"], "canaries an even number"),
        (["audti"], "Did you mean 'audit'?"),
        (["privcy"], "Did you mean 'privacy'?"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(ftnoise, words, line):
    code, out, err = ftnoise(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert line in err


def test_audit(ftnoise, monkeypatch):
    code, out, _ = ftnoise("audit", "--canaries", "1000")
    assert code == 0
    assert "4.377" in out
    assert "Nothing contradicts the claim." in out
    found = audit.Audit(epsilon=9.0, claim=4.0, delta=1e-5, most=20.0, correlation=1.0)
    monkeypatch.setattr(audit, "audit", lambda **arguments: found)
    code, out, _ = ftnoise("audit")
    assert code == 1
    assert "THE CLAIM DOES NOT HOLD." in out


def test_an_audit_that_cannot_contradict_the_claim_is_no_test(ftnoise):
    code, out, _ = ftnoise("audit", "--canaries", "100", "--noise-multiplier", "0.5")
    assert code == 0
    assert "NOT TESTED: 100 canaries can show at most" in out
