"""APGD: projected gradient ascent with momentum, whose steps get shorter where it stagnates.

Source: Croce and Hein (2020), "Reliable Evaluation of Adversarial Robustness with an Ensemble of
Diverse Parameter-Free Attacks", Algorithm 1 and equation (7) for the targeted DLR loss.

At a few numbers of steps the length of a step is halved, example by example, and the ascent
continues from its best point: if the loss rose in less than 3/4 of the steps since the last of
them, or if neither the length nor the best loss has changed since then. So no step size has to be
chosen.

Deviations
1. The start is uniform in the ball. The paper leaves its distribution open; its code starts at the
   surface.
2. As in the paper's code, an example that any iterate breaks is broken, not the best one alone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.target import Target, draw, per_example
from ftnoise.core.checks import count, expect
from ftnoise.core.lazy import tf

MOMENTUM, RISES = 0.75, 0.75  # alpha and rho of the paper


class Ascent(NamedTuple):
    """The state of an ascent, for each example."""

    x: Any  # the iterate, `[batch, ...]`
    before: Any  # the one before it
    value: Any  # the loss there, `[batch]`
    gradient: Any  # and its gradient
    best: Any  # the iterate with the highest loss so far
    highest: Any
    best_gradient: Any
    wrong: Any  # the last iterate that the network gets wrong, if `broken`
    broken: Any
    rises: Any  # steps since the last check that increased the loss


@dataclass(frozen=True, kw_only=True)
class APGD(Attack):
    """The attack of Croce and Hein (2020) on the cross-entropy.

    Args:
        steps: at least 1.
        restarts: ascents from different random starts, at least 1.
    """

    steps: int = 50
    restarts: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        count(steps=self.steps, restarts=self.restarts)

    @property
    def name(self) -> str:
        return f"APGD-{self.steps}" + (f" x {self.restarts}" if self.restarts > 1 else "")

    def longer(self) -> APGD:
        return dataclasses.replace(self, steps=2 * self.steps)

    def restarted(self) -> APGD:
        return dataclasses.replace(self, restarts=5 * self.restarts)

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        aims = self.aims(target, x, y, seed)

        def ascend(number: int, x: Any) -> Any:
            return self.ascent(target, x, y, aims[number % len(aims)], seed, number)

        numbers = range(self.restarts * len(aims))
        return target.strongest([partial(ascend, n) for n in numbers], x, y, seed)

    def aims(self, target: Target, x: Any, y: Any, seed: Any) -> list[Any]:
        """The classes `[batch]` that the ascents of a restart aim at; here none, so the labels."""
        return [y]

    def loss(self, logits: Any, y: Any, aim: Any) -> Any:
        """What is increased, `[batch]`, from logits `[batch, classes]`."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)

    def ascent(self, target: Target, x: Any, y: Any, aim: Any, seed: Any, number: int) -> Any:
        """The result of one ascent, `[batch, ...]`."""
        seed = tf.random.experimental.stateless_fold_in(seed, number)
        start_seed, steps_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = self.ball.neighbor(x, self.attack_epsilon, start_seed)
        begin, step = self.compiled(target, x, y)
        state = begin(start, y, aim, draw(steps_seed, 0))
        size = tf.fill(tf.shape(x)[:1], tf.constant(2 * self.attack_epsilon, x.dtype))
        halved, highest, last = tf.zeros_like(state.broken), state.highest, 0
        checks = {*checked_steps(self.steps)}
        for taken in range(1, self.steps + 1):
            momentum = tf.constant(MOMENTUM if taken > 1 else 1.0, x.dtype)
            radius = tf.constant(self.attack_epsilon, x.dtype)
            drawn = draw(steps_seed, taken)
            state = step(state, x, y, aim, size, momentum, radius, drawn)
            if taken in checks:
                few = tf.cast(state.rises, x.dtype) < RISES * (taken - last)
                halved = few | (~halved & (state.highest == highest))
                size = tf.where(halved, size / 2, size)
                state = _from_best(state, halved)
                highest, last = state.highest, taken
        return tf.where(per_example(state.broken, x), state.wrong, state.best)

    def compiled(self, target: Target, x: Any, y: Any) -> tuple[Any, Any]:
        """The functions that begin an ascent and take a step, once for each target."""

        def begin(start: Any, y: Any, aim: Any, draw: Any) -> Ascent:
            value, gradient, broken = self.evaluated(target, start, y, aim, draw)
            rises = tf.zeros_like(y)
            here = (start, start, value, gradient)
            return Ascent(*here, start, value, gradient, start, broken, rises)

        def step(
            state: Ascent,
            x: Any,
            y: Any,
            aim: Any,
            size: Any,
            momentum: Any,
            radius: Any,
            draw: Any,
        ) -> Ascent:
            project = self.ball.projection(x, radius)
            moved = per_example(size, x) * self.ball.direction(state.gradient, draw)
            moved = project(state.x + moved) - state.x
            moved = momentum * moved + (1 - momentum) * (state.x - state.before)
            moved = project(state.x + moved)
            value, gradient, broken = self.evaluated(target, moved, y, aim, draw)
            better = value > state.highest
            return Ascent(
                moved,
                state.x,
                value,
                gradient,
                _where(better, moved, state.best),
                tf.where(better, value, state.highest),
                _where(better, gradient, state.best_gradient),
                _where(broken, moved, state.wrong),
                state.broken | broken,
                state.rises + tf.cast(value > state.value, state.rises.dtype),
            )

        image, label = (tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in (x, y))
        scalar, number = tf.TensorSpec([], x.dtype), tf.TensorSpec([None], x.dtype)
        draw, broken = tf.TensorSpec([2], tf.int64), tf.TensorSpec([None], tf.bool)
        here = (image, image, number, image)
        state = Ascent(*here, image, number, image, image, broken, label)
        key = (type(self), self.ball)
        last = (scalar, scalar, draw)
        return (
            target.once((*key, "begin"), begin, image, label, label, draw),
            target.once((*key, "step"), step, state, image, label, label, number, *last),
        )

    def evaluated(self, target: Target, x: Any, y: Any, aim: Any, draw: Any) -> Any:
        """The loss `[batch]`, its gradient `[batch, ...]`, and which examples are wrong."""
        from ftnoise.layers.drawing import drawing

        with drawing(draw), tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = target.network(x, training=False)
            values = self.loss(logits, y, aim)
        gradient = tape.gradient(values, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return values, gradient, tf.argmax(logits, axis=-1, output_type=y.dtype) != y


@dataclass(frozen=True, kw_only=True)
class TargetedAPGD(APGD):
    """The same on the targeted DLR loss, for networks of at least four classes.

    The loss is the lead of another class over the label, divided by a difference of large logits,
    so that neither their scale nor a saturated softmax hides its gradient.

    Args:
        targets: ascents of a restart, toward the other classes with the largest logits, at least 1;
            all classes if there are fewer.
    """

    targets: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        count(targets=self.targets)

    @property
    def name(self) -> str:
        return super().name.replace("APGD", "APGD-T")

    def aims(self, target: Target, x: Any, y: Any, seed: Any) -> list[Any]:
        logits = target.logits(x, seed)
        classes = logits.shape[-1]
        expect(classes >= 4, "at least 4 classes for TargetedAPGD", classes=classes)
        label = tf.one_hot(y, classes, on_value=logits.dtype.min, dtype=logits.dtype)
        _, order = tf.math.top_k(logits + label, min(self.targets, classes - 1))
        return tf.unstack(tf.cast(order, y.dtype), axis=1)

    def loss(self, logits: Any, y: Any, aim: Any) -> Any:
        own, other = (tf.gather(logits, which, batch_dims=1) for which in (y, aim))
        first, _, third, fourth = tf.unstack(tf.math.top_k(logits, 4).values, axis=1)
        return (other - own) / (first - (third + fourth) / 2 + 1e-12)


def checked_steps(steps: int) -> list[int]:
    """The numbers of steps after which the length of a step may be halved."""
    # Hundredths of the steps, p_j of the paper.
    before, now = 0, 22
    found = []
    while now <= 100:
        found.append(-(-now * steps // 100))
        before, now = now, now + max(now - before - 3, 6)
    return found


def _where(chosen: Any, here: Any, there: Any) -> Any:
    return tf.where(per_example(chosen, here), here, there)


def _from_best(state: Ascent, chosen: Any) -> Ascent:
    """The chosen examples continue from their best points, and rises are counted anew."""
    return state._replace(
        x=_where(chosen, state.best, state.x),
        value=tf.where(chosen, state.highest, state.value),
        gradient=_where(chosen, state.best_gradient, state.gradient),
        rises=tf.zeros_like(state.rises),
    )
