"""MIM: steps along a decaying sum of normalized gradients; cleverhans'.

Source: Dong et al. (2018), "Boosting Adversarial Attacks with Momentum". Momentum makes what it
finds transfer better to other networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.attacks.attack import Iterative, check_gradient, logits_of
from ftnoise.core.checks import expect, is_number

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class MIM(Iterative):
    """The momentum iterative method of Dong et al. (2018), which starts at x.

    Args:
        decay: factor of the sum of gradients at each step, >= 0.
    """

    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(is_number(self.decay) and self.decay >= 0, "decay >= 0", decay=self.decay)

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        from cleverhans.tf2.attacks.momentum_iterative_method import momentum_iterative_method

        del seed  # nothing is drawn
        check_gradient(network, x)
        return momentum_iterative_method(
            logits_of(network),
            x,
            eps=self.attack_epsilon,
            eps_iter=self.step,
            nb_iter=self.steps,
            norm=self.ball.order,
            clip_min=0.0,
            clip_max=1.0,
            y=y,
            decay_factor=self.decay,
            # They raise on NumPy 1.24 and later.
            sanity_checks=False,
        )
