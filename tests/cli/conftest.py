"""A user's own model in a module of the current folder, for `ftnoise inject`."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from ftnoise.user.certify import CertificationResult
from ftnoise.user.result import InjectionResult
from ftnoise.user.robustness import RobustnessResult
from tests.user.made import FAULT, examples, model

SOURCE = """
import os
import keras
import numpy as np
import tensorflow as tf
from tests.user.made import model

def build():
    print("printed by the user")
    return model()

def moves():
    os.chdir("elsewhere")
    return model()

def fails():
    raise ValueError("two\\nlines")

def leaves():
    raise SystemExit("usage: own")

def needs(more):
    return more

def nothing():
    pass

def unbuilt():
    return keras.Sequential([keras.layers.Dense(3)])

def subclass():
    class Own(keras.Model):
        pass
    return Own()

def broken():
    found = model()
    found.layers[-1].bias.assign([0, np.nan, 0])
    return found

def two():
    inputs = [keras.Input((5,)), keras.Input((5,))]
    outputs = keras.layers.Dense(3)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, outputs, name="two")

def words():
    layers = [keras.layers.InputLayer((5,)), keras.layers.Embedding(4, 2), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(3)])

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
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def data():
    return examples(model())


@pytest.fixture(scope="module")
def weights():
    return model().get_weights()


@pytest.fixture
def own(ftnoise, tmp_path, monkeypatch, data, weights):
    """Runs a command on a model of a module in the current folder, a new one each time."""
    import keras

    name = f"own_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    x, y = data
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "two.npz", x_0=x, x_1=x, y_0=y, y=y)
    np.savez(tmp_path / "labels01.npz", x=x, y=y % 2)
    np.savez(tmp_path / "w.npz", *weights)
    np.savez(tmp_path / "w2.npz", *[weight + 0.1 for weight in weights])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("FTNOISE_RUNS", str(tmp_path / "runs"))
    # Drawing takes longer than all the rest.
    for kind in (InjectionResult, RobustnessResult, CertificationResult):
        monkeypatch.setattr(kind, "figure", lambda found: {"png": b"a figure", "pdf": b"another"})

    def run(*argv, function="build", command="inject", **changes):
        given = {"model": f"{name}:{function}", "data": "d.npz"}
        if command == "inject":
            given |= {"fault": FAULT, "trials": "4"}
        if any(word.startswith(("--half-width", "--trials")) for word in argv):
            given.pop("trials", None)
        keras.backend.clear_session()  # names layers as in a new process
        flags = [f"--{flag}={value}" for flag, value in {**given, **changes}.items() if value]
        return ftnoise(command, *flags, *argv)

    yield run
    sys.modules.pop(name, None)
