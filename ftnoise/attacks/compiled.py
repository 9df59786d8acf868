"""A network as attacks see it, each of its functions compiled once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ftnoise.attacks.ascent import Ball, gradient_of, input_gradient

if TYPE_CHECKING:
    import keras


BLOCK = 5  # steps in a call, where there are so many


class Compiled:
    """A network in inference mode for attacks whose steps are run a few at a time.

    What was compiled serves batches of any size, every radius and every number of steps. Like
    anything compiled it follows the network's parameters, and nothing else that is changed later.

    Args:
        network: gives logits `[batch, classes]`.
        shape: of an example, float32.
    """

    def __init__(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        import tensorflow as tf

        self.name = getattr(network, "name", type(network).__name__)
        # Where a check looks for the layer that gives the output.
        self.layers = [network]
        self.images = tf.TensorSpec([None, *shape], tf.float32)
        self.labels = tf.TensorSpec([None], tf.int32)
        self.logits = self.compiled(lambda x: network(x, training=False), self.images)
        self.gradient = self.compiled(
            lambda x, y: input_gradient(cross_entropy(network, y), x), self.images, self.labels
        )
        self.steps: dict[tuple[Ball, int], Any] = {}

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Logits `[batch, classes]` of `x` `[batch, ...]`; there is no other mode."""
        del training
        return self.logits(x)

    def right(self, x: Any, y: Any) -> Any:
        """Whether each answer is the label, bool `[batch]`."""
        import tensorflow as tf

        return tf.argmax(self.logits(x), axis=-1, output_type=y.dtype) == y

    def loss_gradient(self, x: Any, y: Any) -> Any:
        """Gradient `[batch, ...]` of the cross-entropy with labels `y` `[batch]` in `x`."""
        return self.gradient(x, y)

    def ascend(
        self,
        ball: Ball,
        x: Any,
        y: Any,
        start: Any,
        *,
        attack_epsilon: float,
        step_size: float,
        steps: int,
        seed: Any,
    ) -> Any:
        """`Ball.ascend` on the cross-entropy with labels `y`, a few steps a call."""
        import tensorflow as tf

        radius, size = (tf.constant(value, tf.float32) for value in (attack_epsilon, step_size))
        seed, adversarial, number = tf.cast(seed, tf.int64), start, 0
        while number < steps:
            count = BLOCK if number + BLOCK <= steps else 1
            if (ball, count) not in self.steps:
                self.steps[ball, count] = self.step(ball, count)
            adversarial = self.steps[ball, count](
                x, y, adversarial, radius, size, tf.constant(number), seed
            )
            number += count
        return adversarial

    def step(self, ball: Ball, count: int) -> Any:
        """So many steps in such a ball, of any radius and length, compiled."""
        import tensorflow as tf

        (network,) = self.layers

        def some(x: Any, y: Any, start: Any, radius: Any, size: Any, first: Any, seed: Any) -> Any:
            return ball.ascend(
                gradient_of(cross_entropy(network, y)),
                x,
                start,
                attack_epsilon=radius,
                step_size=size,
                steps=count,
                seed=seed,
                first=first,
            )

        number = tf.TensorSpec([], tf.float32)
        return self.compiled(
            some,
            self.images,
            self.labels,
            self.images,
            number,
            number,
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([2], tf.int64),
        )

    @staticmethod
    def compiled(function: Callable[..., Any], *signature: Any) -> Any:
        """The function, compiled at its first call and never again."""
        import tensorflow as tf

        return tf.function(function, input_signature=signature, autograph=False)


def cross_entropy(network: keras.Model, y: Any) -> Callable[[Any], Any]:
    """What a gradient attack climbs: `[batch, ...]` -> cross-entropy `[batch]`, in inference."""
    import tensorflow as tf

    def objective(x: Any) -> Any:
        logits = network(x, training=False)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)

    return objective


def climb(
    network: keras.Model | Compiled, ball: Ball, x: Any, y: Any, start: Any, **how: Any
) -> Any:
    """The end of an ascent on the cross-entropy with labels `y`; the rest as in `Ball.ascend`."""
    if isinstance(network, Compiled):
        return network.ascend(ball, x, y, start, **how)
    return ball.ascend(gradient_of(cross_entropy(network, y)), x, start, **how)
