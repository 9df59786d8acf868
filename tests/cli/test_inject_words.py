"""`ftnoise inject --against`, thresholds, and words that exclude each other."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from ftnoise.commands import inject

from ftnoise.campaigns import keeping
from tests.campaigns.made import examples, model

SOURCE = """
import keras
import tensorflow as tf
from tests.campaigns.made import model

def build():
    return model()

def wide():
    keras.backend.set_floatx("float64")
    try:
        return model()
    finally:
        keras.backend.set_floatx("float32")

def ended():
    layers = [keras.layers.InputLayer((5,)), keras.layers.Dense(1), keras.layers.ReLU()]
    return keras.Sequential(layers)

class Odd(keras.layers.Layer):
    def call(self, inputs):
        if isinstance(inputs, tf.Tensor):
            raise RuntimeError("two\\nlines")
        return inputs

def odd():
    inputs = keras.Input((5,))
    layer = Odd()
    layer.call = lambda inputs: inputs
    found = keras.Model(inputs, keras.layers.Dense(3)(layer(inputs)))
    del layer.call
    return found

class Noise(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))

def noisy():
    return keras.Sequential([keras.layers.InputLayer((5,)), Noise(), keras.layers.Dense(3)])
"""


@pytest.fixture
def own(ftnoise, tmp_path, monkeypatch):
    """Runs `ftnoise inject` on a model of a module in the current folder."""
    (tmp_path / "own_words.py").write_text(SOURCE)
    network = model()
    x, y = examples(network)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "w.npz", *network.get_weights())
    np.savez(tmp_path / "w2.npz", *[weight + 0.1 for weight in network.get_weights()])
    np.savez(tmp_path / "other.npz", *model(units=9).get_weights())
    np.savez(tmp_path / "two.npz", x=x, y=y % 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(inject, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(keeping, "picture", lambda found: {"png": b"a picture", "pdf": b"another"})

    def run(*words, function="build", data="d.npz", fault="weights:stuck_at_zero:0.5"):
        given = ["--model", f"own_words:{function}", "--data", data, "--fault", fault]
        return ftnoise("inject", *given, *words)

    yield run
    sys.modules.pop("own_words", None)


def test_two_files_of_weights_are_compared_under_the_same_masks(own, tmp_path):
    words = ["--masks=5", "--amounts=0.2,0.5", "--weights=w.npz", "--against=w2.npz"]
    code, out, err = own(*words)
    assert code == 0, err
    assert out.count("own, weights stuck at 0: 64 places, 60 examples, seed 0.") == 2
    table = out[out.index("w.npz (first) against w2.npz (second), weights stuck at 0") :]
    assert [line.split()[:3] for line in table.splitlines() if "%" in line][1:3] == [
        ["20", "%", "5"],
        ["50", "%", "5"],
    ]
    folders = list((tmp_path / "runs" / "injections").iterdir())
    assert len(folders) == 2
    assert all((folder / "injection.npz").is_file() for folder in folders)
    # What is stored is compared again.
    code, again, err = own(*words)
    assert (code, again) == (0, out)
    assert err.count("asked before") == 2
    assert own(*words[:2], "--out=there", "--against=w2.npz")[0] == 0
    for folder in ("there", "there/against"):
        form = json.loads((tmp_path / folder / "injection.json").read_text())
        names = [entry["name"] for entry in form["array_file"]["entries"]]
        assert {"correct", "golden", "masks", "y"} <= {*names}
        with np.load(tmp_path / folder / "injection.npz") as stored:
            packed = stored[f"arr_{names.index('correct')}"]
        right = np.unpackbits(packed, axis=1, count=60).mean(axis=1)
        assert 100 * right[:5].mean() == pytest.approx(form["lines"][0]["accuracy"])


@pytest.mark.parametrize(
    ("words", "options", "line"),
    [
        (["--against=other.npz"], {}, "of shape [5, 8]. Received: shape [5, 9], so they are"),
        (["--against=none.npz"], {}, "Expected --against to be an .npz file. Received: none.npz"),
        (["--masks=100", "--half-width=1"], {}, "not allowed with argument"),
        (["--plan", "--half-width=1", "--amounts=0.1"], {}, "Received: --amounts."),
        (["--plan", "--half-width=1", "--max-masks=9"], {}, "Received: --max-masks."),
        (["--plan", "--half-width=1", "--out=there"], {}, "Received: --out."),
        (["--plan", "--half-width=1", "--against=w2.npz"], {}, "Received: --against."),
        (["--out="], {}, "argument --out: expected a folder, received nothing"),
        (["--masks=1"], {}, "Expected masks >= 2"),
        (["--threshold=nan"], {}, "Expected threshold a number"),
        ([], {"function": "wide"}, "Expected own to compute in float32. Received: layer='dense"),
        ([], {"function": "odd"}, "compile. Received: RuntimeError: "),
        ([], {"function": "ended", "data": "two.npz"}, "or a threshold, above which it says"),
        ([], {"function": "noisy"}, "outputs that differ from call to call, so that a layer is r"),
        ([], {"fault": "neurons+output@2:sign_flip:1"}, "Expected a layer of own with neurons"),
        ([], {"fault": "neurons:stuck_at_zero:n=9"}, "Expected at most 8 faults"),
        ([], {"fault": "filters:stuck_at_zero:0.5"}, "Expected filters in own. Received: none."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_words_are_one_line_and_leave_nothing(own, tmp_path, words, options, line):
    code, out, err = own(*words, **options)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert line in err
    if options.get("function") not in ("odd", "noisy"):  # known once something was computed
        assert not (tmp_path / "runs").exists()
    assert not (tmp_path / ".lock").exists()


def test_a_threshold(own):
    code, out, _ = own("--threshold=0.1", "--masks=3", function="ended", data="two.npz")
    assert code == 0
    assert "100 %" not in out.splitlines()[2]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("neurons+output@1:stuck_at_zero:n=1", "neurons of layer 1 with the output layer stuck at"),
        ("neurons@0[3,7]:stuck_at_zero:n=1", "own, neurons 3, 7 of layer 0 stuck at 0: 2 places"),
        ("weights-output:drift_absolute=0.1:each=0.5", "weights without the output layer with no"),
    ],
)
def test_faults_that_only_python_could_say(own, fault, said):
    code, out, err = own("--masks=3", fault=fault)
    assert code == 0, err
    assert said in out


def test_help_says_what_the_words_mean(ftnoise, capsys):
    with pytest.raises(SystemExit):
        ftnoise("inject", "--help")
    said = " ".join(capsys.readouterr().out.split())
    for words in ("SIGMA is the standard deviation", "31 is the sign", "unless +output"):
        assert words in said


def test_a_share_of_nothing_is_said(own):
    code, out, _ = own("--masks=3", "--amounts=0.001,0.5")
    assert code == 0
    assert "WARNING: No place was hit at 0.1 %, of 64 places" in out
