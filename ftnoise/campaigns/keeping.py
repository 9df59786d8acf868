"""What a campaign leaves behind in a folder of its own, and where one that was stopped goes on.

    injection.json           the answer and what it was made of, sealed; written last
    injection.npz            whether each mask leaves each example right; the JSON names its arrays
    injection.csv            a line for each amount
    injection.png, .pdf      accuracy against the amount of faults
    partial.json, .npz       what was found so far, until there is an answer
    .lock                    held by the one process that works here

Nothing here depends on when it was made or how often it was interrupted, so the same question about
the same model has the same bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.campaigns.injection import Injection
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import TEMPORARIES, locked, remove, write_bytes
from ftnoise.core.spec import JSON, digest
from ftnoise.store.records import Checkpoint, PartialWork, Record

if TYPE_CHECKING:
    from ftnoise.core.checkpointing import Checkpointing

STEM = "injection"
SUFFIXES = ("json", "npz", "csv", "png", "pdf")
# Of a line, in the CSV; `golden_accuracy` and `seed` stand in front.
COLUMNS = (
    "amount", "share", "faults", "masks", "accuracy", "spread", "low", "high", "free_low",
    "free_high", "method", "silent_corruptions", "distance_mean", "distance_max", "not_finite",
    "unclear", "mask_error", "example_error", "enlarge",
)  # fmt: skip


def folder_name(model: str, of: dict[str, JSON]) -> str:
    """`<model>-<8 hex digits>`: a folder for the campaign that is made of this."""
    name = re.sub("[^a-z0-9_]+", "-", model.lower()).strip("-_") or "model"
    return f"{name}-{digest(of)[:8]}"


class InjectionFolder:
    """The folder of one campaign.

    Args:
        path: need not exist.
        of: what the campaign is made of; see `identity.made_of`.

    Attributes:
        stored: the answer that is there, once the lock is held; None if there is none.
    """

    def __init__(self, path: Path, of: dict[str, JSON]) -> None:
        self.path, self._of, self._identity = path, of, digest(of)
        self.stored: Injection | None = None
        self._record = Record(path, STEM, owner=STEM)
        self._partial = Checkpoint(path, "partial", owner=STEM)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock inside the block.

        Raises:
            RunFailed: another process works here, or nothing can be locked.
            BadInput: another campaign's answer or unfinished work is there.
        """
        with locked(self.path) as mine:
            if not mine:
                raise RunFailed(
                    f"Expected {self.path} to be free. Received: a folder in which another process "
                    "works; wait for it, or name another folder."
                )
            # What a killed process left half-written; folders below may be somebody else's.
            remove(self.path.glob(TEMPORARIES))
            content = self._record.judged(lambda content: content)
            self._check((content or {}).get("identity"))
            self._check((self._partial.state() or {}).get("identity"))
            self.stored = self._answer()
            yield

    def _check(self, identity: str | None) -> None:
        if identity not in (None, self._identity):
            raise BadInput(
                f"Expected {self.path} to be empty or of this campaign. Received: one of another "
                "model, data or question; name another folder."
            )

    def _answer(self) -> Injection | None:
        found = self._record.judged(lambda content: (content, dict(self._record.arrays(content))))
        try:
            return None if found is None else Injection.from_json(*found)
        except BadInput:
            self._record.discard("was written by another version of ftnoise")
            return None

    def checkpointing(
        self, report: Callable[[int, int, str], None], say: Callable[[str], None]
    ) -> Checkpointing:
        """Where the campaign keeps what it has found so far; the lock is held."""
        return PartialWork(self._partial, report, say)

    def write(self, injection: Injection, about: dict[str, JSON]) -> None:
        """Writes what is missing of the answer, and drops the partial work; the lock is held.

        Args:
            injection: the answer.
            about: further facts for whoever reads the JSON.

        Raises:
            RunFailed: it cannot be written (no space, ...).
        """
        files = {suffix: self.path / f"{STEM}.{suffix}" for suffix in SUFFIXES}
        missing = [suffix for suffix, file in files.items() if not (self.stored and file.exists())]
        if "csv" in missing:
            write_bytes(files["csv"], table(injection))
        if {"png", "pdf"} & {*missing}:
            for suffix, content in picture(injection).items():
                write_bytes(files[suffix], content)
        # Last, so that whoever finds it finds the others.
        if self.stored is None:
            self._record.save(
                {
                    **injection.to_json(),
                    "made_of": {**self._of, **about},
                    "identity": self._identity,
                },
                list(injection.arrays().items()),
            )
        self._partial.drop()


def table(injection: Injection) -> bytes:
    """A line for each amount, as CSV."""
    from ftnoise.report.records import csv_of

    shared = (injection.model, injection.golden_accuracy, injection.seed)
    lines = [(*shared, *(getattr(line, name) for name in COLUMNS)) for line in injection.lines]
    return csv_of(("model", "golden_accuracy", "seed", *COLUMNS), lines)


def picture(injection: Injection) -> dict[str, bytes]:
    """The curve, as PNG and PDF."""
    from ftnoise.report.fault_curve import plot

    lines, golden = injection.lines, injection.golden_accuracy
    shares = all(line.share is not None for line in lines)
    return plot(
        [100 * (line.share or 0) if shares else line.faults for line in lines],
        [line.accuracy for line in lines],
        [line.low for line in lines],
        [line.high for line in lines],
        golden=golden,
        x_title=f"Faulty places{' (%)' if shares else ''}: {injection.fault.label}",
        band=f"{100 * injection.confidence:g} % interval of the mean over masks: {lines[0].method}",
    )
