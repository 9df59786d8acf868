"""What a measure answers has names that fit, and comes back from the store as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Measurement


def test_a_workspace_that_keeps_nothing():
    checkpointing = Checkpointing()
    checkpointing.save({"w": np.zeros(2)}, {})
    assert checkpointing.load() is None


def test_an_answer():
    info = {"layers": ["a", "b"], "deep": {"Any name": [1, 2.5, None, True]}}
    answer = Measurement(scalars={"found": 1.0}, arrays={"hits_2": np.zeros(2)}, info=info)
    assert answer.info == info


@pytest.mark.parametrize("kind", ["scalars", "arrays", "info"])
@pytest.mark.parametrize("name", ["", "A", "2", "a b", "a.b", "ä", "_a", 3, None])
def test_names_that_do_not_fit_are_refused_in_one_line(kind, name):
    with pytest.raises(BadInput, match=rf"Expected {kind} named .*\. Received: names="):
        Measurement(**{"scalars": {}, kind: {name: 1.0}})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, (1, 2), {1: 2}, np.float64(1), np.array([1]), {"a": [b"x"]}, {1}]
)
def test_what_would_not_come_back_from_json_is_refused(value):
    with pytest.raises(BadInput, match="Expected info to be JSON"):
        Measurement(scalars={}, info={"layers": value})


def test_the_name_of_the_measure_is_taken():
    with pytest.raises(BadInput, match="info without `measure`"):
        Measurement(scalars={}, info={"measure": 1})
