"""What is let through as numbers, and what the message says of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.stats.values import finite_array


@pytest.mark.parametrize(
    "values", [[1, 0], (1.0, 0.0), np.array([1, 0], np.uint8), np.array([1, 0], np.float32)]
)
def test_numbers_of_any_kind_become_a_float_array_of_its_own(values):
    array = finite_array(values, "numbers", least=2, low=0, high=1)
    assert array.dtype == np.float64
    assert array.tolist() == [1.0, 0.0]
    array[0] = 7
    assert list(values) == [1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([True], "Expected numbers to be a list of numbers. Received: dtype='bool', shape=(1,)."),
        (["1"], "Expected numbers to be a list of numbers. Received: dtype='<U1', shape=(1,)."),
        ([[1], [2, 3]], "Expected numbers to be a list of numbers. Received: dtype='object'"),
        (None, "Expected numbers to be a list of numbers. Received: dtype='object', shape=()."),
        ([[0.5]], "Expected numbers to be a list of numbers. Received: dtype='float64'"),
        ([], "Expected numbers, at least 1 of them. Received: shape=(0,)."),
        ([0, 2], "Expected finite numbers in [0, 1]. Received: index=(1,), value=2.0."),
        ([np.nan], "Expected finite numbers in [0, 1]. Received: index=(0,), value=nan."),
    ],
)
def test_the_rest_is_refused_in_one_line(values, message):
    with pytest.raises(BadInput) as caught:
        finite_array(values, "numbers", least=1, low=0, high=1)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
