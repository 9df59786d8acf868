"""Generalization error, the paper's measure of fault tolerance: training minus testing accuracy.

Source: equation (2) of the paper; Bernier et al. (2001) for its relation to fault tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np, tf


@dataclass(frozen=True, kw_only=True)
class Generalization(Measure):
    """Clean accuracies in percent and their difference in percentage points.

    Scalars: `train_accuracy`, `test_accuracy` (percent, 0 to 100), `generalization_error`
    (points, training minus testing), `train_loss`, `test_loss` (mean cross-entropy, nats).
    The training accuracy is over the examples that the run was trained on.
    """

    needs_training_data: ClassVar[bool] = True

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Accuracy and loss on both splits, in inference mode."""
        data = trained.data
        train_accuracy, train_loss = accuracy_and_loss(trained.network, data.x_train, data.y_train)
        test_accuracy, test_loss = accuracy_and_loss(trained.network, data.x_test, data.y_test)
        return Measurement(
            scalars={
                "train_accuracy": train_accuracy,
                "test_accuracy": test_accuracy,
                "generalization_error": train_accuracy - test_accuracy,
                "train_loss": train_loss,
                "test_loss": test_loss,
            }
        )


COLUMNS = (
    Column(name="train_accuracy", measure=Generalization(), title="Training accuracy", unit="%"),
    Column(name="test_accuracy", measure=Generalization(), title="Testing accuracy", unit="%"),
    Column(
        name="generalization_error",
        measure=Generalization(),
        title="Generalization error",
        unit="points",
        ranked=True,
    ),
)


def accuracy_and_loss(
    network: keras.Model, x: np.ndarray, y: np.ndarray, draw: int = 0
) -> tuple[float, float]:
    """Accuracy (percent) and mean cross-entropy (nats) of a network that gives logits.

    `x` are examples `[n, ...]`, `y` integer labels `[n]`; `draw` numbers the draw of a network that
    draws.
    """
    from ftnoise.layers.prediction import batches

    hits, loss = 0, 0.0
    for part, logits in batches(network, x, draw):
        labels = tf.constant(y[part], tf.int64)
        found = tf.argmax(logits, axis=-1, output_type=tf.int64) == labels
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        hits += int(tf.math.count_nonzero(found))
        loss += float(tf.reduce_sum(tf.cast(losses, tf.float64)))
    return 100.0 * hits / len(y), loss / len(y)


def printed(train: float, test: float, error: float) -> dict[str, float]:
    """The paper's numbers for these columns: two accuracies (%), the error (points)."""
    return {"train_accuracy": train, "test_accuracy": test, "generalization_error": error}
