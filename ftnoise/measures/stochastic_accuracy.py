"""Accuracy of a network that draws: of a single pass, and of many passes together.

Source: Khan et al. (2019), "Non-Determinism in Neural Networks for Adversarial Robustness", predict
in a single pass; Gal and Ghahramani (2016), "Dropout as a Bayesian Approximation", by the mean of
the probabilities; Cohen et al. (2019), "Certified Adversarial Robustness via Randomized Smoothing",
by a vote.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np, tf


@dataclass(frozen=True, kw_only=True)
class StochasticAccuracy(Measure):
    """Accuracies on the test set, which are all the same for a deterministic network.

    Scalars, in percent: `single_pass_accuracy`, the mean over draws, with their standard deviation
    `single_pass_spread`; `mean_probability_accuracy`, of the class with the highest mean
    probability; `vote_accuracy`, of the class that most draws predict, the first of several.

    Args:
        draws: their number, at least 1.
    """

    draws: int = 50

    limits = (("draws", "trials"),)

    def __post_init__(self) -> None:
        count(draws=self.draws)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Passes the test set through every draw."""
        from ftnoise.layers.prediction import drawn

        y = trained.data.y_test
        single, probabilities, votes = [], np.zeros(()), np.zeros(())
        for number, logits in enumerate(drawn(trained.network, trained.data.x_test, self.draws), 1):
            predicted = logits.argmax(axis=1)
            single.append(100 * float((predicted == y).mean()))
            probabilities = probabilities + tf.nn.softmax(logits).numpy().astype(np.float64)
            votes = votes + np.eye(logits.shape[1])[predicted]
            trained.checkpointing.progress(number, self.draws, "draws")
        together = {"mean_probability_accuracy": probabilities, "vote_accuracy": votes}
        return Measurement(
            scalars={
                "single_pass_accuracy": float(np.mean(single)),
                "single_pass_spread": float(np.std(single, ddof=1)) if self.draws > 1 else 0.0,
                **{n: 100 * float((v.argmax(axis=1) == y).mean()) for n, v in together.items()},
            }
        )


def columns(measure: StochasticAccuracy) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    titles = {
        "single_pass_accuracy": "Accuracy of a single pass",
        "mean_probability_accuracy": f"Accuracy of the mean probabilities of {measure.draws} draws",
        "vote_accuracy": f"Accuracy of a vote of {measure.draws} draws",
    }
    return columns_of(measure, titles)
