"""Distance between the functions of two networks that were trained in different ways."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from ftnoise.core.checks import boolean, count, expect, instance, is_name
from ftnoise.core.interfaces import Inputs, Measure, MeasureInput, Measurement, Penalty, Run
from ftnoise.core.lazy import keras, np, tf


@dataclass(frozen=True, kw_only=True)
class FunctionDistance(Measure):
    """The distance to a network of the same run except for its noise, its penalty or its seed.

    Scalars, in percent, over the test set: `distance` (mean total variation distance of the two
    predicted distributions) and `disagreement` (share of examples with other predicted classes),
    each followed by `_to_` and the name: `distance_to_other_seed`, `disagreement_to_other_seed`, or
    `distance_to_noise`, `distance_to_jacobian`, `distance_to_l2`.

    Args:
        name: of the other network, in lower case letters, digits and _.
        inputs: the member in its `inputs` slot.
        penalty: the member in its `penalty` slot.
        own: both slots are those of the run itself instead, so that the seed alone differs.
        seeds_away: added to the seed, >= 0.
    """

    name: str = "other_seed"
    inputs: Inputs | None = None
    penalty: Penalty | None = None
    own: bool = False
    seeds_away: int = 1

    needs_run: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect(is_name(self.name), "name in lower case letters, digits and _", name=self.name)
        instance(Inputs, "an `inputs` member", optional=True, inputs=self.inputs)
        instance(Penalty, "a penalty", optional=True, penalty=self.penalty)
        boolean(own=self.own)
        count(least=0, seeds_away=self.seeds_away)

    def others(self, run: Run) -> tuple[Run, ...]:
        """The other run; raises `BadInput` if the run's training has no such slots."""
        training = run.training
        if not self.own:
            slots: dict[str, Any] = {"inputs": self.inputs, "penalty": self.penalty}
            expect(
                slots.keys() <= {f.name for f in fields(training)},
                "a training with an `inputs` and a `penalty` slot",
                training=training.slug,
            )
            training = replace(training, **slots)
        return (replace(run, training=training, seed=run.seed + self.seeds_away),)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Compares both networks on the test set; 0 if the other is the run itself."""
        assert trained.run is not None
        (run,) = self.others(trained.run)
        other = trained.network if run == trained.run else trained.others[run]
        x = trained.data.x_test
        one, two = (probabilities(network, x) for network in (trained.network, other))
        distances = np.abs(one - two).sum(axis=1) / 2
        disagree = one.argmax(axis=1) != two.argmax(axis=1)
        return Measurement(
            scalars={
                f"distance_to_{self.name}": 100 * float(distances.mean()),
                f"disagreement_to_{self.name}": 100 * float(disagree.mean()),
            }
        )


def probabilities(network: keras.Model, x: np.ndarray) -> np.ndarray:
    """Softmax of the logits, float64 `[n, classes]`."""
    from ftnoise.layers.prediction import logits

    return tf.nn.softmax(tf.cast(logits(network, x), tf.float64)).numpy()
