"""The probability that a network of two inputs and two classes gives each point of the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect, positive
from ftnoise.core.figures import Plane
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np, tf


@dataclass(frozen=True, kw_only=True)
class DecisionBoundary(Measure):
    """The probability of class 1 on a square grid around the origin.

    Arrays: `x`, `y` `[points]` (the grid), `probability` `[points, points]` (along y and x),
    `examples` `[n, 2]` (those for training, then those for testing), `classes` `[n]`, `tested`
    `[n]` (1 where an example was not trained on). Scalar: `share_of_class_1`, of the square, in
    percent.

    Args:
        reach: the square is [-reach, reach] along both axes, > 0.
        points: of the grid along an axis, >= 2.
    """

    reach: float = 1.5
    points: int = 61

    needs_training_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(reach=self.reach)
        count(least=2, points=self.points)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Evaluates the network on the grid."""
        from ftnoise.layers.drawing import forward

        shape = tuple(trained.network.input_shape[1:]), trained.network.output_shape[-1]
        expect(shape == ((2,), 2), "a network of 2 inputs and 2 classes", shape=shape)
        data = trained.data
        axis = np.linspace(-self.reach, self.reach, self.points, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        logits = forward(trained.network, tf.constant(grid), seeds.at_step(seeds.key(0, "grid"), 0))
        found = tf.nn.softmax(logits)[:, 1].numpy()
        tested = np.repeat([0, 1], [len(data.y_train), len(data.y_test)])
        return Measurement(
            scalars={"share_of_class_1": 100 * float((found > 0.5).mean())},
            arrays={
                "x": axis,
                "y": axis,
                "probability": found.reshape(self.points, self.points),
                "examples": np.concatenate([data.x_train, data.x_test]),
                "classes": np.concatenate([data.y_train, data.y_test]),
                "tested": tested,
            },
        )


PICTURE = Plane(
    name="boundary",
    title="Where the networks draw the line between the two circles",
    measure=DecisionBoundary(),
    x="x",
    x_title="First coordinate",
    y="y",
    values="probability",
    points="examples",
    classes="classes",
    tested="tested",
)
