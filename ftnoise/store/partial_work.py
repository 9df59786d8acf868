"""Checkpointing of unfinished work in a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.store.records import Record

Report = Callable[[int, int, str], None]


class PartialWork(Checkpointing):
    """Checkpointing of unfinished work in a record until its result is written, with progress.

    `report` gets the number of completed and of all units of work, and a text.
    """

    def __init__(self, work: Record, report: Report) -> None:
        self.work, self.report = work, report

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        kept = self.work.load()
        return None if kept is None else (dict(kept[1]), kept[0]["state"])

    def discard(self, reason: str) -> None:
        self.work.discard(reason)

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        self.work.save({"state": state}, list(arrays.items()))

    def progress(self, done: int, total: int, text: str = "") -> None:
        self.report(done, total, text)
