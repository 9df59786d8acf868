"""FGSM: one step of the ball's radius along the gradient of the cross-entropy.

Source: Goodfellow et al. (2015), "Explaining and Harnessing Adversarial Examples". In l_2 the step
is along the gradient itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.attack import Attack, loss_gradient

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class FGSM(Attack):
    """The fast gradient sign method of Goodfellow et al. (2015)."""

    stepwise: ClassVar[bool] = True

    @property
    def trains(self) -> bool:
        return True

    def adversarial(self, network: keras.Model, x: Any, y: Any, seed: Any) -> Any:
        return self.ball.ascend(
            loss_gradient(network, y),
            x,
            x,
            attack_epsilon=self.attack_epsilon,
            step_size=self.attack_epsilon,
            steps=1,
            seed=seed,
        )
