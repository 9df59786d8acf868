"""The scripts in `examples/` run, in a folder of their own, and print what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PRINTED = {
    "attack_at_three_radii": "accuracy %",
    "own_experiment": "The norm of the parameters grows",
    "own_model_under_faults": "stuck at 0",
    "private_training": "privacy_epsilon",
    "train_with_noise": "gaussian_noise",
}


def test_each_is_run_and_short():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PRINTED)
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 40, path.name


@pytest.mark.parametrize("name", PRINTED)
def test_it_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert PRINTED[name] in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} <= {
        *("runs", "cache", "digits.npz", "digits_under_faults.csv"),
    }
