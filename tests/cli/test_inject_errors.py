"""Bad input of `ftnoise inject` is one line and leaves no files."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from ftnoise.core.errors import RunFailed
from tests.user.made import model

PROGRESS = ("printed by the user", "inject: reading ", "ftnoise: WARNING: The accuracy ")


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bad")
    x, y = data
    (folder / "text.npz").write_text("text")
    (folder / "program").touch(0o755)
    (folder / "bad_one.py").write_text("1 / 0")
    given = {
        "many": {"x": np.full_like(x, 9), "y": y},
        "pickled": {"x": np.array([{}] * 60, object), "y": y},
        "labels": {"x": x, "y": y + 1},
        "shape": {"x": x[:, :3], "y": y},
        "onehot": {"x": x, "y": np.eye(3)[y]},
        "holes": {"x": np.where(np.arange(300).reshape(60, 5) % 50 == 37, np.nan, x), "y": y},
        "names": {f"a\x1b[31m{n}": y for n in range(3_000)},
    }
    for name, arrays in given.items():
        np.savez(folder / f"{name}.npz", **arrays)
    weights = model().get_weights()
    weights[0][0, 1] = np.inf
    np.savez(folder / "holes_w.npz", *weights)
    np.savez(folder / "other.npz", *model(units=9).get_weights())
    return folder


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model": ""}, "the following arguments are required: --model"),
        ({"fault": ""}, "the following arguments are required: --fault"),
        (
            {"model": "own.py:build"},
            "for the function build of own.py. Received: 'own.py:build'.",
        ),
        ({"model": "no_such:build"}, "Received: ModuleNotFoundError: No module named 'no_such'"),
        ({"model": "bad_one:build"}, "ZeroDivisionError"),
        ({"function": "bild"}, "has no attribute 'bild'"),
        ({"function": "fails"}, "Received: ValueError: two lines"),
        ({"function": "leaves"}, "Received: SystemExit: usage: own"),
        ({"function": "needs"}, "returns a model without arguments. Received: TypeError"),
        (
            {"function": "nothing"},
            "a Sequential or functional Keras model that is built. Received: NoneType",
        ),
        ({"function": "unbuilt"}, "that is built. Received: Sequential"),
        ({"function": "subclass"}, "Received: Own own."),
        ({"function": "broken"}, "Expected finite outputs of own without faults. Received: NaN"),
        ({"function": "words", "data": "many.npz"}, "Expected examples that own_"),
        ({"data": "none.npz"}, "Expected --data to be a file. Received: none.npz, no such"),
        ({"data": "text.npz"}, "Expected text.npz to be a readable .npz. Received: "),
        ({"data": "pickled.npz"}, "allow_pickle=False"),
        ({"data": "names.npz"}, r"Received: a\x1b[31m0, a\x1b[31m1, a\x1b[31m10, a\x1b[31m100, "),
        ({"data": "labels.npz"}, "Expected labels from 0 to 2 for own. Received: lowest=1, high"),
        ({"data": "shape.npz"}, "Expected examples of shape [n, 5] for own"),
        (
            {"weights": "d.npz"},
            "the weights of own as numpy.savez(path, *model.get_weights()) writes them, arr_0",
        ),
        ({"weights": "other.npz"}, "of shape (5, 8). Received: shape=(5, 9)"),
        ({"fault": "wheels:stuck_at_zero:1"}, "Expected where to be one of neurons"),
        ({"fault": "weights:stuck_at_zero:1.5"}, "Expected rate in [0, 1]. Received: rate=1.5."),
        ({"fault": "neurons:stuck_at_zero:n=9"}, "Expected at most 8 faults. Received: faults=9."),
        ({"rates": "0.1,few"}, "Expected rate to be one of"),
        ({"rates": "0.2,0.1"}, "Expected rates that differ and rise"),
        ({"trials": "1"}, "Expected trials to be an integer in 2 to 1,000,000"),
        ({"trials": "1000000000000"}, "Expected trials to be an integer in 2 to 1,000,000"),
        ({"trials": "x"}, "argument --trials: invalid int value: 'x'"),
        ({"trials": "", "half-width": "0"}, "Expected half_width in points, in [0.01, 100)"),
        ({"trials": "", "half-width": "1e-300"}, "Expected half_width in points, in [0.01, 100)"),
        (
            {"trials": "", "half-width": "1", "max-trials": "1"},
            "Expected max_trials to be an integer in 2 to 1,000,000",
        ),
        (
            {"confidence": "99.99999999999999"},
            "Expected --confidence in percent, in [0.0001, 99.9999]. Received: 99.99999999999999.",
        ),
        ({"seed": "-1"}, "Expected seed to be an integer >= 0"),
        ({"out": "d.npz/there"}, "Expected --out to be a folder that can be written"),
        ({"out": "program"}, "Expected --out to be a folder that can be written"),
        ({"against": "other.npz"}, "of shape (5, 8). Received: shape=(5, 9)"),
        ({"threshold": "nan"}, "Expected threshold a number"),
        ({"threshold": "0.5"}, "Expected no threshold for own, which has 3 outputs"),
        ({"data": "onehot.npz"}, "one-hot labels or probabilities of shape (60, 3): pass y.arg"),
        ({"data": "holes.npz"}, "Received: nan at index (7, 2), the first of 6 such values."),
        ({"weights": "holes_w.npz"}, "Received: inf at index (0, 1), the first of 1 such"),
        ({"function": "wide"}, "Expected own to compute in float32. Received: layer='dense"),
        ({"function": "odd"}, "compile. Received: RuntimeError: "),
        (
            {"function": "ended", "data": "labels01.npz"},
            "or a threshold, above which it predicts class 1",
        ),
        ({"function": "noisy"}, "layers that are not random in inference, or draw from a key"),
    ],
    ids=lambda value: " ".join(map("=".join, value.items())) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(own, tmp_path, bad_files, changes, line):
    shutil.copytree(bad_files, tmp_path, dirs_exist_ok=True)
    code, out, err = own(**changes)
    lines = [row for row in err.splitlines() if not row.startswith(PROGRESS)]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert lines[0].startswith("ftnoise: error: ")
    assert line in lines[0]
    assert not (tmp_path / "there").exists()
    assert not (tmp_path / "runs").exists()
    sys.modules.pop("bad_one", None)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--plan"], "Expected --half-width with --plan"),
        (["--max-trials=9"], "Expected --half-width with --max-trials"),
        (["--trials=100", "--half-width=1"], "not allowed with argument"),
        (["--plan", "--half-width=1", "--out=there"], "Expected --plan without --out"),
        (["--plan", "--half-width=1", "--against=w2.npz"], "Expected --plan without --against"),
        (["--out="], "argument --out: expected a folder"),
    ],
    ids=" ".join,
)
def test_arguments_that_exclude_each_other_are_one_line(own, argv, line):
    code, out, err = own(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert line in err


def test_a_failed_check_is_one_line_and_exit_code_1(own, monkeypatch):
    def wrong(*arguments):
        raise RunFailed("Expected the campaign to agree with Keras. Received: not.")

    monkeypatch.setattr("ftnoise.faults.agreement.agreement", wrong)
    code, out, err = own()
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("ftnoise: error: Expected the campaign to agree")
