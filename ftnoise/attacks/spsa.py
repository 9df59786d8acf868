"""SPSA: ascent along finite differences in random directions, without gradients of the network.

Source: Uesato et al. (2018), "Adversarial Risk and the Dangers of Evaluating Against Weak Attacks";
cleverhans' loop and optimizer. It uses the outputs alone, as an attacker behind an API does, so
masked gradients do not mislead it.

Deviations
1. Cleverhans' optimizer ignores its learning rate on Keras 2.15 (0.001 instead); here it is used.
2. Start and directions are keyed by (seed, example, step) instead of TensorFlow's global state.
3. An example stops as soon as it is broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import OverDraws
from ftnoise.attacks.target import Target
from ftnoise.core.checks import count, expect, instance, positive
from ftnoise.core.lazy import tf


@dataclass(frozen=True, kw_only=True)
class SPSA(OverDraws):
    """The attack of Uesato et al. (2018), in an l_inf ball, on float32 examples.

    The default budget, 2,560 passes for an example, finds masked gradients, not the accuracy under
    attack: on natural fmnist_dnn at 8/255 it leaves 18 points more than PGD. 100 steps of 512
    samples, 51,200 passes, find what PGD finds (35.0 % stay right).

    Args:
        steps: at least 1.
        samples: points that a step evaluates, an even number >= 2.
        learning_rate: of Adam, in units of the input, > 0.
        delta: distance of the points from the example, > 0.
        draws: over which the loss of a point is averaged; the same for all points of a step.
    """

    steps: int = 20
    samples: int = 128
    learning_rate: float = 0.01
    delta: float = 0.01

    one_graph: ClassVar[bool] = True
    batch_size: ClassVar[int] = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(LinfBall, "LinfBall() for SPSA", ball=self.ball)
        count(steps=self.steps)
        count(least=2, samples=self.samples)
        expect(self.samples % 2 == 0, "an even number of samples", samples=self.samples)
        positive(learning_rate=self.learning_rate, delta=self.delta)

    @property
    def name(self) -> str:
        return f"SPSA-{self.steps}{self.over}"

    def longer(self) -> SPSA:
        return replace(self, steps=2 * self.steps)

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        def one(example: tuple[Any, Any, Any]) -> Any:
            image, label, number = example
            own = tf.random.experimental.stateless_fold_in(seed, number)
            return self.alone(target, image[None], label[None], own)[0]

        # Cleverhans takes one example at a time.
        return tf.map_fn(
            one,
            (x, y, tf.range(tf.shape(x)[0])),
            fn_output_signature=tf.TensorSpec(x.shape[1:], x.dtype),
            parallel_iterations=1,
        )

    def alone(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        """The neighbor of one example, `[1, ...]`."""
        from cleverhans.tf2.attacks import spsa

        fold = tf.random.experimental.stateless_fold_in
        start_seed, step_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = [self.ball.neighbor(x, self.attack_epsilon, start_seed) - x]
        optimizer = _keyed(self, step_seed)

        def loss(candidate: Any, label: Any) -> Any:
            key, losses = optimizer.key(), []
            for number in range(self.draws):
                own = key if self.draws == 1 else fold(key, number)
                logits = target.logits(candidate, own)
                losses.append(spsa.margin_logit_loss(logits, label, nb_classes=logits.shape[-1]))
            return -losses[0] if self.draws == 1 else -tf.add_n(losses) / self.draws

        def project(perturbation: Any, epsilon: float, image: Any, **clips: float) -> Any:
            # The first call is for the start.
            moved = start.pop() if start else perturbation
            return spsa._project_perturbation(moved, epsilon, image, **clips)

        found = spsa.projected_optimization(
            loss,
            x,
            y,
            self.attack_epsilon,
            self.steps,
            optimizer,
            clip_min=0.0,
            clip_max=1.0,
            early_stop_loss_threshold=0.0,
            project_perturbation=project,
        )
        return self.ball.projection(x, self.attack_epsilon)(found)


def _keyed(attack: SPSA, seed: Any) -> Any:
    """Cleverhans' optimizer with the attack's learning rate and directions that follow from `seed`.

    It calls no constructor of Keras, which would make variables: a graph allows none.
    """
    from cleverhans.tf2.attacks.spsa import SPSAAdam

    class Keyed(SPSAAdam):
        lr, beta_1, beta_2, epsilon = attack.learning_rate, 0.9, 0.999, 1e-7

        def __init__(self) -> None:
            self._delta, self._num_samples = attack.delta, attack.samples // 2
            self._num_iters, self._compare_to_analytic_grad = 1, False

        def minimize(self, loss_fn: Any, x: Any, optim_state: Any) -> Any:
            now[:] = [tf.cast(optim_state["t"], tf.int32)]
            return super().minimize(loss_fn, x, optim_state)

        def key(self) -> Any:
            """The int64 pair of the step."""
            return tf.random.experimental.stateless_fold_in(seed, now[0])

        def _get_delta(self, x: Any, delta: float) -> Any:
            shape = [self._num_samples, *x.shape[1:]]
            coins = tf.random.stateless_uniform(shape, self.key(), dtype=x.dtype)
            return tf.where(coins < 0.5, -delta, delta)

    now: list[Any] = []
    return Keyed()
