"""A network in inference mode as attacks see it: logits, input gradients, ascents of the loss."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ftnoise.attacks.ascent import Ball, input_gradient
from ftnoise.core.lazy import keras, tf

BLOCK = 5  # steps in a call of a compiled ascent, where at least that many are left


class Target:
    """The functions of a network `[batch, ...] -> logits [batch, classes]` that attacks use.

    Seeds are pairs of integers, for a network that draws.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network

    def logits(self, x: Any, seed: Any) -> Any:
        """Logits `[batch, classes]` of `x` `[batch, ...]`."""
        from ftnoise.layers.drawing import forward

        return forward(self.network, x, tf.cast(seed, tf.int64))

    def gradient(self, x: Any, y: Any, seed: Any) -> Any:
        """Gradient `[batch, ...]` of the cross-entropy with labels `y` `[batch]` in `x`."""
        from ftnoise.layers.drawing import drawing

        with drawing(tf.cast(seed, tf.int64)):
            return input_gradient(self.cross_entropy(y), x)

    def expected_gradient(self, x: Any, y: Any, seed: Any, draws: int) -> Any:
        """The gradient averaged over draws of the network, which follow from the seed.

        One draw is that of the seed itself, and enough for a network that does not draw.
        """
        from ftnoise.layers.drawing import is_stochastic

        if draws == 1 or not is_stochastic(self.network):
            return self.gradient(x, y, seed)
        fold = tf.random.experimental.stateless_fold_in
        total = self.gradient(x, y, fold(seed, 0))
        for number in range(1, draws):
            # One after the other, so that memory does not grow with their number.
            with tf.control_dependencies([total]):
                total += self.gradient(tf.identity(x), y, fold(seed, number))
        return total / draws

    def ascend(
        self,
        ball: Ball,
        x: Any,
        y: Any,
        start: Any,
        draws: int = 1,
        frozen: bool = False,
        **how: Any,
    ) -> Any:
        """The end of an ascent of the cross-entropy with labels `y`; see `Ball.follow`.

        The gradient of a step is averaged over `draws` of a network that draws, which are new at
        each step, or the same at all of them if they are `frozen`.
        """

        def gradient(moved: Any, drawn: Any) -> Any:
            return self.expected_gradient(moved, y, how["seed"] if frozen else drawn, draws)

        return ball.follow(gradient, x, start, **how)

    def strongest(self, ascents: Sequence[Callable[[Any], Any]], x: Any, y: Any, seed: Any) -> Any:
        """The results of several ascents `[batch, ...] -> [batch, ...]` from `x`, the best of each.

        That is the first that the network gets wrong, or else the one with the highest
        cross-entropy with labels `y`, judged in one draw.
        """
        first, *others = ascents
        best = first(x)
        if not others:
            return best
        height = self.height(best, y, seed)
        for ascend in others:
            # One after the other, so that memory does not grow with their number.
            with tf.control_dependencies([best, height]):
                found = ascend(tf.identity(x))
            reached = self.height(found, y, seed)
            better = reached > height
            height = tf.where(better, reached, height)
            best = tf.where(per_example(better, x), found, best)
        return best

    def height(self, x: Any, y: Any, seed: Any) -> Any:
        """The cross-entropy of each example, `[batch]`, or infinity if it is wrong; in one draw."""
        logits = self.logits(x, seed)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        wrong = tf.argmax(logits, axis=-1, output_type=y.dtype) != y
        return tf.where(wrong, tf.constant(float("inf"), losses.dtype), losses)

    def once(self, key: Hashable, function: Callable[..., Any], *signature: Any) -> Any:
        """The function of tensors; a `Compiled` target compiles it at the first call with a key."""
        del key, signature
        return function

    def cross_entropy(self, y: Any) -> Callable[[Any], Any]:
        """`[batch, ...]` -> cross-entropy with labels `y` in the draw of the context, `[batch]`."""

        def loss(x: Any) -> Any:
            logits = self.network(x, training=False)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)

        return loss


class Compiled(Target):
    """The same functions, each compiled once for all attacks and batches of examples of a shape.

    Ascents run a few steps a call, so that one function serves every radius and number of steps.
    They follow the parameters of the network, and no later change of anything else.
    """

    def __init__(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        super().__init__(network)
        self.x = tf.TensorSpec([None, *shape], tf.float32)
        self.y = tf.TensorSpec([None], tf.int32)
        self.seed = tf.TensorSpec([2], tf.int64)
        self._logits = compiled(super().logits, self.x, self.seed)
        self._gradient = compiled(super().gradient, self.x, self.y, self.seed)
        self._compiled: dict[Hashable, Any] = {}

    def logits(self, x: Any, seed: Any) -> Any:
        return self._logits(x, tf.cast(seed, tf.int64))

    def gradient(self, x: Any, y: Any, seed: Any) -> Any:
        return self._gradient(x, y, tf.cast(seed, tf.int64))

    def ascend(
        self,
        ball: Ball,
        x: Any,
        y: Any,
        start: Any,
        draws: int = 1,
        frozen: bool = False,
        **how: Any,
    ) -> Any:
        if draws > 1 or frozen:
            return super().ascend(ball, x, y, start, draws, frozen, **how)
        radius, size = (tf.constant(how[n], tf.float32) for n in ("attack_epsilon", "step_size"))
        seed, adversarial, number = tf.cast(how["seed"], tf.int64), start, 0
        while number < how["steps"]:
            count = BLOCK if number + BLOCK <= how["steps"] else 1
            steps = self.steps(ball, count)
            adversarial = steps(x, y, adversarial, radius, size, tf.constant(number), seed)
            number += count
        return adversarial

    def steps(self, ball: Ball, count: int) -> Any:
        """This number of steps in such a ball, of any radius and length, compiled."""

        def some(x: Any, y: Any, start: Any, radius: Any, size: Any, first: Any, seed: Any) -> Any:
            how = {"attack_epsilon": radius, "step_size": size, "steps": count}
            objective = self.cross_entropy(y)
            return ball.ascend(objective, x, start, seed=seed, first=first, **how)

        number, step = tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32)
        signature = (self.x, self.y, self.x, number, number, step, self.seed)
        return self.once((ball, count), some, *signature)

    def once(self, key: Hashable, function: Callable[..., Any], *signature: Any) -> Any:
        if key not in self._compiled:
            self._compiled[key] = compiled(function, *signature)
        return self._compiled[key]


def per_example(values: Any, x: Any) -> Any:
    """Values `[batch]` in a shape that broadcasts against `x` `[batch, ...]`."""
    return tf.reshape(values, [-1, *[1] * (x.shape.rank - 1)])


def compiled(function: Callable[..., Any], *signature: Any) -> Any:
    """The function, compiled for this signature at its first call and never again."""
    return tf.function(function, input_signature=signature, autograph=False)


def draw(seed: Any, number: Any) -> Any:
    """The int64 pair of this number under a seed."""
    return tf.cast(tf.random.experimental.stateless_fold_in(seed, number), tf.int64)
