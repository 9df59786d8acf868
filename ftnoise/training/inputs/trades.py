"""TRADES: cross-entropy on the clean example plus the divergence to its worst neighbor.

Source: Zhang et al. (2019), "Theoretically Principled Trade-off between Robustness and Accuracy",
equation 5 and the authors' released training code; equation (6) of the paper reproduced here.

Objective of an example: CE(f(x), y) + beta * KL(softmax f(x) || softmax f(x')). Gradients flow
through both softmaxes. x' climbs the KL in inference mode, from x + start_scale * N(0, 1), as at x
itself the gradient is exactly zero.

Deviations
1. softmax f(x) is a constant of the inner loop and computed once; the released code computes the
   same value again at every step.
2. A network in which no layer behaves differently in training takes x and x' in one forward pass;
   any other gets the released code's three training-mode passes (x, x', x again as the target).
3. `step_size` None means attack_epsilon / 4 in the l_inf ball, and the released code's
   2 * attack_epsilon / steps in the l_2 ball.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball, LinfBall
from ftnoise.attacks.attack import check_ball, check_logits, check_step, check_widest, fewer_steps
from ftnoise.core.checks import count, non_negative, positive
from ftnoise.core.interfaces import Inputs
from ftnoise.core.lazy import keras, tf
from ftnoise.core.preset import Preset


@dataclass(frozen=True, kw_only=True)
class TRADES(Inputs):
    """The `inputs` member of Zhang et al. (2019).

    Args:
        attack_epsilon: radius of the ball, in units of inputs in [0, 1]; from 0 to the ball's
            widest, which is 1 for l_inf.
        beta: weight of the robust term, 1 / lambda of the paper; >= 0.
        steps: steps of the inner maximization; >= 0.
        step_size: length of a step, > 0 and not beyond the ball's widest; None as in deviation 3.
        ball: which neighbors count, `LinfBall` or `L2Ball`.
        start_scale: standard deviation of the start noise, > 0.
    """

    attack_epsilon: float
    beta: float = 1.0
    steps: int = 10
    step_size: float | None = None
    ball: Ball = field(default_factory=LinfBall)
    start_scale: float = 0.001

    needs_unit_range: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_ball(self.ball, self.attack_epsilon)
        check_step(self.ball, self.step_size)
        non_negative(beta=self.beta)
        count(least=0, steps=self.steps)
        positive(start_scale=self.start_scale)

    def scaled(self, preset: Preset) -> TRADES:
        return fewer_steps(self, preset.attack_steps)

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        check_logits(network)
        check_widest(self.ball, shape, attack_epsilon=self.attack_epsilon, step_size=self.step_size)

    @property
    def step(self) -> float:
        """The length of an inner step."""
        if self.step_size is not None:
            return self.step_size
        return self.ball.default_step(self.attack_epsilon, self.steps)

    def objective(self, network: keras.Model, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
        """Losses `[batch]` and the clean logits `[batch, classes]`."""
        adversarial = self.perturb(network, x, seed)
        if same_in_training(network):
            both = network(tf.concat([x, adversarial], axis=0), training=True)
            clean, robust = tf.split(both, 2)
            target = clean
        else:
            clean = network(x, training=True)
            robust = network(adversarial, training=True)
            target = network(x, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, clean)
        return losses + self.beta * kl_divergence(target, robust), clean

    def perturb(self, network: keras.Model, x: Any, seed: Any) -> Any:
        """The examples x' `[batch, ...]` of the robust term."""
        target = tf.stop_gradient(tf.nn.softmax(network(x, training=False)))

        def divergence(candidate: Any) -> Any:
            # The cross-entropy to a constant target differs from the KL by a constant only.
            logits = network(candidate, training=False)
            return tf.nn.softmax_cross_entropy_with_logits(target, logits)

        start = x + self.start_scale * tf.random.stateless_normal(tf.shape(x), seed, dtype=x.dtype)
        return self.ball.ascend(
            divergence,
            x,
            start,
            attack_epsilon=self.attack_epsilon,
            step_size=self.step,
            steps=self.steps,
            seed=seed,
        )


def kl_divergence(target: Any, logits: Any) -> Any:
    """KL(softmax target || softmax logits) per example, `[batch]`, both given as logits."""
    log_p, log_q = tf.nn.log_softmax(target), tf.nn.log_softmax(logits)
    return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=-1)


def same_in_training(network: keras.Model) -> bool:
    """Whether nothing in the network takes a `training` argument (batch norm, dropout, ...)."""
    return not any(
        layer._expects_training_arg
        for layer in network._flatten_layers(include_self=True, recursive=True)
        # Inputs and graphs of layers only pass the argument on.
        if not isinstance(layer, keras.layers.InputLayer)
        and not getattr(layer, "_is_graph_network", False)
    )
