"""The history as it was logged, epoch by epoch, and what is missing of it."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.measures.learning_curves import PICTURES, LearningCurves

HISTORY = [{"accuracy": 0.5, "val_accuracy": 0.4}, {"accuracy": 0.75, "val_accuracy": 0.625}]


def asked(record):
    trained = MeasureInput(
        network=None, data=None, run=None, checkpointing=Checkpointing(), record=record
    )
    return LearningCurves().evaluate(trained)


def test_the_history_in_percent():
    found = asked({"history": HISTORY})
    assert found.arrays["epochs"].tolist() == [1, 2]
    assert found.arrays["train_accuracy"].tolist() == [50, 75]
    assert found.arrays["test_accuracy"].tolist() == [40, 62.5]
    assert found.scalars == {"last_train_accuracy": 75, "last_test_accuracy": 62.5}


def test_rounds_of_several_epochs():
    assert asked({"history": HISTORY, "passes": 50}).arrays["epochs"].tolist() == [50, 100]


def test_what_private_batches_do_not_say_is_missing():
    private = [{"val_accuracy": logs["val_accuracy"]} for logs in HISTORY]
    found = asked({"history": private})
    assert np.isnan(found.arrays["train_accuracy"]).all()
    assert list(found.scalars) == ["last_test_accuracy"]


def test_pictures_show_arrays_that_there_are():
    found = asked({"history": HISTORY})
    for picture in PICTURES:
        picture.check_found(found.arrays, found.info)


@pytest.mark.parametrize("record", [{}, {"history": []}])
def test_without_a_history_it_says_so(record):
    with pytest.raises(BadInput, match="the record of a training"):
        asked(record)
