"""FGSM: one step of the ball's radius along the gradient of the cross-entropy.

Source: Goodfellow et al. (2015), "Explaining and Harnessing Adversarial Examples". In l_2 the step
is along the gradient itself.

Deviations
1. In l_2 cleverhans goes less far along a gradient shorter than 1e-6, as where a network is sure of
   its answer. Here a step has its length wherever the gradient is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.compiled import climb

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
        return climb(
            network,
            self.ball,
            x,
            y,
            x,
            attack_epsilon=self.attack_epsilon,
            step_size=self.attack_epsilon,
            steps=1,
            seed=seed,
        )
