"""What `core.lazy` hands out is imported at its first use, and then stands for that module."""

from __future__ import annotations

import pickle
import subprocess
import sys

import keras
import numpy as np
import pandas
import tensorflow as tf
from scipy import special

from ftnoise.core import lazy

FIRST_USE = """
import sys
from ftnoise.core.lazy import keras, np, pandas, special, tf
heavy = ("keras", "numpy", "pandas", "scipy", "tensorflow")
before = [name for name in heavy if name in sys.modules]
np.zeros
print(before, [name for name in heavy if name in sys.modules])
"""


def test_a_module_is_imported_at_the_first_use_of_an_attribute():
    said = subprocess.run(
        [sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=120, check=True
    )
    assert said.stdout == "[] ['numpy']\n"


def test_attributes_are_those_of_the_module(monkeypatch):
    assert lazy.np.ndarray is np.ndarray
    assert lazy.tf.Tensor is tf.Tensor
    assert lazy.keras.Model is keras.Model
    assert lazy.pandas.DataFrame is pandas.DataFrame
    assert lazy.special.ndtri is special.ndtri
    monkeypatch.setattr(np, "zeros", replaced := object())  # no copy of its names
    assert lazy.np.zeros is replaced


def test_a_function_that_uses_one_may_go_to_another_process():
    assert pickle.loads(pickle.dumps(lazy.np)) is np
