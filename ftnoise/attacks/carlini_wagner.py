"""Carlini and Wagner's l_2 attack: the nearest example that is wrong, by Adam and bisection.

Source: Carlini and Wagner (2017), "Towards Evaluating the Robustness of Neural Networks";
cleverhans' code.

Deviations
1. Cleverhans' code mixes the examples of a batch (images of one channel) or fails (several), so it
   gets one at a time.
2. Its optimizer is Keras' legacy Adam: the one it takes refuses a second image.
3. It looks for the nearest example at any distance. What is farther than attack_epsilon counts as
   not found, and comes back as it was; so does what was wrong before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.attack import Attack, check_gradient, logits_of
from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.errors import BadInput

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(Attack):
    """The l_2 attack of Carlini and Wagner (2017), on images `[batch, height, width, channels]`.

    It takes seconds for each image, and works outside a `tf.function` only.

    Args:
        iterations: of Adam for each constant, at least 1.
        searches: constants that bisection tries, at least 1.
        learning_rate: of Adam, > 0.
        initial_constant: where the search for the weight of the misclassification begins, > 0.
        confidence: by how much another class has to lead, in logits; >= 0.
    """

    ball: Ball = field(default_factory=L2Ball)
    iterations: int = 200
    searches: int = 5
    learning_rate: float = 5e-3
    initial_constant: float = 1e-2
    confidence: float = 0.0

    in_graph: ClassVar[bool] = False
    batch_size: ClassVar[int] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(isinstance(self.ball, L2Ball), "ball=L2Ball() for CarliniWagner", ball=self.ball)
        for name in ("iterations", "searches"):
            value = getattr(self, name)
            expect(is_count(value), f"{name} to be an integer >= 1", **{name: value})
        for name in ("learning_rate", "initial_constant"):
            value = getattr(self, name)
            expect(is_number(value) and value > 0, f"{name} > 0", **{name: value})
        expect(
            is_number(self.confidence) and self.confidence >= 0,
            "confidence >= 0",
            confidence=self.confidence,
        )

    @property
    def gradients(self) -> int:
        return self.iterations * self.searches

    @property
    def name(self) -> str:
        return "Carlini-Wagner"

    def longer(self) -> CarliniWagner:
        return replace(self, iterations=2 * self.iterations)

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        import tensorflow as tf

        super().check(network, shape)
        expect(len(shape) == 3, "images of height, width and channels for CarliniWagner", x=shape)
        if not tf.executing_eagerly():
            raise BadInput(
                "Expected CarliniWagner outside a tf.function, as it stops by what it finds. "
                "Received: a graph."
            )

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        import keras
        import tensorflow as tf
        from cleverhans.tf2.attacks.carlini_wagner_l2 import CarliniWagnerL2

        del seed  # nothing is drawn
        check_gradient(network, x[:1])
        logits = logits_of(network)
        attack = CarliniWagnerL2(
            logits,
            batch_size=1,
            clip_min=0.0,
            clip_max=1.0,
            binary_search_steps=self.searches,
            max_iterations=self.iterations,
            confidence=self.confidence,
            initial_const=self.initial_constant,
            learning_rate=self.learning_rate,
        )
        right = tf.argmax(logits(x), axis=-1, output_type=y.dtype) == y
        found = []
        for number in range(len(x)):
            image = x[number : number + 1]
            if right[number]:
                # It keeps something for each image that it has seen.
                attack.optimizer = keras.optimizers.legacy.Adam(self.learning_rate)
                near = tf.constant(attack.attack(image))
                image = tf.where(self.ball.size(near - image) <= self.attack_epsilon, near, image)
            found.append(image)
        return tf.concat(found, axis=0) if found else x
