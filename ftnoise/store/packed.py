"""Packed runs: spec.json and the scalars of many runs without weights, in one file.

    packed.jsonl.gz    a line with the sorted ids, then a line for each of these runs

Thousands of small networks would be tens of thousands of files. Arrays of measures are left out. A
run folder with a spec.json takes the place of a packed run; whoever locks a packed run gets such a
folder.
"""

from __future__ import annotations

import gzip
import json
import zlib
from functools import cached_property
from itertools import islice
from pathlib import Path

from ftnoise.core.errors import RunFailed
from ftnoise.core.files import write_bytes
from ftnoise.core.progress import log
from ftnoise.core.spec import JSON
from ftnoise.store.records import Content, fits, parsed

FILE = "packed.jsonl.gz"
# The JSON of each record of a run by its path in the run folder, without its suffix.
Packed = dict[str, Content]


class Pack:
    """The file of packed runs; a damaged one counts as empty, and a line on stderr names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of its runs, for which only the beginning of the file is read."""
        return frozenset(self._lines(1)[0])

    @cached_property
    def runs(self) -> dict[str, Packed]:
        """The records of each run, by id."""
        ids, *runs = self._lines()
        return dict(zip(ids, runs, strict=True))

    def add(self, new: dict[str, Packed]) -> None:
        """Adds runs, and records of runs that are there; equal runs give equal bytes.

        Raises `RunFailed` if the file is damaged or cannot be written.
        """
        if self.path.exists() and not self.runs:
            raise RunFailed(
                f"Expected {self.path} to be sound, to add to it. Received: a damaged file."
            )
        runs = self.runs | {id: self.runs.get(id, {}) | records for id, records in new.items()}
        ids = sorted(runs)
        lines = [json.dumps(one, allow_nan=False) for one in (ids, *(runs[id] for id in ids))]
        write_bytes(self.path, gzip.compress("\n".join(lines).encode(), mtime=0))

    def _lines(self, most: int | None = None) -> list[JSON]:
        """The content of the first lines, or of all; a line without ids if it is damaged."""
        try:
            with gzip.open(self.path, "rt", encoding="utf-8") as file:
                lines = [parsed(line) for line in islice(file, most)]
            sound = bool(lines) and fits(lines[0], [str]) and fits(lines[1:], [{"*": dict}])
            if sound and (most or len(lines[0]) == len(lines) - 1):
                return lines
            log(f"Could not use {self.path}: it is not what publish writes.")
        except FileNotFoundError:
            pass
        except (EOFError, OSError, RecursionError, ValueError, zlib.error) as error:
            log(f"Could not use {self.path}: {error}.")
        return [[]]
