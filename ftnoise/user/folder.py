"""The folder of a measurement of a user's model: its result, and unfinished work to resume.

    <name>.json, .npz        the result, what it was made of, and its arrays
    <name>.csv               its lines
    <name>.png, .pdf         its curve
    partial-<id>.json, .npz  the work so far, until there is a result
    .lock                    held by the process that works here

The files do not depend on the time or on interruptions: equal work has equal bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import TEMPORARIES, holder, locked, remove, write_bytes, write_text
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.core.progress import line
from ftnoise.core.spec import JSON, digest
from ftnoise.store.partial_work import PartialWork
from ftnoise.store.records import Record
from ftnoise.user.text import csv

SUFFIXES = ("json", "npz", "csv", "png", "pdf")


class Result(ABC):
    """What a measurement gives.

    Attributes:
        model: its name.
        arrays: those from which, with the JSON, the result is restored.
    """

    model: str
    arrays: dict[str, np.ndarray]

    @property
    @abstractmethod
    def lines(self) -> Any:
        """The lines of its table, as a `pandas.DataFrame` for `named_lines`."""

    @abstractmethod
    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays."""
        return self.arrays

    @property
    def named_lines(self) -> pandas.DataFrame:
        """The lines, with the model in front."""
        frame = self.lines.copy()
        frame.insert(0, "model", self.model)
        return frame

    def to_csv(self) -> str:
        """The named lines."""
        return csv(self.named_lines)

    @abstractmethod
    def figure(self) -> dict[str, bytes]:
        """Its curve, by suffix (`png`, `pdf`)."""


R = TypeVar("R", bound=Result)


@dataclass(frozen=True, kw_only=True)
class Job(Generic[R]):
    """A measurement of a model.

    Attributes:
        name: of the result's files.
        model: name of the model.
        identify: SHA-256 (hex) of all that the result depends on.
        shape: types of the fields of the stored JSON, without `identity`.
        run: measures, with checkpoints.
        load: the result from the stored JSON and arrays.
        about: further facts for a reader of the JSON.
    """

    name: str
    model: str
    identify: Callable[[], str]
    shape: dict[str, Any]
    run: Callable[[Checkpointing], R]
    load: Callable[[dict[str, Any], Mapping[str, np.ndarray]], R]
    about: dict[str, JSON] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        """What `identify` gives, computed for a result that is stored."""
        return self.identify()

    @property
    def folder(self) -> str:
        """The name of its own folder."""
        name = re.sub(r"\W+", "-", self.model.lower())
        return f"{name}-{self.identity[:8]}"


@contextlib.contextmanager
def stored(job: Job[R], path: Path, report: Callable[[int, int, str], None]) -> Iterator[R]:
    """The stored result of a job, or a new one; missing files are written after the block.

    The folder need not exist. `report` gets the number of completed and of all units of work, and a
    text. Raises `BadInput` if the result or the unfinished work of another job is here, and
    `RunFailed` if another process works here, or a file cannot be written (no space, ...).
    """
    record = Record(path, job.name, shape={"identity": str, "array_file": dict, **job.shape})
    partial = Record(path, f"partial-{job.identity[:8]}")
    with locked(path) as mine:
        if not mine:
            raise RunFailed(
                f"Expected {path} to be free. Received: a folder in which {holder(path)} works; "
                "wait for it, or choose another folder."
            )
        remove(path.glob(TEMPORARIES))  # of a killed process
        known = record.load()
        others = set(path.glob("partial-*.json")) - {partial.path}
        if others or (known and known[0].get("identity") != job.identity):
            raise BadInput(
                f"Expected {path} to be empty or of this measurement. Received: a folder with "
                "work on another model, data or settings; choose another folder."
            )
        if known is None:
            result = job.run(PartialWork(partial, report))
        else:
            line("Cached: this was measured before.")
            result = job.load(known[0], dict(known[1]))
        yield result
        files = {suffix: path / f"{job.name}.{suffix}" for suffix in SUFFIXES}
        if known is None or not all(file.exists() for file in files.values()):
            write_text(files["csv"], result.to_csv())
            for suffix, picture in result.figure().items():
                write_bytes(files[suffix], picture)
        if known is None:  # last: it marks the others as complete
            content = {"identity": job.identity, **job.about, **result.to_json()}
            record.save(content, list(result.to_arrays().items()))
        partial.drop()


def content_id(network: keras.Model, settings: JSON, arrays: Sequence[np.ndarray]) -> str:
    """SHA-256 (hex) of a network's architecture and weights, of settings and arrays.

    The code of a user's own layers enters by the arrays only, if their outputs are among them.
    """
    try:
        architecture = network.to_json()
    except (NotImplementedError, TypeError, ValueError):  # a layer without a config
        architecture = " ".join(type(layer).__qualname__ for layer in network.layers)
    found = hashlib.sha256(digest([architecture, settings]).encode())
    for array in (*network.get_weights(), *arrays):
        found.update(array.tobytes())
    return found.hexdigest()
