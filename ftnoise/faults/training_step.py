"""A model's compiled training step, with faults in the calls for which they were announced.

Keras does not notify callbacks of an exception, and a training may stop anywhere. So faults are
announced for each step anew. This object replaces the compiled step of Keras: it injects the faults
for the call, and removes them before it returns or raises. A step that is not announced is
fault-free, compiled as if there were no faults.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import keras

from ftnoise.faults.injection import put_aside


class Member(Protocol):
    """Faults that may be in force in a step."""

    def disarm(self) -> bool:
        """Whether the step that begins is faulty; the next one has to be announced again."""

    def in_force(self) -> contextlib.AbstractContextManager[None]:
        """Operations traced in the block are faulty."""


class TrainingStep:
    """Replaces `model.train_function`; use `TrainingStep.of(model)`."""

    def __init__(self, model: keras.Model) -> None:
        self.model, self.fault_free = model, model.train_function
        self.members: list[Member] = []
        # A step for each set of members that were in force together.
        self.compiled: dict[tuple[Member, ...], Any] = {}

    @classmethod
    def of(cls, model: keras.Model) -> TrainingStep:
        """The model's, which is put in its site if it has none."""
        found = model.train_function
        if isinstance(found, cls):
            return found
        step = cls(model)
        vars(model)["train_function"] = step
        return step

    def join(self, member: Member) -> None:
        """From now on, steps that the member has announced are faulty."""
        # A step compiled for the member may belong to a former training.
        self.compiled.clear()
        self.members.append(member)

    def leave(self, member: Member) -> None:
        """Undoes `join`; the last one takes this object from the model."""
        self.compiled.clear()
        self.members.remove(member)
        if not self.members and self.model.train_function is self:
            vars(self.model)["train_function"] = self.fault_free

    def __call__(self, iterator: Any) -> Any:
        """One call of the compiled step, as Keras makes it."""
        active = tuple([member for member in self.members if member.disarm()])
        if not active:
            return self.fault_free(iterator)
        if active not in self.compiled:
            with put_aside(self.model):
                self.compiled[active] = self.model.make_train_function()
        with contextlib.ExitStack() as stack:
            for member in active:
                stack.enter_context(member.in_force())
            return self.compiled[active](iterator)
