"""Noise mechanisms: the noise that makes a quantity private.

Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), section 3.2. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core.checks import fraction
from ftnoise.core.spec import Spec
from ftnoise.stats import certificates


@dataclass(frozen=True, kw_only=True)
class Mechanism(Spec):
    """Base of the mechanisms.

    Attributes:
        kind: of the noise, as `layers.noisy.Noisy` takes it.
        to: norm in which the noisy quantity has to be close.
    """

    kind: ClassVar[str]
    to: ClassVar[str]

    @abstractmethod
    def scale(self, construction_size: float) -> float:
        """The scale of noise that makes changes of this size private with an epsilon of 1."""


@dataclass(frozen=True, kw_only=True)
class Gaussian(Mechanism):
    """Normal noise that gives (1, delta)-privacy; for changes of the input in l_1 or l_2.

    Args:
        delta: of the construction, in (0, 1); a certificate searches for the best delta instead.
    """

    delta: float = certificates.DELTA

    kind: ClassVar[str] = "gaussian"
    to: ClassVar[str] = "l_2"

    def __post_init__(self) -> None:
        fraction(zero=False, one=False, delta=self.delta)

    def scale(self, construction_size: float) -> float:
        return certificates.gaussian_std(construction_size, self.delta)


@dataclass(frozen=True, kw_only=True)
class Laplace(Mechanism):
    """Laplace noise that gives (1, 0)-privacy; for changes of the input in l_1."""

    kind: ClassVar[str] = "laplace"
    to: ClassVar[str] = "l_1"

    def scale(self, construction_size: float) -> float:
        return construction_size
