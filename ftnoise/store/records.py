"""A record is a JSON file and the array file that it may list; both are replaced at once.

The array file (`weights.npz` or `weights-2.npz`, in turn) counts once the JSON that lists it, with
its size and SHA-256, is in place. So a process killed at any moment leaves the old record or the
new one. Damaged files are never used: they count as missing, one line on stderr says so, and the
holder of the folder's lock sets them aside as `<file>.damaged`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import TypeAlias, TypeVar
from zipfile import BadZipFile

from ftnoise.core import stopping
from ftnoise.core.errors import RunFailed, StoredDamage
from ftnoise.core.files import NoFile, failing, read_bytes, reason, remove, write_bytes, write_json
from ftnoise.core.lazy import np
from ftnoise.core.progress import log
from ftnoise.core.spec import JSON

T = TypeVar("T")
Content = dict[str, JSON]
# What JSON has to be: a type, `[shape]` for a list, or the shapes of an object's names; other names
# may be there, and a name that ends in ? may be missing. The name * is the shape of all values.
Shape: TypeAlias = "type | UnionType | list[Shape] | dict[str, Shape]"
# What reading a damaged JSON or array file may raise.
DAMAGE = (AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError, BadZipFile)


class Record:
    """The files `<stem>.json` and `<stem>.npz` (or `<stem>-<n>.npz`) of a folder.

    The folder need not exist before `save`. `held` is whether this process holds its lock, so that
    it may set damaged files aside. JSON of another `shape` is damaged. `packed` is the content, if
    it is no file; see `packed.py`.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        held: Callable[[], bool] = lambda: True,
        shape: Shape = dict,
        packed: Content | None = None,
    ) -> None:
        self.folder, self.stem, self.shape, self.packed = folder, stem, shape, packed
        self.path = folder / f"{stem}.json"
        self._held = held
        self._told = ""

    def save(self, content: Content, arrays: Sequence[tuple[str, np.ndarray]] = ()) -> None:
        """Replaces the record; the name `array_file` in `content` is reserved.

        Arrays are numbers (NaN too) of any shape, by name and in order; none store no file. Raises
        `RunFailed`, and the old record stays, if it cannot be written or an array holds no numbers.
        """
        try:
            if arrays:
                packed, entries = _pack(arrays)
                first, second = f"{self.stem}.npz", f"{self.stem}-2.npz"
                name = second if self._listed() == first else first
                write_bytes(self.folder / name, packed)
                content = content | {
                    "array_file": {
                        "name": name,
                        "bytes": len(packed),
                        "sha256": hashlib.sha256(packed).hexdigest(),
                        "entries": entries,
                    }
                }
            write_json(self.path, content)
            self.packed = None
        finally:
            self._remove_unlisted()

    def content(self) -> Content | None:
        """The JSON; None if there is none, or if it is damaged."""
        return self._read(lambda content: content)

    def stored(self) -> bool:
        """Whether the JSON is there, and its array file has its size; neither NumPy nor hashing."""

        def has_size(content: Content) -> bool:
            if (listing := content.get("array_file")) is not None:
                file = self._array_file(listing)
                if file.stat().st_size != listing["bytes"]:
                    raise StoredDamage(f"{file} has another size than {self.path.name} lists")
            return True

        return self._read(has_size) or False

    def load(self) -> tuple[Content, list[tuple[str, np.ndarray]]] | None:
        """The JSON and its arrays in order, verified; None if missing or damaged."""

        def with_arrays(content: Content) -> tuple[Content, list[tuple[str, np.ndarray]]]:
            if (listing := content.get("array_file")) is None:
                return content, []
            file = self._array_file(listing)
            packed = read_bytes(file)
            if hashlib.sha256(packed).hexdigest() != listing["sha256"]:
                raise StoredDamage(f"{file} has another SHA-256 than {self.path.name} lists")
            names = [entry["name"] for entry in listing["entries"]]
            with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
                arrays = [archive[f"arr_{n}"] for n in range(len(archive.files))]
            return content, list(zip(names, arrays, strict=True))

        return self._read(with_arrays)

    def copy_to(self, other: Record) -> bool:
        """Makes `other` hold what this record holds; False if there is nothing sound to copy.

        An equal record is not written again, so its array file keeps its name. A packed one, which
        lacks its arrays, replaces none.
        """
        here, there = self.load(), other.load()
        if here is None:
            return False
        if self.packed is not None and there is not None:
            return True
        if there is None or _without_name(there[0]) != _without_name(here[0]):
            content = {name: value for name, value in here[0].items() if name != "array_file"}
            other.save(content, here[1])
        return True

    def discard(self, reason: str) -> None:
        """Sets aside, under the lock, a record that is intact but cannot be used; reports why."""
        self._set_aside(f"{self.path} {reason}")

    def drop(self) -> None:
        """Removes the record and its array file."""
        with failing("remove", self.path):
            self.path.unlink(missing_ok=True)
        self._remove_unlisted()

    def _read(self, use: Callable[[Content], T]) -> T | None:
        """What `use` makes of the JSON; None if that is missing or anything is damaged."""
        if self.packed is not None and fits(self.packed, self.shape):
            return use(self.packed)
        raw = seen = None
        while True:
            try:
                raw = None
                raw = read_bytes(self.path)
                content = parsed(raw)
                if fits(content, self.shape):
                    return use(content)
                raise ValueError
            except (StoredDamage, NoFile) as error:
                damage = str(error)
            except FileNotFoundError as error:
                if raw is None:
                    return None
                damage = f"{error.filename} is missing, though {self.path.name} lists it"
            except OSError as error:
                file = error.filename or self.path  # a failed read names no file
                damage = f"Could not read {file}: {reason(error)}"
                if self._held():
                    raise RunFailed(f"{damage}.") from error
                self._report(f"{damage}; not used.")
                return None
            except DAMAGE:
                damage = f"{self.path} is truncated or was changed"
            stopping.check()
            # Another process may have replaced it halfway through the reading.
            if raw == seen:
                self._set_aside(damage)
                return None
            seen = raw

    def _listed(self) -> str | None:
        """The name of the array file that the JSON lists, if it lists one."""
        try:
            with failing("read", self.path), contextlib.suppress(FileNotFoundError):
                return json.loads(read_bytes(self.path))["array_file"]["name"]
        except (LookupError, RecursionError, TypeError, ValueError):
            pass
        return None

    def _array_file(self, listing: Content) -> Path:
        if not self._is_own(listing["name"]):
            raise ValueError
        return self.folder / listing["name"]

    def _array_files(self) -> list[Path]:
        return [file for file in self.folder.glob("*.npz") if self._is_own(file.name)]

    def _is_own(self, name: str) -> bool:
        """Whether it is the name of an array file of this record."""
        return re.fullmatch(rf"{re.escape(self.stem)}(-[0-9]+)?\.npz", name) is not None

    def _remove_unlisted(self) -> None:
        listed = self._listed()
        remove(file for file in self._array_files() if file.name != listed)

    def _set_aside(self, damage: str) -> None:
        if not self._held():
            self._report(f"{damage}; not used, and made again by the next training.")
            return
        # The JSON first: without it the array file counts for nothing.
        files = [file for file in (self.path, *self._array_files()) if file.exists()]
        try:
            names = ", ".join([_set_aside(file) for file in files])
            log(f"{damage}; set aside as {names}, to be made again.")
        except OSError as error:
            log(f"{damage}; not used, and could not be set aside ({reason(error)}).")

    def _report(self, text: str) -> None:
        """Reports once what a reader finds again and again."""
        if self._told != text:
            log(text)
        self._told = text


def parsed(raw: bytes | str) -> JSON:
    """What JSON says; a NaN or infinity is a `ValueError`."""
    return json.loads(raw, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    """A number of JSON; NaN and infinities, which `write_json` refuses, are a `ValueError`."""
    if math.isfinite(number := float(text)):
        return number
    raise ValueError


def fits(content: JSON, shape: Shape) -> bool:
    """Whether JSON has a shape."""
    if isinstance(shape, list):
        return isinstance(content, list) and all(fits(one, shape[0]) for one in content)
    if not isinstance(shape, dict):
        return isinstance(content, shape)
    if not isinstance(content, dict):
        return False
    if "*" in shape:
        return all(fits(one, shape["*"]) for one in content.values())
    return all(
        fits(content[name], inner) if (name := key.rstrip("?")) in content else name != key
        for key, inner in shape.items()
    )


def _pack(arrays: Sequence[tuple[str, np.ndarray]]) -> tuple[memoryview, list[Content]]:
    """The bytes of an `.npz` file, the same for the same arrays, and what it holds."""
    named = [(name, np.asarray(values)) for name, values in arrays]
    for name, values in named:
        if values.dtype.kind not in "biufc":
            raise RunFailed(f"Expected numbers in array {name!r}. Received: dtype={values.dtype}.")
    buffer = io.BytesIO()
    np.savez(buffer, *(values for _, values in named))
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": values.dtype.str}
        for name, values in named
    ]
    return buffer.getbuffer(), entries


def _without_name(content: Content) -> Content:
    """A record's content without the name of its array file."""
    return content | {"array_file": (content.get("array_file") or {}) | {"name": ""}}


def _set_aside(file: Path) -> str:
    """Renames the file to the first free name, which is returned."""
    name, number = f"{file.name}.damaged", 1
    while os.path.lexists(file.with_name(name)):
        number += 1
        name = f"{file.name}.damaged-{number}"
    os.rename(file, file.with_name(name))
    return name
