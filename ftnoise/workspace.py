"""What specs are handed when they work, and what measures answer.

A `Workspace` is what long work may keep and say while it goes on; its base keeps nothing and says
nothing. The runner hands trainings and measures one that writes into the run's folder; a caller
from Python who only wants the trained model hands none. A `Subject` is what a measure is asked
about, and an `Answer` what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftnoise.spec import JSON, Run, expect, is_name, is_number


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

    def say(self, text: str) -> None:
        """Says a sentence that whoever waits should read."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a measure is asked about.

    Attributes:
        network: the trained `keras.Model`, giving logits; measures leave it bit-identical.
        data: the arrays that it was trained and is tested on.
        run: the run that it comes from.
        workspace: where it may say how far it is, and keep what it has found so far: what `save`
            was handed last, `load` gives to the next process, if this one is killed.
        record: what is known of the training: the content of the run's spec.json.
        others: the trained networks of the runs that the measure's `others(run)` names, by run;
            each is loaded when it is asked for. Measures leave them bit-identical too.
    """

    network: Any
    data: Any
    run: Run
    workspace: Workspace
    record: dict[str, Any] = field(default_factory=dict)
    others: Mapping[Run, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a measure found.

    Names are lower case letters, digits and _.

    Attributes:
        scalars: finite numbers by name.
        arrays: numbers (NaN too) of any shape by name.
        info: JSON by name: what is no number, such as the names of layers. `measure` is taken, for
            the measure itself.
    """

    scalars: dict[str, float]
    arrays: dict[str, Any] = field(default_factory=dict)
    info: dict[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ("scalars", "arrays", "info"):
            names = list(getattr(self, kind))
            expect(
                all(map(is_name, names)),
                f"{kind} named in lower case letters, digits and _",
                names=names,
            )
        expect("measure" not in self.info, "info without `measure`", names=list(self.info))
        expect(is_json(self.info), "info to be JSON with finite numbers", info=self.info)


def is_json(value: object) -> bool:
    """Whether a value comes back as it is when it is written as JSON: no tuple, no NumPy number."""
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and all(map(is_json, value.values()))
    if isinstance(value, list):
        return all(map(is_json, value))
    return (
        value is None
        or type(value) in (str, bool)
        or (type(value) in (int, float) and is_number(value))
    )
