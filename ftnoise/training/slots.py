"""The slots of a training, which hold its noise and constraints, and their checks."""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import instance
from ftnoise.core.interfaces import (
    Augmentation,
    Gradients,
    Inputs,
    Penalty,
    Procedure,
    Run,
    Weights,
)
from ftnoise.core.lazy import keras


@dataclass(frozen=True, kw_only=True)
class Slots(Procedure):
    """Base of `Training`: the part of it that the loop uses."""

    inputs: Inputs | None = None
    penalty: Penalty | None = None
    gradients: Gradients | None = None
    weights: Weights | None = None
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        instance(Inputs, "a member of Inputs", optional=True, inputs=self.inputs)
        instance(Penalty, "a member of Penalty", optional=True, penalty=self.penalty)
        instance(Gradients, "a member of Gradients", optional=True, gradients=self.gradients)
        instance(Weights, "a member of Weights", optional=True, weights=self.weights)
        instance(
            Augmentation, "a member of Augmentation", optional=True, augmentation=self.augmentation
        )
        if self.gradients:
            self.gradients.check(self.inputs, self.penalty, self.weights)

    @property
    def slug(self) -> str:
        """The members' slugs without the augmentation, which only the hash of an id contains."""
        members = (self.inputs, self.penalty, self.gradients, self.weights)
        return "+".join(member.slug for member in members if member) or "natural"

    @property
    def noisy(self) -> bool:
        return self.gradients is not None and self.gradients.noisy

    @property
    def attacks(self) -> bool:
        return self.inputs is not None and not self.inputs.one_pass

    def build(self, run: Run) -> keras.Model:
        """The untrained network of a run, rebuilt by the `weights` slot."""
        return (self.weights or Weights()).rebuild(run.architecture.build())
