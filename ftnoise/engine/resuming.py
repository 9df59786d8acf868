"""Checkpoints of a training, or of the parts of a procedure, in a run's folder."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ftnoise.core.checkpointing import Checkpoint
from ftnoise.core.progress import log
from ftnoise.core.spec import JSON
from ftnoise.engine.environment import arithmetic, environment, repeatable
from ftnoise.store.folders import RunFolder
from ftnoise.store.partial_work import PartialWork, Report

# The last work that this process has completed and other work may start from, by what they share.
ENDS: dict[str, tuple[int, Checkpoint]] = {}
MOST_ENDS = 2  # each can take as much memory as a posterior

# The keys of a checkpoint's state.
KEPT = {"training", "environments", "position"}


class FolderCheckpointing(PartialWork):
    """Checkpointing of a training, or of a part of a procedure, in a run's locked folder.

    `report` gets the number of completed and of all steps, and a text. With `logs`, TensorBoard's
    event files are written. `name` is that of the part; "" for the run itself.
    """

    def __init__(
        self,
        folder: RunFolder,
        report: Report,
        *,
        xla: bool = False,
        logs: bool = True,
        name: str = "",
    ) -> None:
        super().__init__(folder.checkpoint(name), report)
        self.folder, self.xla, self.name = folder, xla, name
        self.logs = logs
        if logs:
            self.log_dir = folder.path / "parts" / name if name else folder.path
        self.state: dict[str, Any] = {}
        self.earlier: list[dict[str, Any]] = []
        # Those of the whole run, parts of parts too.
        self.parts: dict[str, FolderCheckpointing] = {}
        self.position = ""

    @cached_property
    def environment(self) -> dict[str, Any]:
        """That of this process."""
        return environment()

    def part(self, name: str) -> FolderCheckpointing:
        full = f"{self.name}.{name}" if self.name else name
        if full not in self.parts:
            part = FolderCheckpointing(
                self.folder,
                lambda done, total, text: self.report(done, total, f"{name}, {text}"),
                xla=self.xla,
                logs=self.logs,
                name=full,
            )
            part.environment, part.parts = self.environment, self.parts
            before = (self.folder.spec() or {}).get("parts", {})
            part.announced = before.get(full, {}).get("gradients")
            self.parts[full] = part
        return self.parts[full]

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        checkpoint = super().load()
        if checkpoint is None:
            self.repeats = self.announced is None and not self.folder.set_aside()
            return None
        arrays, kept = checkpoint
        if kept.keys() != KEPT:
            self.discard("was written by another version of ftnoise")
            return None
        self.state, self.position = kept["training"], kept["position"]
        self.earlier = [other for other in kept["environments"] if other != self.environment]
        self.repeats = repeatable(kept["environments"][-1], self.environment)
        here = arithmetic(self.environment)
        if others := sorted({arithmetic(other) for other in self.earlier} - {here}):
            log(
                f"{self.folder.id} resumes with {here} after {'; '.join(others)}: its last bits "
                "differ from those of a training in one place."
            )
        return arrays, self.state

    def discard(self, reason: str) -> None:
        self.announced = self.state.get("gradients", self.announced)
        self.state, self.earlier, self.repeats, self.position = {}, [], False, ""
        super().discard(reason)

    def announce(self, announced: Any) -> None:
        self.announced = announced
        spec = self.folder.spec() or {}
        if self.name:
            parts = spec.get("parts", {})
            parts[self.name] = parts.get(self.name, {}) | {"gradients": announced}
            self.folder.write_spec(spec | {"parts": parts})
        else:
            self.folder.write_spec(spec | {"gradients": announced})

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        self.state = state
        environments = [*self.earlier, self.environment]
        kept = {"training": state, "environments": environments, "position": self.position}
        super().save(arrays, kept)

    def remember(self, shared: str, size: int, end: Checkpoint) -> None:
        ENDS.pop(shared, None)
        while len(ENDS) >= MOST_ENDS:
            ENDS.pop(next(iter(ENDS)))
        ENDS[shared] = size, end

    def recall(self, shared: str, size: int) -> Checkpoint | None:
        done, end = ENDS.get(shared, (0, None))
        if end is None or done > size or self.announced is not None:
            return None
        self.save(*end)
        return end

    def progress(self, done: int, total: int, text: str = "") -> None:
        self.position = f"{self.name}, {text}" if self.name else text
        super().progress(done, total, text)

    def summary(self) -> dict[str, JSON]:
        """What spec.json keeps of the training."""
        return {
            # Of the processes before, where a training was resumed in another one.
            "earlier_environments": self.earlier,
            "xla": self.state.get("xla", self.xla),
            "seconds": self.state.get("seconds", 0.0),
            "epochs_per_entry": self.state.get("epochs_per_entry", 1),
            "history": self.state.get("history", []),
            "gradients": self.state.get("gradients", self.announced),
        }


def position(folder: RunFolder) -> str:
    """Where an interrupted training resumes, by its newest checkpoint; "" at the start."""
    states = [(record.content() or {}).get("state", {}) for record in folder.checkpoints()]
    positions = [state["position"] for state in states if state.keys() == KEPT]
    return positions[-1] if positions else ""
