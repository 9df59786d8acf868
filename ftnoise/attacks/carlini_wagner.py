"""Carlini and Wagner's l_2 attack: the nearest example that is wrong, by Adam and bisection.

Source: Carlini and Wagner (2017), "Towards Evaluating the Robustness of Neural Networks";
cleverhans' code.

Deviations
1. Cleverhans' code mixes the examples of a batch (images of one channel) or fails (several), so it
   gets one at a time.
2. Its optimizer is Keras' legacy Adam: the one in its code refuses a second image.
3. It searches the nearest example at any distance. If that is farther than attack_epsilon, or the
   example was wrong before, the example is returned unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.attack import Attack
from ftnoise.attacks.target import Target
from ftnoise.core.checks import count, expect, instance, non_negative, positive
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import keras, tf


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(Attack):
    """The l_2 attack of Carlini and Wagner (2017), on images `[batch, height, width, channels]`.

    It takes seconds per image, and works outside a `tf.function` only.

    Args:
        iterations: of Adam for each constant, at least 1.
        searches: constants that bisection tries, at least 1.
        learning_rate: of Adam, > 0.
        initial_constant: first weight of the misclassification in the search, > 0.
        confidence: lead that another class must have, in logits; >= 0.
    """

    ball: Ball = field(default_factory=L2Ball)
    iterations: int = 200
    searches: int = 5
    learning_rate: float = 5e-3
    initial_constant: float = 1e-2
    confidence: float = 0.0

    batch_size: ClassVar[int] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(L2Ball, "L2Ball() for CarliniWagner", ball=self.ball)
        count(iterations=self.iterations, searches=self.searches)
        positive(learning_rate=self.learning_rate, initial_constant=self.initial_constant)
        non_negative(confidence=self.confidence)

    @property
    def name(self) -> str:
        return "Carlini-Wagner"

    def longer(self) -> CarliniWagner:
        return replace(self, iterations=2 * self.iterations)

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        super().check(network, shape)
        expect(len(shape) == 3, "images of height, width and channels for CarliniWagner", x=shape)
        if not tf.executing_eagerly():
            raise BadInput(
                "Expected CarliniWagner outside a tf.function, as its stopping depends on values. "
                "Received: a graph."
            )

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        from cleverhans.tf2.attacks.carlini_wagner_l2 import CarliniWagnerL2

        passes = tf.Variable(0)

        def logits(images: Any) -> Any:
            # Cleverhans compiles this once: the variable gives each pass a draw of its own.
            drawn = tf.random.experimental.stateless_fold_in(seed, passes.assign_add(1))
            return target.logits(images, drawn)

        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = logits(x)
        expect(
            tape.gradient(outputs, x) is not None,
            "a network whose outputs have a gradient in the input, which CarliniWagner follows",
            network=target.network.name,
        )
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
        right = tf.argmax(outputs, axis=-1, output_type=y.dtype) == y
        found = []
        for number in range(len(x)):
            image = x[number : number + 1]
            if right[number]:
                # Its state is per image.
                attack.optimizer = keras.optimizers.legacy.Adam(self.learning_rate)
                near = tf.constant(attack.attack(image))
                image = tf.where(self.ball.size(near - image) <= self.attack_epsilon, near, image)
            found.append(image)
        return tf.concat(found, axis=0) if found else x
