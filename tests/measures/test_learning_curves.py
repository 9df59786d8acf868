"""The history as it was logged, epoch by epoch, with gaps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.schedule import Schedule
from ftnoise.measures.learning_curves import PICTURES, LearningCurves
from ftnoise.training import Training
from ftnoise.training.procedures.fine_tuning import FineTuning
from tests.measures.given import evaluate
from tests.members import RUN

HISTORY = [{"accuracy": 0.5, "val_accuracy": 0.4}, {"accuracy": 0.75, "val_accuracy": 0.625}]


def measured(record):
    return evaluate(LearningCurves(), None, record=record)


def test_the_history_in_percent():
    found = measured({"history": HISTORY})
    assert found.arrays["epochs"].tolist() == [1, 2]
    assert found.arrays["train_accuracy"].tolist() == [50, 75]
    assert found.arrays["test_accuracy"].tolist() == [40, 62.5]
    assert found.scalars == {"last_train_accuracy": 75, "last_test_accuracy": 62.5}


def test_epochs_count_on_from_the_network_that_the_training_starts_from():
    before = Schedule(epochs=7, batch_size=8, learning_rate=0.1)
    procedure = FineTuning(training=Training(), first=Training(), first_schedule=before)
    run = dataclasses.replace(RUN, training=procedure)
    found = evaluate(LearningCurves(), None, record={"history": HISTORY}, run=run)
    assert found.arrays["epochs"].tolist() == [8, 9]


def test_intervals_of_several_epochs():
    assert measured({"history": HISTORY, "epochs_per_entry": 50}).arrays["epochs"].tolist() == [
        50,
        100,
    ]


def test_accuracies_of_private_batches_are_missing():
    private = [{"val_accuracy": logs["val_accuracy"]} for logs in HISTORY]
    found = measured({"history": private})
    assert np.isnan(found.arrays["train_accuracy"]).all()
    assert list(found.scalars) == ["last_test_accuracy"]


def test_figures_show_arrays_of_the_measure():
    found = measured({"history": HISTORY})
    for figure in PICTURES:
        assert {figure.x, figure.y} <= found.arrays.keys()


@pytest.mark.parametrize("record", [{}, {"history": []}])
def test_without_a_history_it_is_refused(record):
    with pytest.raises(BadInput, match="the record of a training"):
        measured(record)
