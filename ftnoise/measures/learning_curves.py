"""Accuracy against the epoch, as it was logged while the network was trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core.checks import expect
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np


@dataclass(frozen=True, kw_only=True)
class LearningCurves(Measure):
    """The accuracies of the training's history, epoch by epoch; nothing is evaluated.

    Training accuracy is that of the batches on which the loss was taken (augmented, noisy or
    adversarial), before each step, averaged over the epoch; it is missing where batches are
    private. Testing accuracy is at the end of the epoch. A training that goes on from the network
    of another run counts its epochs on from there. Procedures of several trainings in one run
    (`IterativePruning`) and samplers (`HMC`) keep no such history, and are refused.

    Scalars, in percent: `last_train_accuracy`, `last_test_accuracy`. Arrays, along the epochs:
    `epochs`, `train_accuracy`, `test_accuracy` (percent; NaN where it was not logged).
    """

    needs_run: ClassVar[bool] = True

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Reads the run's record."""
        history = trained.record.get("history") or []
        expect(len(history) > 0, "the record of a training with its history", epochs=len(history))
        curves = {
            name: np.array([100 * logs.get(key, math.nan) for logs in history])
            for name, key in (("train_accuracy", "accuracy"), ("test_accuracy", "val_accuracy"))
        }
        return Measurement(
            scalars={
                f"last_{name}": float(values[-1])
                for name, values in curves.items()
                if math.isfinite(values[-1])
            },
            arrays={"epochs": trained.epochs, **curves},
        )


def curve(name: str, title: str) -> Series:
    """The figure of one of the accuracies."""
    return Series(
        name=name,
        title=f"{title} against the epoch",
        measure=LearningCurves(),
        x="epochs",
        x_title="Epoch",
        y=f"{name}_accuracy",
        y_title=title,
        y_unit="%",
    )


PICTURES = (curve("train", "Training accuracy"), curve("test", "Testing accuracy"))
