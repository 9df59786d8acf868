"""How losses become an update: what a member of the `gradients` slot starts for one training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftnoise.spec import JSON

Objective = Callable[[], tuple[Any, Any]]


class Updater:
    """Base: plain gradients' bookkeeping, which is none.

    Attributes:
        optimizer: the Keras optimizer, whose variables a checkpoint holds.
        metrics: Keras metrics of its own, reset at the start of each epoch and logged.
        discloses: what is measured on the training examples meanwhile may be logged.
    """

    optimizer: Any
    metrics: tuple[Any, ...] = ()
    discloses: bool = True

    def batch(self, order: Any, step: Any) -> tuple[Any, Any]:
        """The examples of a step.

        Args:
            order: this epoch's permutation of the examples, int32 `[examples]`.
            step: number of the step since the start of the training, int64 scalar.

        Returns:
            Indices `[batch]`, and for each whether it counts, bool `[batch]`; None if all do.
        """
        raise TypeError(f"{type(self).__name__} has no batch.")

    def update(self, objective: Objective, penalty: Callable[[], Any] | None, present: Any) -> Any:
        """One step.

        Args:
            objective: gives losses `[batch]` and logits `[batch, classes]`; called once.
            penalty: gives a scalar to be added to the mean loss, or None.
            present: which examples count, from `batch`.

        Returns:
            The mean loss, penalty included, and the logits.
        """
        raise TypeError(f"{type(self).__name__} has no update.")

    def resume(self, kept: JSON, step: int, repeats: bool) -> None:
        """Called once before the first step of this process.

        Args:
            kept: what `announce` gave last, or None at the very start.
            step: number of the step that comes next.
            repeats: whether steps that an earlier process may have taken after `step` come out the
                same, bit for bit; False also if `kept` should be there and was lost.
        """

    def at_most(self) -> JSON:
        """What `announce` would give before the last step: all that this process may release."""
        return None

    def announce(self, step: int) -> JSON:
        """What a checkpoint keeps before the steps up to number `step` (exclusive) are taken."""
        return None
