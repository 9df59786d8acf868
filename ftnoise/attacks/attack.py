"""Adversarial attacks search near an example for an input that the network misclassifies.

Source: Szegedy et al. (2014), "Intriguing properties of neural networks"; Carlini et al. (2019),
"On Evaluating Adversarial Robustness", for stating the threat model with the attack.

The threat model is in the fields: which ball, and its radius `attack_epsilon`. The attacker knows
the true labels and accepts any other. Examples are in [0, 1], and the network is in inference mode.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from ftnoise.attacks.ascent import Ball, LinfBall
from ftnoise.attacks.target import Target
from ftnoise.core.checks import count, expect, instance, non_negative, positive
from ftnoise.core.lazy import keras, np, tf
from ftnoise.core.spec import Spec

PROBABILITIES = ("softmax", "softmax_v2", "sigmoid", "hard_sigmoid")
# Numbers in a batch of examples: 500 of CIFAR-10, 13 photographs of 224 x 224 pixels.
BATCH_NUMBERS = 2**21


@dataclass(frozen=True, kw_only=True)
class Attack(Spec, ABC):
    """Base of all attacks. A member defines `adversarial`; users call `perturb`.

    Args:
        attack_epsilon: radius of the ball, in units of inputs in [0, 1]; from 0 to the ball's
            widest, which is 1 for l_inf.
        ball: the neighbors that are allowed, `LinfBall` or `L2Ball`.

    Attributes:
        one_graph: an evaluation compiles the whole attack, instead of a `Compiled` network's
            functions alone.
        batch_size: the most examples that it gets at a time; see `at_a_time`.
        trains: it is a gradient attack of one ascent, which can be part of a training step.
        name: its name in print.
    """

    attack_epsilon: float
    ball: Ball = field(default_factory=LinfBall)

    one_graph: ClassVar[bool] = False
    batch_size: ClassVar[int] = 500

    def __post_init__(self) -> None:
        check_ball(self.ball, self.attack_epsilon)

    @property
    def trains(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def label(self) -> str:
        """`PGD-20, l_inf 8/255`."""
        return f"{self.name}, {self.region}"

    @property
    def region(self) -> str:
        """`l_inf 8/255`, or `l_inf 0.1`."""
        radius = f"{self.attack_epsilon:.3g}"
        if isinstance(self.ball, LinfBall) and radius != f"{self.attack_epsilon:g}":
            radius = f"{255 * self.attack_epsilon:.3g}/255"
        return f"{self.ball.label} {radius}"

    def at(self, attack_epsilon: float) -> Attack:
        """The same attack in a ball of this radius."""
        return dataclasses.replace(self, attack_epsilon=attack_epsilon)

    def longer(self) -> Attack | None:
        """The same attack with twice the iterations, or None if it has none."""
        return None

    def restarted(self) -> Attack | None:
        """The same attack from five times the random starts, or None if it has none."""
        return None

    def at_most(self, steps: int | None) -> Attack:
        """The same attack with at most this number of steps; itself if it has none."""
        return self

    def at_a_time(self, shape: tuple[int, ...]) -> int:
        """The number of examples of this shape in a batch."""
        return max(1, min(self.batch_size, BATCH_NUMBERS // math.prod(shape)))

    def perturb(self, network: keras.Model | Target, x: Any, y: Any, seed: Any) -> Any:
        """The worst neighbors that it finds, `[batch, ...]` in the ball and in [0, 1].

        Args:
            network: gives logits `[batch, classes]`; it stays as it is. If it draws, each step of
                the attack has a draw of its own.
            x: `[batch, ...]` in [0, 1].
            y: integer labels `[batch]`.
            seed: int64 pair; all that is random follows from it.

        Raises:
            BadInput: the network gives no logits, the radius is beyond the widest of the ball,
                examples are outside [0, 1] (unless in a graph), or the attack cannot work.
        """
        target = network if isinstance(network, Target) else Target(network)
        self.check(target.network, tuple(x.shape[1:]))
        if tf.executing_eagerly():
            check_range(x)
        return tf.stop_gradient(self.adversarial(target, tf.convert_to_tensor(x), y, seed))

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        """Raises `BadInput` where it cannot work on examples of this shape."""
        check_logits(network)
        check_widest(self.ball, shape, attack_epsilon=self.attack_epsilon)

    @abstractmethod
    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        """The result of `perturb`, after its checks."""


@dataclass(frozen=True, kw_only=True)
class OverDraws(Attack):
    """Base of attacks that average over draws of a network that draws (EOT).

    Args:
        draws: over which a gradient is averaged, at least 1; new ones at each step.
    """

    draws: int = 1

    limits = (("draws", "trials"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        count(draws=self.draws)

    @property
    def name(self) -> str:
        return super().name + self.over

    @property
    def over(self) -> str:
        """` over 20 draws`, the end of its name, or nothing for one draw."""
        return f" over {self.draws} draws" if self.draws > 1 else ""

    def averaged(self, draws: int) -> OverDraws:
        """The same attack over that number of draws."""
        return dataclasses.replace(self, draws=draws)

    def undrawn(self) -> OverDraws | None:
        """As many gradients, each in one draw, in more and shorter steps; None without steps."""
        return None


@dataclass(frozen=True, kw_only=True)
class Iterative(Attack):
    """Base of attacks in steps of a fixed length.

    Args:
        steps: at least 1.
        step_size: length of a step, > 0 and not beyond the ball's widest; None is the ball's
            default: attack_epsilon / 4 in l_inf, 2 * attack_epsilon / steps in l_2.
    """

    steps: int = 20
    step_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count(steps=self.steps)
        check_step(self.ball, self.step_size)

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        super().check(network, shape)
        check_widest(self.ball, shape, step_size=self.step_size)

    @property
    def step(self) -> float:
        """The length of a step."""
        if self.step_size is not None:
            return self.step_size
        return self.ball.default_step(self.attack_epsilon, self.steps)

    @property
    def name(self) -> str:
        return f"{type(self).__name__}-{self.steps}"

    def at(self, attack_epsilon: float) -> Iterative:
        size = self.step_size
        if size is not None and self.attack_epsilon > 0:
            # Steps grow with the ball, but no step is longer than the whole range.
            size = size * attack_epsilon / self.attack_epsilon or None
            size = min(size, self.ball.widest()) if size else size
        return dataclasses.replace(self, attack_epsilon=attack_epsilon, step_size=size)

    def longer(self) -> Iterative:
        return dataclasses.replace(self, steps=2 * self.steps)

    def at_most(self, steps: int | None) -> Iterative:
        return fewer_steps(self, steps)


S = TypeVar("S", bound=Spec)


def fewer_steps(spec: S, most: int | None) -> S:
    """An iterative attack or TRADES with at most this number of steps, which reach as far together.

    A step is never longer than the radius.
    """
    now: Any = spec
    if most is None or now.steps <= most:
        return spec
    size = min(now.step * now.steps / most, now.attack_epsilon)
    fields: dict[str, Any] = {"steps": most, "step_size": size or None}
    return dataclasses.replace(spec, **fields)


def check_ball(ball: Any, attack_epsilon: Any) -> None:
    """Raises `BadInput` unless these are a ball and a radius that it can have."""
    instance(Ball, "a ball, such as L2Ball()", ball=ball)
    non_negative(attack_epsilon=attack_epsilon)
    check_widest(ball, None, attack_epsilon=attack_epsilon)


def check_step(ball: Ball, step_size: Any) -> None:
    """Raises `BadInput` unless this is the length of a step in such a ball, or None."""
    if step_size is not None:
        positive(step_size=step_size)
        check_widest(ball, None, step_size=step_size)


def check_widest(ball: Ball, shape: tuple[int, ...] | None, **lengths: float | None) -> None:
    """Raises `BadInput` where a radius or a step is longer than any distance in [0, 1]."""
    widest = ball.widest(shape)
    for name, length in lengths.items():
        expect(
            length is None or length <= widest,
            f"{name} <= {widest:g}, the widest {ball.label} distance in [0, 1]",
            **{name: length},
        )


def check_logits(network: keras.Model) -> None:
    """Raises `BadInput` if the last layer gives probabilities, whose gradients vanish."""
    from ftnoise.layers.logits import Logits

    if isinstance(network, Logits):
        return
    last = _last_layer(network)
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    expect(
        activation not in PROBABILITIES,
        f"a network that gives logits to attack: take the {activation} off {network.name}, "
        "or its gradients vanish",
        last_layer=getattr(last, "name", None),
    )


def check_range(x: Any) -> None:
    """Raises `BadInput` unless all elements of the examples are in [0, 1]."""
    values = np.asarray(x)
    if values.size:
        low, high = float(values.min()), float(values.max())
        expect(low >= 0 and high <= 1, "examples in [0, 1] to attack", lowest=low, highest=high)


def _last_layer(layer: Any) -> Any:
    """The layer that gives the output, inside nested networks too."""
    # A functional network records the layer of its output; the others list layers in order.
    history = getattr(getattr(layer, "output", None), "_keras_history", None)
    last = history.layer if history is not None else [layer, *getattr(layer, "layers", [])][-1]
    return layer if last is layer else _last_layer(last)
