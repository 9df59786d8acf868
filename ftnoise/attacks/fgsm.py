"""FGSM: one step of the ball's radius along the gradient of the cross-entropy.

Source: Goodfellow et al. (2015), "Explaining and Harnessing Adversarial Examples". In l_2 the step
is along the gradient itself.

Deviations
1. In l_2 cleverhans goes less far along a gradient shorter than 1e-6, as at very confident
   predictions. Here a step has its full length wherever the gradient is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.attacks.attack import OverDraws
from ftnoise.attacks.target import Target


@dataclass(frozen=True, kw_only=True)
class FGSM(OverDraws):
    """The fast gradient sign method of Goodfellow et al. (2015)."""

    @property
    def trains(self) -> bool:
        return True

    def adversarial(self, target: Target, x: Any, y: Any, seed: Any) -> Any:
        radius = self.attack_epsilon
        how = {"attack_epsilon": radius, "step_size": radius, "steps": 1, "seed": seed}
        return target.ascend(self.ball, x, y, x, self.draws, **how)
