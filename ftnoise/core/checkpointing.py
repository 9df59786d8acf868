"""Checkpoints, logs and progress of long work: a training, a measure.

The base keeps nothing and reports nothing, so that a caller from Python who only wants the trained
network passes none. The runner passes one that writes into the run's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Arrays by name, and a JSON state.
Checkpoint = tuple[dict[str, Any], dict[str, Any]]


class Checkpointing:
    """Base: no checkpoint, no TensorBoard, no progress.

    Attributes:
        log_dir: folder for TensorBoard's event files, or None for none.
        xla: compile the training step with XLA (faster on some GPUs, slower on CPUs).
        repeats: whether steps that an earlier process may have taken after the newest checkpoint
            come out the same again, bit for bit.
        announced: the last value of the gradients' updater's `announce` (see
            `interfaces.Updater`), or an upper bound on it if that needs no checkpoint.
    """

    log_dir: Path | None = None
    xla: bool = False
    repeats: bool = True
    announced: Any = None

    def load(self) -> Checkpoint | None:
        """The newest checkpoint as (arrays by name, JSON state), or None at the start."""
        return None

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps a checkpoint: arrays by name and a JSON state."""

    def discard(self, reason: str) -> None:
        """Sets aside a checkpoint that cannot be used."""
        self.repeats = False

    def announce(self, announced: Any) -> None:
        """Keeps the value of `at_most`, before the first step and outside any checkpoint."""
        self.announced = announced

    def remember(self, shared: str, size: int, end: Checkpoint) -> None:
        """Lets later work of this process start where this one has ended: at what `save` got last.

        `shared` identifies all that the two have in common: with it, they differ in size alone. The
        larger one does all that the smaller one does, and then more.
        """

    def recall(self, shared: str, size: int) -> Checkpoint | None:
        """What was remembered of work of at most this size, for work without a checkpoint."""
        return None

    def part(self, name: str) -> Checkpointing:
        """Checkpointing of its own for one part of a procedure, such as `round-3`.

        A part that is finished keeps its last checkpoint until the whole run is finished, so a
        resumed procedure gets its result at once.
        """
        return self

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Reports that `done` of `total` units of work are completed."""
