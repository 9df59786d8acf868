"""An attack looks for a neighbor of an example that the network gets wrong.

Source: Szegedy et al. (2014), "Intriguing properties of neural networks"; Carlini et al. (2019),
"On Evaluating Adversarial Robustness", for stating the threat model with the attack.

The threat model is in the fields: which ball, and its radius `attack_epsilon`. The attacker knows
the true labels and wants any other. Images are in [0, 1], and the network is in inference mode.
"""

from __future__ import annotations

import dataclasses
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.ascent import Ball, LinfBall
from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.spec import Spec

if TYPE_CHECKING:
    import keras

PROBABILITIES = ("softmax", "softmax_v2", "sigmoid", "hard_sigmoid")
# Numbers in a batch of examples: 500 of CIFAR-10, 13 photographs of 224 x 224 pixels.
BATCH_NUMBERS = 2**21
_LOGITS: weakref.WeakKeyDictionary[Any, Callable[[Any], Any]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class Attack(Spec):
    """Base of all attacks. A member has `adversarial`; everybody else calls `perturb`.

    Args:
        attack_epsilon: radius of the ball, in units of inputs in [0, 1]; from 0 to the ball's
            widest, which is 1 for l_inf.
        ball: which neighbors count, `LinfBall` or `L2Ball`.

    Attributes:
        in_graph: whether it works inside a `tf.function`.
        stepwise: whether many examples are attacked a few steps at a time on a `Compiled` network,
            instead of by one function that is compiled for this attack alone.
        batch_size: how many examples it is given at a time, at most; see `at_a_time`.
    """

    attack_epsilon: float
    ball: Ball = field(default_factory=LinfBall)

    in_graph: ClassVar[bool] = True
    stepwise: ClassVar[bool] = False
    batch_size: ClassVar[int] = 500

    def __post_init__(self) -> None:
        check_ball(self.ball, self.attack_epsilon)

    @property
    def trains(self) -> bool:
        """Whether it is a gradient attack of one ascent, which can be part of a training step."""
        return False

    @property
    def gradients(self) -> int:
        """Forward passes with a backward pass to the input that it takes for an example."""
        return 1

    @property
    def name(self) -> str:
        """What it is called in print."""
        return type(self).__name__

    @property
    def label(self) -> str:
        """`PGD-20, l_inf 8/255`."""
        radius = f"{self.attack_epsilon:.3g}"
        if isinstance(self.ball, LinfBall):
            radius = f"{255 * self.attack_epsilon:.3g}/255"
        return f"{self.name}, {self.ball.label} {radius}"

    def at(self, attack_epsilon: float) -> Attack:
        """The same attack in a ball of this radius."""
        return dataclasses.replace(self, attack_epsilon=attack_epsilon)

    def longer(self) -> Attack | None:
        """The same attack with twice the iterations, or None if it has none."""
        return None

    def at_a_time(self, shape: tuple[int, ...]) -> int:
        """How many examples of this shape it is given at a time."""
        return max(1, min(self.batch_size, BATCH_NUMBERS // math.prod(shape)))

    def perturb(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        """The worst neighbors that it finds, `[batch, ...]` in the ball and in [0, 1].

        Args:
            network: gives logits `[batch, classes]`; it stays as it is.
            x: `[batch, ...]` in [0, 1].
            y: integer labels `[batch]`.
            seed: int64 pair; all that is random follows from it.

        Raises:
            BadInput: the network gives no logits, the radius is beyond the widest of the ball,
                images are outside [0, 1] (where they can be looked at), or the attack cannot work.
        """
        import tensorflow as tf

        self.check(network, tuple(x.shape[1:]))
        if tf.executing_eagerly():
            check_images(x)
        return tf.stop_gradient(self.adversarial(network, tf.convert_to_tensor(x), y, seed))

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        """Raises `BadInput` where it cannot work on examples of this shape."""
        check_logits(network)
        check_widest(self.ball, shape, attack_epsilon=self.attack_epsilon)

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        """What `perturb` returns, after its checks."""
        raise TypeError(f"{type(self).__name__} has no adversarial.")


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
        expect(is_count(self.steps), "steps to be an integer >= 1", steps=self.steps)
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
    def gradients(self) -> int:
        return self.steps

    @property
    def name(self) -> str:
        return f"{type(self).__name__}-{self.steps}"

    def at(self, attack_epsilon: float) -> Iterative:
        size = self.step_size
        if size is not None and self.attack_epsilon > 0:
            # Steps grow with the ball, but no step is longer than the whole range.
            size = size * attack_epsilon / self.attack_epsilon or None
            size = min(size, 1.0) if size and isinstance(self.ball, LinfBall) else size
        return dataclasses.replace(self, attack_epsilon=attack_epsilon, step_size=size)

    def longer(self) -> Iterative:
        return dataclasses.replace(self, steps=2 * self.steps)


def fewer_steps(member: Any, most: int | None) -> Any:
    """A spec with `steps`, limited to `most` of them, which reach as far together.

    A step is never longer than the radius. A spec without steps comes back as it is.
    """
    names = {f.name for f in dataclasses.fields(member)}
    if most is None or "steps" not in names or member.steps <= most:
        return member
    size = min(member.step * member.steps / most, member.attack_epsilon)
    return dataclasses.replace(member, steps=most, step_size=size or None)


def check_ball(ball: Any, attack_epsilon: Any) -> None:
    """Raises `BadInput` unless these are a ball and a radius that it can have."""
    expect(
        isinstance(ball, Ball) and type(ball) is not Ball,
        "ball to be a ball, such as L2Ball()",
        ball=ball,
    )
    expect(
        is_number(attack_epsilon) and attack_epsilon >= 0,
        "attack_epsilon >= 0",
        attack_epsilon=attack_epsilon,
    )
    if isinstance(ball, LinfBall):
        expect(
            attack_epsilon <= 1,
            "attack_epsilon <= 1, as images are in [0, 1]",
            attack_epsilon=attack_epsilon,
        )


def check_step(ball: Ball, step_size: Any) -> None:
    """Raises `BadInput` unless this is the length of a step in such a ball, or None."""
    expect(
        step_size is None or (is_number(step_size) and step_size > 0),
        "step_size > 0 or None",
        step_size=step_size,
    )
    if isinstance(ball, LinfBall):
        expect(
            step_size is None or step_size <= 1,
            "step_size <= 1, as images are in [0, 1]",
            step_size=step_size,
        )


def check_widest(ball: Ball, shape: tuple[int, ...], **lengths: float | None) -> None:
    """Raises `BadInput` where a radius or a step is longer than any way in [0, 1]."""
    widest = ball.widest(shape)
    for name, length in lengths.items():
        expect(
            length is None or length <= widest,
            f"{name} <= {widest:g}, the widest {ball.label} distance in [0, 1]",
            **{name: length},
        )


def logits_of(network: keras.Model) -> Callable[[Any], Any]:
    """The network in inference mode as a function of x: the same object at every call.

    Cleverhans compiles its gradient anew for each function that it is handed.
    """
    if network not in _LOGITS:
        there = weakref.ref(network)
        _LOGITS[network] = lambda x: there()(x, training=False)  # type: ignore[misc]
    return _LOGITS[network]


def check_logits(network: keras.Model) -> None:
    """Raises `BadInput` if the network ends in probabilities, whose gradients vanish."""
    last = _last_layer(network)
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    expect(
        activation not in PROBABILITIES,
        f"a network that gives logits to attack: take the {activation} off {network.name}, "
        "or its gradients vanish",
        last_layer=getattr(last, "name", None),
    )


def check_answers(answers: Any, name: str) -> None:
    """Raises `BadInput` if outputs `[batch, classes]` of the network `name` are probabilities."""
    import numpy as np

    whole = np.abs(answers.sum(axis=-1) - 1) < 1e-4
    expect(
        not (answers.size and answers.min() >= 0 and whole.all()),
        f"a network that gives logits to attack: the outputs of {name} are probabilities, whose "
        "gradients vanish",
        sums_of_outputs=float(answers.sum(axis=-1).mean()) if answers.size else None,
    )


def check_gradient(network: keras.Model, x: Any) -> None:
    """Raises `BadInput` if no gradient reaches the input; in a graph it costs nothing."""
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        logits = network(x, training=False)
    expect(
        tape.gradient(logits, x) is not None,
        "a network whose outputs have a gradient in the input: this attack follows it",
        network=network.name,
    )


def check_images(x: Any) -> None:
    """Raises `BadInput` unless all elements are in [0, 1]."""
    import numpy as np

    values = np.asarray(x)
    if values.size:
        low, high = float(values.min()), float(values.max())
        expect(low >= 0 and high <= 1, "images in [0, 1] to attack", lowest=low, highest=high)


def _last_layer(network: Any) -> Any:
    while getattr(network, "layers", None):
        # A graph of layers says which of them gives its output; the others list them in order.
        history = getattr(getattr(network, "output", None), "_keras_history", None)
        last = history.layer if history is not None else network.layers[-1]
        if last is network:
            break
        network = last
    return network
