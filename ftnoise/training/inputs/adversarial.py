"""Adversarial training: cross-entropy on the adversarial examples of each batch.

Source: Madry et al. (2018), "Towards Deep Learning Models Resistant to Adversarial Attacks";
Algorithm 1 of the paper reproduced here. With `FGSM` it is that of Goodfellow et al. (2015).

Deviations
1. The logged training accuracy is that on the attacked examples; the clean one would cost another
   forward pass. (The training accuracy of a table is measured after training, on clean examples.)
2. The attack sees the network in inference mode (`attacks/pgd.py`); the loss in training mode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ftnoise.attacks.attack import Attack
from ftnoise.core.checks import expect
from ftnoise.core.interfaces import Inputs
from ftnoise.core.lazy import keras, tf
from ftnoise.core.preset import Preset


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Inputs):
    """The `inputs` member of Madry et al. (2018).

    Args:
        attack: a gradient attack of one ascent: `FGSM`, or `PGD` with one restart.
    """

    attack: Attack

    needs_unit_range: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect(
            isinstance(self.attack, Attack) and self.attack.trains,
            "attack to be a gradient attack of one ascent, FGSM or PGD with one restart",
            attack=self.attack,
        )

    @property
    def slug(self) -> str:
        return f"adversarial_{self.attack.slug}"

    def scaled(self, preset: Preset) -> AdversarialTraining:
        return replace(self, attack=self.attack.at_most(preset.attack_steps))

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        self.attack.check(network, shape)

    def objective(self, network: keras.Model, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
        """Losses `[batch]` and logits `[batch, classes]`, both on the attacked examples."""
        logits = network(self.attack.perturb(network, x, y, seed), training=True)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits
