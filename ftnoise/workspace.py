"""What specs are handed when they work: a place to keep things, and a trained model to look at.

A `Workspace` is what long work may keep and say while it goes on; its base keeps nothing and says
nothing. The runner hands trainings one that writes into the run's folder; a caller from Python
who only wants the trained model hands none. A `Subject` is what a measure is asked about, and an
`Answer` what it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftnoise.spec import Run


class Workspace:
    """Base: no checkpoint, no TensorBoard, no progress.

    Attributes:
        log_dir: folder for TensorBoard's event files, or None for none.
        xla: compile the training step with XLA (faster on some GPUs, slower on CPUs).
        repeats: whether steps that an earlier process may have taken after the newest checkpoint
            come out the same again, bit for bit.
        announced: what the gradients' updater announced last (see `gradients/updater.py`), or an
            upper bound on it, where it is known without a checkpoint.
    """

    log_dir: Path | None = None
    xla: bool = False
    repeats: bool = True
    announced: Any = None

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The newest checkpoint as (arrays by name, JSON state), or None at the start."""
        return None

    def discard(self, reason: str) -> None:
        """Takes the checkpoint out of the way because it cannot be used."""
        self.repeats = False

    def announce(self, announced: Any) -> None:
        """Keeps, before the first step and beside any checkpoint, what `at_most` gave."""
        self.announced = announced

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps a checkpoint: arrays by name and a JSON state."""

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Says that `done` of `total` units of work are behind."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a measure is asked about.

    Attributes:
        network: the trained `keras.Model`, giving logits; measures leave it bit-identical.
        data: the arrays that it was trained and is tested on.
        run: the run that it comes from.
        partial: folder for partial work of this measure, kept if it is interrupted.
        workspace: where it may say how far it is.
        record: what is known of the training: the content of the run's spec.json.
    """

    network: Any
    data: Any
    run: Run
    partial: Path
    workspace: Workspace
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a measure found: finite scalars by name, and arrays by name."""

    scalars: dict[str, float]
    arrays: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
