"""SPSA: ascent along finite differences in random directions; no gradient is asked for.

Source: Uesato et al. (2018), "Adversarial Risk and the Dangers of Evaluating Against Weak Attacks";
cleverhans' loop and optimizer. It sees what an attacker behind an API sees, the outputs, so masked
gradients do not mislead it.

Deviations
1. Cleverhans' optimizer ignores its learning rate on Keras 2.15 (0.001 instead); here it counts.
2. Start and directions are keyed by (seed, example, step) instead of TensorFlow's global state.
3. An example stops as soon as it is broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import Attack, logits_of
from ftnoise.core.checks import expect, is_count, is_number

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class SPSA(Attack):
    """The attack of Uesato et al. (2018), in an l_inf ball, on float32 examples.

    Args:
        steps: at least 1.
        samples: points that a step looks at, an even number >= 2.
        learning_rate: of Adam, in units of the input, > 0.
        delta: how far from the example the points are, > 0.
    """

    steps: int = 20
    samples: int = 128
    learning_rate: float = 0.01
    delta: float = 0.01

    batch_size: ClassVar[int] = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(isinstance(self.ball, LinfBall), "ball=LinfBall() for SPSA", ball=self.ball)
        expect(is_count(self.steps), "steps to be an integer >= 1", steps=self.steps)
        expect(
            is_count(self.samples, least=2) and self.samples % 2 == 0,
            "samples an even number >= 2",
            samples=self.samples,
        )
        for name in ("learning_rate", "delta"):
            value = getattr(self, name)
            expect(is_number(value) and value > 0, f"{name} > 0", **{name: value})

    @property
    def gradients(self) -> int:
        # A pass there and back costs about two of the passes that it takes.
        return self.steps * self.samples // 2

    @property
    def name(self) -> str:
        return f"SPSA-{self.steps}"

    def longer(self) -> SPSA:
        return replace(self, steps=2 * self.steps)

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        import tensorflow as tf

        def one(example: tuple[Any, Any, Any]) -> Any:
            image, label, number = example
            own = tf.random.experimental.stateless_fold_in(seed, number)
            return self.alone(logits_of(network), image[None], label[None], own)[0]

        # It takes one example at a time.
        return tf.map_fn(
            one,
            (x, y, tf.range(tf.shape(x)[0])),
            fn_output_signature=tf.TensorSpec(x.shape[1:], x.dtype),
            parallel_iterations=1,
        )

    def alone(self, logits: Any, x: Any, y: Any, seed: Any) -> Any:
        """The neighbor of one example, `[1, ...]`."""
        import tensorflow as tf
        from cleverhans.tf2.attacks import spsa

        start_seed, step_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        start = [self.ball.neighbor(x, self.attack_epsilon, start_seed) - x]

        def loss(candidate: Any, label: Any) -> Any:
            found = logits(candidate)
            return -spsa.margin_logit_loss(found, label, nb_classes=found.shape[-1])

        def project(perturbation: Any, epsilon: float, image: Any, **clips: float) -> Any:
            # The first that it is asked for is the start.
            moved = start.pop() if start else perturbation
            return spsa._project_perturbation(moved, epsilon, image, **clips)

        found = spsa.projected_optimization(
            loss,
            x,
            y,
            self.attack_epsilon,
            self.steps,
            _keyed(self, step_seed),
            clip_min=0.0,
            clip_max=1.0,
            early_stop_loss_threshold=0.0,
            project_perturbation=project,
        )
        return self.ball.projection(x, self.attack_epsilon)(found)


def _keyed(attack: SPSA, seed: Any) -> Any:
    """Cleverhans' optimizer with the attack's learning rate and directions that follow from `seed`.

    It makes no variable, which no graph could: so Keras' own beginnings are left out.
    """
    import tensorflow as tf
    from cleverhans.tf2.attacks.spsa import SPSAAdam

    class Keyed(SPSAAdam):
        lr, beta_1, beta_2, epsilon = attack.learning_rate, 0.9, 0.999, 1e-7

        def __init__(self) -> None:
            self._delta, self._num_samples = attack.delta, attack.samples // 2
            self._num_iters, self._compare_to_analytic_grad = 1, False

        def minimize(self, loss_fn: Any, x: Any, optim_state: Any) -> Any:
            now[:] = [tf.cast(optim_state["t"], tf.int32)]
            return super().minimize(loss_fn, x, optim_state)

        def _get_delta(self, x: Any, delta: float) -> Any:
            own = tf.random.experimental.stateless_fold_in(seed, now[0])
            shape = [self._num_samples, *x.shape[1:]]
            coins = tf.random.stateless_uniform(shape, own, dtype=x.dtype)
            return tf.where(coins < 0.5, -delta, delta)

    now: list[Any] = []
    return Keyed()
