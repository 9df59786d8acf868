"""Projected gradient ascent on a function of the inputs, inside an l_inf or l_2 ball.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks";
the l_2 form follows Zhang et al. (2019), "Theoretically Principled Trade-off between Robustness
and Accuracy". In a graph steps are unrolled: a `tf.while_loop` is slower on CPUs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.lazy import tf
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Ball(Spec, ABC):
    """The neighbors of an example within a radius, by a norm whose name in print is `label`."""

    label: ClassVar[str]

    @abstractmethod
    def widest(self, shape: tuple[int, ...] | None = None) -> float:
        """The largest distance of two examples of this shape (or of any) in [0, 1]."""

    @abstractmethod
    def size(self, difference: Any) -> Any:
        """The norm of each difference: `[batch, ...]` -> `[batch]`."""

    @abstractmethod
    def noise(self, x: Any, attack_epsilon: float, seed: Any) -> Any:
        """Uniform draws from the ball around 0, in the shape of `x`; `seed` is an int64 pair."""

    @abstractmethod
    def default_step(self, attack_epsilon: float, steps: int) -> float:
        """The length of a step that Zhang et al. (2019) take in a ball of this radius."""

    @abstractmethod
    def direction(self, gradient: Any, seed: Any) -> Any:
        """The direction of a step of length 1, `[batch, ...]`; `seed` is an int64 pair."""

    @abstractmethod
    def projection(self, x: Any, attack_epsilon: float) -> Callable[[Any], Any]:
        """Maps `[batch, ...]` into the ball of this radius around `x` and into [0, 1]."""

    def neighbor(self, x: Any, attack_epsilon: float, seed: Any) -> Any:
        """A random neighbor of each example, `[batch, ...]`: uniform in the ball, then clipped."""
        return self.projection(x, attack_epsilon)(x + self.noise(x, attack_epsilon, seed))

    def ascend(self, objective: Callable[[Any], Any], x: Any, start: Any, **how: Any) -> Any:
        """Increases an objective `[batch, ...] -> [batch]` in the ball around `x`; see `follow`.

        A network that draws has a new draw at each step, which follows from the seed and the
        number of the step.
        """

        def gradient(moved: Any, drawn: Any) -> Any:
            from ftnoise.layers.drawing import drawing

            with drawing(drawn):
                return input_gradient(objective, moved)

        return self.follow(gradient, x, start, **how)

    def follow(
        self,
        gradient: Callable[[Any, Any], Any],
        x: Any,
        start: Any,
        *,
        attack_epsilon: float,
        step_size: float,
        steps: int,
        seed: Any,
        first: Any = 0,
    ) -> Any:
        """Takes steps along a gradient in the ball around `x`, clipped to [0, 1].

        Args:
            gradient: `(x, seed) -> [batch, ...]`; the int64 pair is different at each step.
            x: the centers, `[batch, ...]` in [0, 1].
            start: the first iterate; neither projected nor clipped before the first step.
            attack_epsilon: radius, in units of the input.
            step_size: length of a step, in units of the input.
            steps: number of steps, >= 0.
            seed: int64 pair, for draws of the network and for directions where the gradient is 0.
            first: number of the first step, where an earlier call took those before it.

        Returns:
            The last iterate, `[batch, ...]`, in the ball and in [0, 1] (if `steps` > 0).
        """
        project, adversarial = self.projection(x, attack_epsilon), start
        for step in range(steps):
            drawn = tf.random.experimental.stateless_fold_in(seed, first + step)
            ascent = gradient(adversarial, tf.cast(drawn, tf.int64))
            adversarial = project(adversarial + step_size * self.direction(ascent, drawn))
        return tf.stop_gradient(adversarial)


@dataclass(frozen=True, kw_only=True)
class LinfBall(Ball):
    """No element differs by more than the radius; a step goes along the gradient's sign."""

    label: ClassVar[str] = "l_inf"

    def widest(self, shape: tuple[int, ...] | None = None) -> float:
        del shape
        return 1.0

    def size(self, difference: Any) -> Any:
        return tf.reduce_max(tf.abs(difference), axis=list(range(1, difference.shape.rank)))

    def noise(self, x: Any, attack_epsilon: float, seed: Any) -> Any:
        return tf.random.stateless_uniform(
            tf.shape(x), seed, -attack_epsilon, attack_epsilon, dtype=x.dtype
        )

    def default_step(self, attack_epsilon: float, steps: int) -> float:
        del steps
        return attack_epsilon / 4

    def direction(self, gradient: Any, seed: Any) -> Any:
        del seed
        return tf.sign(gradient)

    def projection(self, x: Any, attack_epsilon: float) -> Callable[[Any], Any]:
        # Both bounds in one, so that a step costs one clip.
        low = tf.maximum(x - attack_epsilon, 0.0)
        high = tf.minimum(x + attack_epsilon, 1.0)
        return lambda moved: tf.clip_by_value(moved, low, high)


@dataclass(frozen=True, kw_only=True)
class L2Ball(Ball):
    """The difference has at most the radius as its l_2 norm; a step has the gradient's direction.

    Where the gradient of an example is zero, the step is a standard normal draw instead of a unit
    vector, as in Zhang et al.'s released code. The example is clipped to [0, 1] before the
    perturbation is shrunk into the ball.
    """

    label: ClassVar[str] = "l_2"

    def widest(self, shape: tuple[int, ...] | None = None) -> float:
        return math.inf if shape is None else math.sqrt(math.prod(shape))

    def size(self, difference: Any) -> Any:
        return tf.reshape(_norms(difference), [-1])

    def noise(self, x: Any, attack_epsilon: float, seed: Any) -> Any:
        # A direction that is uniform on the sphere, and the length that fills the ball evenly.
        toward, along = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        normal = tf.random.stateless_normal(tf.shape(x), toward, dtype=x.dtype)
        lengths = tf.random.stateless_uniform(tf.shape(x)[:1], along, dtype=x.dtype)
        lengths = attack_epsilon * lengths ** (1 / math.prod(x.shape[1:]))
        lengths = tf.reshape(lengths, [-1, *[1] * (x.shape.rank - 1)])
        return normal * tf.math.divide_no_nan(lengths, _norms(normal))

    def default_step(self, attack_epsilon: float, steps: int) -> float:
        return 2 * attack_epsilon / max(steps, 1)

    def direction(self, gradient: Any, seed: Any) -> Any:
        # The squares of small numbers underflow to 0, those of their ratios do not.
        axes = list(range(1, gradient.shape.rank))
        largest = tf.reduce_max(tf.abs(gradient), axis=axes, keepdims=True)
        gradient = tf.math.divide_no_nan(gradient, largest)
        norms = _norms(gradient)
        noise = tf.random.stateless_normal(tf.shape(gradient), seed, dtype=gradient.dtype)
        return tf.where(norms > 0, tf.math.divide_no_nan(gradient, norms), noise)

    def projection(self, x: Any, attack_epsilon: float) -> Callable[[Any], Any]:
        def project(moved: Any) -> Any:
            delta = tf.clip_by_value(moved, 0.0, 1.0) - x
            delta *= tf.minimum(1.0, tf.math.divide_no_nan(attack_epsilon, _norms(delta)))
            # x + delta may leave [0, 1] by a rounding.
            return tf.clip_by_value(x + delta, 0.0, 1.0)

        return project


def input_gradient(objective: Callable[[Any], Any], x: Any) -> Any:
    """Gradient of the summed objective with respect to `x` alone, `[batch, ...]`.

    As it is summed, the examples of a batch do not influence each other. Zero where the objective
    has no gradient, as after rounding.
    """
    x = tf.stop_gradient(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = objective(x)
    return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _norms(x: Any) -> Any:
    axes = list(range(1, x.shape.rank))
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=axes, keepdims=True))
