"""What a run leaves behind lies in its folder whole and checked, or not at all.

    runs/<run id>/spec.json                                what was trained, and where
                  weights.json, weights.npz                the trained weights
                  checkpoint.json, checkpoint[-<n>].npz    where a stopped training goes on
                  measures/<measure id>/result.json, .npz  scalars and arrays
                  measures/<measure id>/partial.json, .npz unfinished work of a measure
                  failure.log                              why the last attempt failed
                  .lock                                    held by the one process that writes
    runs/reports/                                          tables and pictures
    runs/injections/                                       answers about users' own models

All JSON and array files of a run are records (see `records.py`): sealed, written atomically, and
not used when damaged. Nothing stored holds an absolute path, so a folder can be moved, committed,
and read where nothing can be written. Whoever writes into a run's folder or sets aside what is
damaged in it holds its lock; reading takes none, and changes nothing. `Store` and `RunFolder` are
the only ones that know where things lie under runs/.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect, is_number
from ftnoise.core.errors import BadInput, RunFailed, StoredDamage
from ftnoise.core.files import (
    LOCK,
    TEMPORARIES,
    failing,
    locked,
    reason,
    remove,
    sweep,
    temporary_file,
    try_lock,
    write_text,
)
from ftnoise.store.records import Checkpoint, Content, Record

if TYPE_CHECKING:
    from numpy import ndarray

PROBE_BYTES = 2**20
# The last is that of a disk of its own, and nobody's to read.
OTHER_FOLDERS = ("reports", "reference", "injections", "lost+found")


class Store:
    """The folder of all runs.

    Args:
        root: need not exist before `prepare`.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._runs: dict[str, RunFolder] = {}

    @property
    def reports(self) -> Path:
        """Folder for reports; the first file written into it makes it."""
        return self.root / "reports"

    @property
    def injections(self) -> Path:
        """Folder for what `ftnoise inject` keeps, a folder in it for each campaign."""
        return self.root / "injections"

    def prepare(self) -> None:
        """Makes the folder and proves, by writing 1 MiB, that there is space in it.

        Raises:
            BadInput: it cannot be made or written, or is full.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with temporary_file(self.root) as file:
                file.write(os.urandom(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadInput(
                "Expected a runs folder that can be written and has space. "
                f"Received: {self.root} ({reason(error)})."
            ) from error
        # Reports have no lock, so only what nobody can still be writing is removed.
        for folder in (self.root, self.reports):
            sweep(folder)

    def run(self, id: str) -> RunFolder:
        """The folder of the run `id` (see `spec.run_id`); it need not exist and is not made.

        The same value each time, since it knows whether this process holds the lock.
        """
        _expect_id("run", id)
        return self._runs.setdefault(id, RunFolder(id, self.root / id))

    def begun(self) -> Iterator[tuple[RunFolder, Content]]:
        """All runs with the content of their spec.json, trained or not, sorted by id."""
        for folder in self._folders():
            if (spec := folder.spec()) is not None:
                yield folder, spec

    def finished(self, beginnings: Iterable[str] = ("",)) -> Iterator[tuple[RunFolder, Content]]:
        """All finished runs with the content of their spec.json, sorted by id.

        Of those whose ids begin like one of `beginnings`; the others are not looked at.
        """
        wanted = tuple(beginnings)
        for folder in self._folders():
            if folder.id.startswith(wanted) and (spec := folder.finished()) is not None:
                yield folder, spec

    def _folders(self) -> list[RunFolder]:
        """The folders of all runs, sorted by id; none where there is no folder of runs.

        Raises:
            BadInput: it is something else, or cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                ids = sorted(e.name for e in entries if _is_id(e.name) and e.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(
                f"Expected a runs folder that can be read. Received: {self.root} ({reason(error)})."
            ) from error
        return [self.run(id) for id in ids]


class RunFolder:
    """What one run leaves behind.

    What is read is None where nothing is stored, and where what is stored is damaged: that is a
    line on stderr, and while this value holds the lock, what is damaged is set aside. A file that
    cannot be read or written at all (no permission, no space, ...) is a `RunFailed`, and what was
    stored before is kept.
    """

    def __init__(self, id: str, path: Path) -> None:
        self.id = id
        self.path = path
        self._lock = path / LOCK
        self._held = False
        self._spec = self._record("spec")
        self._weights = self._record("weights", finite=True)
        self._checkpoint = Checkpoint(path, "checkpoint", owner=id, held=lambda: self._held)
        self._measures: dict[str, Record] = {}

    @property
    def log_dir(self) -> Path:
        """Folder for TensorBoard's event files: the run's own."""
        return self.path

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Gives True if this call got the lock, which it then holds until the block ends.

        It does not wait, and a second call while the first holds the lock gives False. The kernel
        frees the lock of a killed process; what that one left half-written is removed here.

        Raises:
            RunFailed: nothing can be locked here (read-only, no such file system feature, ...).
        """
        with locked(self.path) as mine:
            self._held = self._held or mine
            if mine:
                remove(self.path.rglob(TEMPORARIES))
            try:
                yield mine
            finally:
                self._held = self._held and not mine

    def wait(self, poll: float = 0.5) -> None:
        """Returns when nobody else holds the lock; looks every `poll` seconds.

        Looking takes the lock for an instant, which can make a `locked` elsewhere give False: so
        ask `locked` again after each `wait`.
        """
        while not self._held and self._is_locked():
            time.sleep(poll)

    def _is_locked(self) -> bool:
        with failing("lock", self._lock):
            try:
                descriptor = os.open(self._lock, os.O_RDWR)
            except FileNotFoundError:
                return False
            try:
                return not try_lock(descriptor, fcntl.LOCK_SH)
            finally:
                os.close(descriptor)

    def clean(self) -> None:
        """Removes the log of an earlier failure, for a new attempt under the lock."""
        remove([self.path / "failure.log"])

    def write_failure(self, text: str) -> None:
        """Keeps why an attempt failed, for a reader, in failure.log; if there is space for it."""
        with contextlib.suppress(RunFailed):
            write_text(self.path / "failure.log", text)

    def copy_to(self, target: Store) -> None:
        """Copies spec, weights and measures, verified, into `target`; what is there stays.

        Raises:
            RunFailed: there is nothing sound to copy, or another process holds the lock there.
        """
        there = target.run(self.id)
        with there.locked() as mine:
            if not mine:
                raise RunFailed(f"Expected {there.path} to be free. Received: a locked folder.")
            # The weights come after the spec, so that whoever finds them finds both.
            for here, copy in ((self._spec, there._spec), (self._weights, there._weights)):
                if not here.copy_to(copy):
                    raise RunFailed(f"Expected a sound {here.path} to copy. Received: none.")
            results = self.path.glob("measures/*/result.json")
            for id in sorted(file.parent.name for file in results if _is_id(file.parent.name)):
                self._measure(id).copy_to(there._measure(id))

    def spec(self) -> Content | None:
        """The content of spec.json."""
        return self._spec.judged(lambda content: content)

    def finished(self) -> Content | None:
        """The content of spec.json if it says when the run was finished and the weights are sound.

        Does not need NumPy.
        """
        spec = self.spec()
        return spec if spec and "finished" in spec and self.trained() else None

    def write_spec(self, content: Content) -> None:
        """Writes spec.json; `content["run"]` is the run's canonical form."""
        self._spec.save(content)

    def save_weights(self, weights: list[tuple[str, ndarray]], info: Content) -> None:
        """Stores trained weights (name, values of any shape), in order, and `info` beside them.

        Raises:
            RunFailed: a weight is NaN or infinite; nothing is written then.
        """
        self._weights.save({"info": info}, weights)

    def load_weights(self) -> list[tuple[str, ndarray]] | None:
        """The trained weights, verified, in the order in which they were saved."""
        return self._weights.judged(self._weights.arrays)

    def trained(self) -> bool:
        """True if trained weights are there with their size and SHA-256; does not need NumPy."""
        return self._weights.judged(self._weights.array_bytes) is not None

    def discard_weights(self, reason: str) -> None:
        """Sets trained weights aside that are sound but do not fit, so that they are made again."""
        self._weights.discard(reason)

    def save_checkpoint(self, arrays: dict[str, ndarray], state: Content) -> None:
        """Replaces the checkpoint: arrays (numbers, NaN too) by name, and a JSON state."""
        self._checkpoint.keep(arrays, state)

    def load_checkpoint(self) -> tuple[dict[str, ndarray], Content] | None:
        """The newest checkpoint, verified: arrays by name, and the state."""
        return self._checkpoint.kept()

    def checkpoint_state(self) -> Content | None:
        """The state of the newest checkpoint, whose arrays are not looked at."""
        return self._checkpoint.state()

    def discard_checkpoint(self, reason: str) -> None:
        """Sets a checkpoint aside that is sound but does not fit."""
        self._checkpoint.discard(reason)

    def set_aside(self) -> bool:
        """Whether anything of an earlier attempt at the training was set aside here."""
        stems = ("checkpoint", "weights", "spec")
        return any(any(self.path.glob(f"{stem}*.damaged*")) for stem in stems)

    def drop_checkpoint(self) -> None:
        """Removes the checkpoint, if there is one."""
        self._checkpoint.drop()

    def drop_measures(self) -> None:
        """Removes all results and partial work of measures."""
        folder = self.path / "measures"
        with failing("remove", folder), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def write_measure(
        self,
        measure_id: str,
        scalars: dict[str, float],
        arrays: dict[str, ndarray] | None = None,
        info: Content | None = None,
    ) -> None:
        """Stores the result of a measure, and removes its partial work.

        Args:
            measure_id: see `spec.spec_id`.
            scalars: finite numbers by name.
            arrays: numbers (NaN too) of any shape by name; none at all store no file.
            info: JSON by name, for `read_measure_info` and for whoever looks at the file.

        Raises:
            RunFailed: a scalar is NaN or infinite; nothing is written then.
        """
        record = self._measure(measure_id)
        plain = {name: float(value) for name, value in scalars.items()}
        for name, value in plain.items():
            if not math.isfinite(value):
                raise RunFailed(
                    f"Expected a finite number from {measure_id} of {self.id}. "
                    f"Received: {name}={value}."
                )
        record.save(
            {"scalars": plain, "info": info or {}},
            list(arrays.items()) if arrays else None,
        )
        self.partial_work(measure_id).drop()

    def read_measure(self, measure_id: str) -> dict[str, float] | None:
        """The scalars of a measure by name; its arrays are not looked at."""
        record = self._measure(measure_id)
        return record.judged(lambda content: _scalars(record, content))

    def read_measure_arrays(self, measure_id: str) -> dict[str, ndarray] | None:
        """The arrays of a measure by name, verified; None also if it has none.

        Damaged arrays take the scalars with them, so that the measure is made again.
        """
        record = self._measure(measure_id)
        return record.judged(
            lambda content: dict(record.arrays(content)) if "array_file" in content else None
        )

    def read_measure_info(self, measure_id: str) -> Content | None:
        """The JSON by name that stands beside a measure's numbers."""
        record = self._measure(measure_id)

        def info(content: Content) -> Content:
            if not isinstance(content.get("info"), dict):
                raise StoredDamage(f"{record.path} holds no JSON by name")
            return content["info"]

        return record.judged(info)

    def measured(self, measure_id: str) -> bool:
        """True if a measure's scalars, and its arrays if it has any, are sound; without NumPy."""
        record = self._measure(measure_id)

        def look(content: Content) -> bool:
            _scalars(record, content)
            return "array_file" not in content or len(record.array_bytes(content)) > 0

        return record.judged(look) or False

    def partial_work(self, measure_id: str) -> Checkpoint:
        """What a measure keeps until its result is written."""
        record = self._measure(measure_id)
        owner = f"{self.id}/measures/{measure_id}"
        return Checkpoint(record.folder, "partial", owner=owner, held=lambda: self._held)

    def _measure(self, measure_id: str) -> Record:
        _expect_id("measure", measure_id)
        if measure_id not in self._measures:
            self._measures[measure_id] = self._record("result", f"measures/{measure_id}")
        return self._measures[measure_id]

    def _record(self, stem: str, place: str = "", *, finite: bool = False) -> Record:
        owner = f"{self.id}/{place}" if place else self.id
        return Record(self.path / place, stem, owner=owner, finite=finite, held=lambda: self._held)


def _scalars(record: Record, content: Content) -> dict[str, float]:
    values = content.get("scalars")
    if not isinstance(values, dict) or not all(map(is_number, values.values())):
        raise StoredDamage(f"{record.path} holds something else than numbers")
    return values


def _is_id(id: str) -> bool:
    # The first character keeps out "..", hidden files and options of commands.
    return re.fullmatch(r"[a-z0-9][a-z0-9._+-]*", id) is not None and id not in OTHER_FOLDERS


def _expect_id(kind: str, id: str) -> None:
    expect(_is_id(id), f"a {kind} id of a-z, 0-9 and . _ + - that starts with a-z or 0-9", id=id)
