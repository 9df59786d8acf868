"""Run folders: what a run leaves behind, and the only code that knows where it lies.

    runs/<run id>/spec.json                                what was trained, and where
                  weights.json, weights.npz                the trained weights
                  checkpoint.json, checkpoint[-<n>].npz    where an interrupted training resumes
                  parts/<part>/checkpoint.json, ...        the same for a part of a procedure
                  measures/<measure id>/result.json, .npz  scalars and arrays
                  measures/<measure id>/partial.json, .npz unfinished work of a measure
                  failure.log                              why the last attempt failed
                  .lock                                    held by the one process that writes
    runs/packed.jsonl.gz                                   runs without folders (see `packed.py`)
    runs/reports/                                          tables and figures
    runs/injections/, robustness/, certifications/, outcomes/   of users' own models and logs

JSON and array files are records (see `records.py`). Nothing stored holds an absolute path, so a
folder can be moved, committed, and read where nothing can be written. Writers, and readers that set
damaged files aside, hold the folder's lock; other readers take none and change nothing.
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
from functools import cached_property
from pathlib import Path

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import (
    LOCK,
    TEMPORARIES,
    failing,
    holder,
    locked,
    read_bytes,
    reason,
    regular,
    remove,
    sweep,
    temporary_file,
    try_lock,
    write_json,
    write_text,
)
from ftnoise.core.lazy import np
from ftnoise.core.progress import log
from ftnoise.store import packed
from ftnoise.store.packed import Pack, Packed
from ftnoise.store.records import Content, Record, Shape

# The last belongs to the file system of a disk of its own.
OWN_FOLDERS = (
    "injections",
    "robustness",
    "certifications",
    "outcomes",
)  # of users' own models and logs
OTHER_FOLDERS = ("reports", "reference", *OWN_FOLDERS, "lost+found")
# Between two looks at a lock, and between two reports that it is held.
POLL_SECONDS, WAITING_SECONDS = 0.2, 60.0
# What is read of an environment and of spec.json by whoever does not hold the lock.
ENVIRONMENT: Shape = {"processor": str, "gpus": [str], "threads": int, "tensorflow": str}
SPEC: Shape = {
    "run": {"seed?": int},
    "data": {"digest": str, "source": str},
    "environment": ENVIRONMENT,
    "earlier_environments?": [ENVIRONMENT],
    "parts?": {"*": dict},
    "weights?": bool,
}
RESULT: Shape = {"scalars": {"*": int | float}, "info": {"red_flags?": [str]}}


def default_root() -> Path:
    """The folder `FTNOISE_RUNS`, which `./reproduce.sh` sets to its own, or `runs` where one is."""
    return Path(os.environ.get("FTNOISE_RUNS") or "runs")


class Store:
    """The folder of all runs, which need not exist before `prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._runs: dict[str, RunFolder] = {}

    @property
    def reports(self) -> Path:
        """Folder for reports; the first file written into it makes it."""
        return self.root / "reports"

    def own(self, kind: str) -> Path:
        """The one of `OWN_FOLDERS` for a kind of result; a folder in it for each."""
        return self.root / kind

    def prepare(self) -> None:
        """Makes the folder, and writes 1 MiB to prove that it has space; else raises `BadInput`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with temporary_file(self.root) as file:
                file.write(os.urandom(2**20))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadInput(
                "Expected a runs folder that can be written and has space. "
                f"Received: {self.root} ({reason(error)})."
            ) from error
        # Reports have no lock, so only files that no process can still be writing are removed.
        for folder in (self.root, self.reports):
            sweep(folder)

    def run(self, id: str) -> RunFolder:
        """The folder of the run `id` (see `experiment.run_id`); it need not exist and is not made.

        The same value each time, since it knows whether this process holds the lock.
        """
        _expect_id("run", id)
        if id not in self._runs:
            path = self.root / id
            packed = self._pack.runs.get(id) if id in self._pack.ids else None
            self._runs[id] = RunFolder(id, path, packed)
        return self._runs[id]

    @cached_property
    def _pack(self) -> Pack:
        return Pack(self.root / packed.FILE)

    def pack(self, runs: Iterable[RunFolder]) -> None:
        """Adds spec.json and scalars of runs to the packed ones; arrays are left out.

        Raises `RunFailed` if what is packed is damaged, or another process writes it.
        """
        with locked(self.root) as mine:
            if not mine:
                raise RunFailed(f"Expected {self.root} to be free. Received: a locked folder.")
            new = {run.id: run.without_arrays() for run in runs}
            Pack(self.root / packed.FILE).add(new)
        vars(self).pop("_pack", None)  # read again
        for id in new:
            self._runs.pop(id, None)

    def begun(self) -> Iterator[tuple[RunFolder, Content]]:
        """All runs with the content of their spec.json, trained or not, sorted by id."""
        for folder in map(self.run, sorted(self._ids())):
            if (spec := folder.spec()) is not None:
                yield folder, spec

    def finished(self, beginnings: Iterable[str] = ("",)) -> Iterator[tuple[RunFolder, Content]]:
        """Finished runs whose ids begin like one of `beginnings`, with their spec.json."""
        wanted = tuple(beginnings)
        ids = (id for id in sorted(self._ids()) if id.startswith(wanted))
        for folder in map(self.run, ids):
            if (spec := folder.finished()) is not None:
                yield folder, spec

    def _ids(self) -> set[str]:
        try:
            with os.scandir(self.root) as entries:
                ids = {e.name for e in entries if _is_id(e.name) and e.is_dir()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise BadInput(
                f"Expected a runs folder that can be read. Received: {self.root} ({reason(error)})."
            ) from error
        return ids.union(filter(_is_id, self._pack.ids))


class RunFolder:
    """What one run leaves behind.

    Reading gives None where nothing is stored, and where it is damaged: then a line on stderr
    names the file, and the holder of the lock sets it aside. A file that cannot be read or written
    at all (no permission, no space, ...) is a `RunFailed` for the holder of the lock, and what was
    stored before is kept; for a reader it is a line and None, so that the other runs are read.
    """

    def __init__(self, id: str, path: Path, packed: Packed | None = None) -> None:
        self.id, self.path = id, path
        self._packed = packed if packed and not self.has_files() else {}
        self._held = False
        self._records: dict[tuple[str, str], Record] = {}
        self._spec = self._record("spec", shape=SPEC)
        self._weights = self._record("weights", shape={"info": dict, "array_file": dict})

    def _record(self, stem: str, place: str = "", *, shape: Shape) -> Record:
        # The same value each time, since it knows which damage it has reported.
        packed = self._packed.get(f"{place}/{stem}".lstrip("/"))
        new = Record(self.path / place, stem, lambda: self._held, shape, packed)
        return self._records.setdefault((place, stem), new)

    def has_files(self) -> bool:
        """Whether it has files of its own, which take the place of what is packed."""
        return (self.path / "spec.json").is_file()

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Gives True if this call got the lock, which it then holds until the block ends.

        See `files.locked`. What a killed process left half-written is removed here, and a packed
        run gets files.
        """
        with locked(self.path) as mine:
            self._held = self._held or mine
            if mine:
                remove(self.path.rglob(TEMPORARIES))
                self._unpack()
            try:
                yield mine
            finally:
                self._held = self._held and not mine

    def _unpack(self) -> None:
        if self._packed and not self.has_files():  # another process may have made them meanwhile
            # The spec last: with it the folder takes the place of what is packed.
            for stem in sorted(self._packed, key="spec".__eq__):
                write_json(self.path / f"{stem}.json", self._packed[stem])
        self._packed = {}
        for record in self._records.values():
            record.packed = None

    def wait(self, name: str) -> None:
        """Returns when no other process holds the lock; reports each minute which one does.

        It takes the lock for an instant, which can make a `locked` elsewhere give False: so call
        `locked` again after each `wait`. `name` is that of the run, for the report.
        """
        lock, reported = self.path / LOCK, -math.inf
        # The folder may be removed meanwhile.
        gone = contextlib.suppress(FileNotFoundError)
        with failing("lock", lock), gone, open(lock, "rb", opener=regular) as file:
            while not self._held and not try_lock(file.fileno(), fcntl.LOCK_SH):
                if time.monotonic() - reported > WAITING_SECONDS:
                    log(f"Waiting for {name}, which {holder(self.path)} works on.")
                    reported = time.monotonic()
                time.sleep(POLL_SECONDS)

    def running(self) -> bool:
        """Whether another process holds the lock; it may take the lock for an instant, as `wait`.

        Only a lock whose holder has named itself is tried.
        """
        try:
            with open(self.path / LOCK, "rb", opener=regular) as file:
                return bool(file.read(1)) and not try_lock(file.fileno(), fcntl.LOCK_SH)
        except OSError:
            return False

    def failure(self) -> str:
        """The last line of failure.log, which says why the last attempt failed; or ""."""
        with contextlib.suppress(OSError, ValueError):
            lines = read_bytes(self.path / "failure.log").decode(errors="replace").split("\n")
            return next((text.strip() for text in reversed(lines) if text.strip()), "")
        return ""

    def clean(self) -> None:
        """Removes the log of an earlier failure, for a new attempt under the lock."""
        remove([self.path / "failure.log"])

    def write_failure(self, text: str) -> Path:
        """Keeps why an attempt failed in failure.log, if there is space; returns its path."""
        with contextlib.suppress(RunFailed):
            write_text(self.path / "failure.log", text)
        return self.path / "failure.log"

    def copy_to(self, target: Store, weights: bool = True) -> None:
        """Copies spec, weights and measures, verified, into `target`; what is there stays.

        Without its `weights` the run there is finished too. Raises `RunFailed` if there is nothing
        sound to copy, or another process holds the lock there.
        """
        there = target.run(self.id)
        if there.path.is_symlink():
            raise RunFailed(f"Expected {there.path} to be a folder of its own. Received: a link.")
        with there.locked() as mine:
            if not mine:
                raise RunFailed(f"Expected {there.path} to be free. Received: a locked folder.")
            spec = self.spec()
            if weights:
                # The weights come after the spec: they mark the run as finished.
                for here, copy in ((self._spec, there._spec), (self._weights, there._weights)):
                    if not here.copy_to(copy):
                        raise RunFailed(f"Expected a sound {here.path} to copy. Received: none.")
            elif spec is None:
                raise RunFailed(f"Expected a sound {self._spec.path} to copy. Received: none.")
            elif not there._weights.stored():
                there.write_spec(spec | {"weights": False})
            for id in self._results():
                self._measure(id).copy_to(there._measure(id))

    def without_arrays(self) -> Packed:
        """The content of spec.json and of the measures' results, without what lists arrays."""
        records = [self._spec, *map(self._measure, self._results())]
        found = {}
        for record in records:
            if (content := record.content()) is not None:
                stem = record.path.relative_to(self.path).with_suffix("").as_posix()
                found[stem] = {name: one for name, one in content.items() if name != "array_file"}
        return found | {"spec": found.get("spec", {}) | {"weights": False}}

    def _results(self) -> list[str]:
        """The ids of the measures with a result file."""
        results = self.path.glob("measures/*/result.json")
        ids = {file.parent.name for file in results} | {
            Path(stem).parent.name for stem in self._packed if stem.endswith("/result")
        }
        return sorted(filter(_is_id, ids))

    def spec(self) -> Content | None:
        """The content of spec.json."""
        return self._spec.content()

    def finished(self, weights: bool = False) -> Content | None:
        """The content of spec.json if the run is finished; the weights are verified on load.

        A run whose weights were not kept is finished too, unless they are needed (`weights`).
        """
        spec = self.spec()
        return spec if spec is not None and self.complete(spec, weights) else None

    def complete(self, spec: Content, weights: bool = False) -> bool:
        """Whether the run with this spec.json is finished; see `finished`."""
        kept = spec.get("weights", True) or weights
        return "finished" in spec and (not kept or self._weights.stored())

    def write_spec(self, content: Content) -> None:
        """Writes spec.json; `content["run"]` is the run's canonical form."""
        self._spec.save(content)

    def save_weights(self, weights: list[tuple[str, np.ndarray]], info: Content) -> None:
        """Stores trained weights (name, values of any shape), in order, and `info` beside them.

        Raises `RunFailed` and writes nothing if a weight is NaN or infinite.
        """
        bad = [name for name, values in weights if not np.isfinite(values).all()]
        if bad:
            raise RunFailed(
                f"Expected finite weights of {self.id}. Received: NaN or infinity in "
                f"{', '.join(bad)}."
            )
        self._weights.save({"info": info}, weights)

    def load_weights(self) -> list[tuple[str, np.ndarray]] | None:
        """The trained weights, verified, in the order in which they were saved."""
        loaded = self._weights.load()
        return None if loaded is None else loaded[1]

    def weights_digest(self) -> str | None:
        """SHA-256 of the file of the trained weights, as it was written; equal weights share it."""
        content = self._weights.content()
        return None if content is None else content["array_file"]["sha256"]

    def discard_weights(self, reason: str) -> None:
        """Sets trained weights aside that are sound but do not fit, so that they are made again."""
        self._weights.discard(reason)

    def checkpoint(self, part: str = "") -> Record:
        """Where an interrupted training, or a part of a procedure, keeps its state."""
        if part:
            _expect_id("part", part)
        return self._record("checkpoint", f"parts/{part}" if part else "", shape={"state": dict})

    def checkpoints(self) -> list[Record]:
        """Those of the run and of its parts that have any file, newest last."""
        newest: dict[str, int] = {}
        for file in [*self.path.glob("checkpoint*"), *self.path.glob("parts/*/checkpoint*")]:
            part = "" if file.parent == self.path else file.parent.name
            with contextlib.suppress(OSError):
                if file.suffix in (".json", ".npz") and (not part or _is_id(part)):
                    newest[part] = max(file.stat().st_mtime_ns, newest.get(part, 0))
        return [self.checkpoint(part) for part in sorted(newest, key=newest.__getitem__)]

    def set_aside(self) -> bool:
        """Whether anything of an earlier attempt at the training was set aside here."""
        names = [file.name for file in self.path.rglob("*.damaged*")]
        return any(name.startswith(("checkpoint", "weights", "spec")) for name in names)

    def drop_checkpoints(self) -> None:
        """Removes the checkpoints of the run and of its parts."""
        for record in self.checkpoints():
            record.drop()

    def drop_measures(self) -> None:
        """Removes all results and partial work of measures."""
        folder = self.path / "measures"
        with failing("remove", folder), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def write_measure(
        self,
        measure_id: str,
        scalars: dict[str, float],
        arrays: dict[str, np.ndarray] | None = None,
        info: Content | None = None,
    ) -> None:
        """Stores the result of a measure, and removes its partial work.

        Raises `RunFailed` and writes nothing if a scalar is NaN or infinite. Arrays are numbers
        (NaN too) of any shape; none at all store no file. `info` is JSON by name, for
        `read_measure_info`.
        """
        for name, value in scalars.items():
            if not math.isfinite(value):
                raise RunFailed(
                    f"Expected a finite number from {measure_id} of {self.id}. "
                    f"Received: {name}={value}."
                )
        plain = {name: float(value) for name, value in scalars.items()}
        content = {"scalars": plain, "info": info or {}}
        self._measure(measure_id).save(content, list((arrays or {}).items()))
        self.partial_work(measure_id).drop()

    def read_measure(self, measure_id: str) -> dict[str, float] | None:
        """The scalars of a measure by name; the arrays are not looked at."""
        content = self._measure(measure_id).content()
        return None if content is None else content["scalars"]

    def read_measure_arrays(self, measure_id: str) -> dict[str, np.ndarray] | None:
        """The arrays of a measure by name, verified; None also if it has none.

        Damaged arrays take the scalars with them, so that the measure is made again.
        """
        loaded = self._measure(measure_id).load()
        return dict(loaded[1]) or None if loaded else None

    def read_measure_info(self, measure_id: str) -> Content | None:
        """The JSON by name that stands beside a measure's numbers."""
        content = self._measure(measure_id).content()
        return None if content is None else content["info"]

    def measured(self, measure_id: str) -> bool:
        """Whether a measure has a result; its arrays are verified when they are read."""
        return self._measure(measure_id).stored()

    def lists(self, measure_id: str) -> bool:
        """Whether a measure has a file of its result, which is not read."""
        stem = f"measures/{measure_id}/result"
        return stem in self._packed or os.path.exists(f"{self.path}/{stem}.json")

    def partial_work(self, measure_id: str) -> Record:
        """What a measure keeps until its result is written."""
        _expect_id("measure", measure_id)
        return self._record("partial", f"measures/{measure_id}", shape={"state": dict})

    def _measure(self, measure_id: str) -> Record:
        _expect_id("measure", measure_id)
        return self._record("result", f"measures/{measure_id}", shape=RESULT)


def _is_id(id: str) -> bool:
    # The first character keeps out "..", hidden files and options of commands.
    return re.fullmatch(r"[a-z0-9][a-z0-9._+-]*", id) is not None and id not in OTHER_FOLDERS


def _expect_id(kind: str, id: str) -> None:
    expect(_is_id(id), f"a {kind} id of a-z, 0-9 and . _ + - that starts with a-z or 0-9", id=id)
