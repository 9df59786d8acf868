"""How far apart the functions of two networks are that were trained in different ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftnoise.core.checks import expect, is_count, is_name
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement, Run
from ftnoise.core.spec import Spec

BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class FunctionDistance(Measure):
    """The distance to a network of the same run but for its noise, its penalty or its seed.

    Scalars, in percent, over the test set: `distance` (mean total variation distance of the two
    predicted distributions) and `disagreement` (share of examples with other predicted classes),
    each followed by `_to_` and the name: `distance_to_other_seed`, `disagreement_to_other_seed`, or
    `distance_to_noise`, `distance_to_jacobian`, `distance_to_l2`.

    Args:
        name: of the other, in lower case letters, digits and _.
        inputs: what stands in its `inputs` slot.
        penalty: what stands in its `penalty` slot.
        own: its slots are those of the run itself instead, so that it differs by its seed alone.
        seeds_away: what is added to the seed, >= 0.
    """

    name: str = "other_seed"
    inputs: Any = None
    penalty: Any = None
    own: bool = False
    seeds_away: int = 1

    def __post_init__(self) -> None:
        expect(is_name(self.name), "name in lower case letters, digits and _", name=self.name)
        for slot in ("inputs", "penalty"):
            value = getattr(self, slot)
            expect(value is None or isinstance(value, Spec), f"{slot} to be a spec", slot=value)
        expect(isinstance(self.own, bool), "own to be a bool", own=self.own)
        expect(is_count(self.seeds_away, least=0), "seeds_away >= 0", seeds_away=self.seeds_away)

    def others(self, run: Run) -> tuple[Run, ...]:
        """The other run."""
        training = run.training
        if not self.own:
            training = replace(training, inputs=self.inputs, penalty=self.penalty)
        return (replace(run, training=training, seed=run.seed + self.seeds_away),)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Both networks' answers on the test set; 0 if the other is the run itself."""
        import numpy as np

        (run,) = self.others(trained.run)
        other = trained.network if run == trained.run else trained.others[run]
        one, two = (
            probabilities(network, trained.data.x_test) for network in (trained.network, other)
        )
        apart = np.abs(one - two).sum(axis=1) / 2
        return Measurement(
            scalars={
                f"distance_to_{self.name}": 100 * float(apart.mean()),
                f"disagreement_to_{self.name}": 100
                * float((one.argmax(1) != two.argmax(1)).mean()),
            }
        )


def probabilities(network: Any, x: Any) -> Any:
    """Softmax of the logits, float64 `[n, classes]`."""
    import numpy as np
    import tensorflow as tf

    parts = [
        tf.nn.softmax(tf.cast(network(tf.constant(x[start : start + BATCH])), tf.float64)).numpy()
        for start in range(0, len(x), BATCH)
    ]
    return np.concatenate(parts)
