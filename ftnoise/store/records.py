"""A record is a JSON file and the array file that it may list; both are replaced at once.

The array file (`weights.npz`, then `weights-2.npz`) gets a new name each time and counts once the
JSON that lists it, with its size and SHA-256, is in place. So a process killed at any moment leaves
the old record or the new one. Damaged files are never used: they count as missing, one line on
stderr says so, and the holder of the folder's lock sets them aside as `<file>.damaged`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ftnoise.core.errors import RunFailed, StoredDamage
from ftnoise.core.files import failing, json_text, reason, write_bytes, write_text
from ftnoise.core.progress import tell
from ftnoise.core.spec import JSON

if TYPE_CHECKING:
    from numpy import ndarray

T = TypeVar("T")
Content = dict[str, JSON]
NUMBERS = "biufc"


class Record:
    """The files `<stem>.json` and `<stem>.npz` (or `<stem>-<n>.npz`) of a folder.

    Args:
        folder: need not exist before `save`.
        stem: the files' name.
        held: whether this process holds the folder's lock, so that it may set damaged files aside.
        keys: what the JSON has to contain; without it, the record is damaged.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        held: Callable[[], bool] = lambda: True,
        keys: Sequence[str] = (),
    ) -> None:
        self.folder, self.stem, self.keys = folder, stem, keys
        self.path = folder / f"{stem}.json"
        self._held = held
        self._told = ""

    def save(self, content: Content, arrays: Sequence[tuple[str, ndarray]] = ()) -> None:
        """Replaces the record.

        Args:
            content: JSON by name; `array_file` is reserved.
            arrays: numbers (NaN too) of any shape, by name and in order; none store no file.

        Raises:
            RunFailed: it cannot be written, or an array holds no numbers; the old record stays.
        """
        try:
            if arrays:
                packed, entries = _pack(arrays)
                name = self._next_name()
                write_bytes(self.folder / name, packed)
                content = content | {
                    "array_file": {
                        "name": name,
                        "bytes": len(packed),
                        "sha256": hashlib.sha256(packed).hexdigest(),
                        "entries": entries,
                    }
                }
            write_text(self.path, json_text(self.path, content) + "\n")
        finally:
            self._remove_unlisted()

    def content(self) -> Content | None:
        """The JSON; None if there is none, or if it is damaged."""
        return self._undamaged(lambda content: content)

    def stored(self) -> bool:
        """Whether the JSON is there, and its array file has its size; neither NumPy nor hashing."""
        return self._undamaged(self._sized) or False

    def _sized(self, content: Content) -> bool:
        if content.get("array_file") is not None:
            file = self._array_file(content)
            with failing("read", file):
                if not file.exists():
                    raise StoredDamage(f"{file} is missing, though {self.path.name} lists it")
                if not file.is_file() or file.stat().st_size != content["array_file"].get("bytes"):
                    raise StoredDamage(f"{file} has another size than {self.path.name} lists")
        return True

    def _array_file(self, content: Content) -> Path:
        """The array file that the JSON lists, which may be damaged or missing."""
        try:
            name = content["array_file"]["name"]
            known = self._number(name) > 0
        except (KeyError, TypeError):
            known = False
        if not known:
            raise StoredDamage(f"{self.path} does not list its array file as it should")
        return self.folder / name

    def load(self) -> tuple[Content, list[tuple[str, ndarray]]] | None:
        """The JSON and its arrays in order, verified; None if missing or damaged."""
        return self._undamaged(lambda content: (content, self._arrays(content)))

    def copy_to(self, other: Record) -> bool:
        """Makes `other` hold what this record holds; False if there is nothing sound to copy.

        An equal record is not written again, so its array file keeps its name.
        """
        here, there = self.load(), other.load()
        if here is None:
            return False
        content, arrays = here
        if there is None or _comparable(there[0]) != _comparable(content):
            kept = {name: value for name, value in content.items() if name != "array_file"}
            other.save(kept, arrays)
        return True

    def discard(self, reason: str) -> None:
        """Sets aside, under the lock, a record that is intact but cannot be used; reports why."""
        self._set_aside(f"{self.path} {reason}")

    def drop(self) -> None:
        """Removes the record and its array file."""
        with failing("remove", self.path):
            self.path.unlink(missing_ok=True)
        self._remove_unlisted()

    def _undamaged(self, read: Callable[[Content], T]) -> T | None:
        seen = None
        while (raw := self._raw()) is not None:
            try:
                return read(self._parsed(raw))
            except StoredDamage as damage:
                # Another process may have replaced it halfway through the reading.
                if raw == seen:
                    self._set_aside(str(damage))
                    return None
                seen = raw
        return None

    def _raw(self) -> bytes | None:
        with failing("read", self.path):
            try:
                # A folder or a pipe in its place reads as empty, which is damage.
                if self.path.is_file() or not self.path.exists():
                    return self.path.read_bytes()
                return b""
            except FileNotFoundError:
                return None

    def _parsed(self, raw: bytes) -> Content:
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or not content.keys() >= set(self.keys):
            raise StoredDamage(f"{self.path} is truncated or was changed")
        return content

    def _packed(self, content: Content) -> bytes | None:
        """The verified bytes of the array file; None if the JSON lists none."""
        if content.get("array_file") is None:
            return None
        file, digest = self._array_file(content), content["array_file"].get("sha256")
        with failing("read", file), contextlib.suppress(FileNotFoundError):
            # A folder or a pipe in its place reads as empty, which is damage.
            packed = file.read_bytes() if file.is_file() or not file.exists() else b""
            if hashlib.sha256(packed).hexdigest() != digest:
                raise StoredDamage(f"{file} has another SHA-256 than {self.path.name} lists")
            return packed
        raise StoredDamage(f"{file} is missing, though {self.path.name} lists it")

    def _arrays(self, content: Content) -> list[tuple[str, ndarray]]:
        packed = self._packed(content)
        if packed is None:
            return []
        import numpy as np

        try:
            with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
                arrays = [archive[f"arr_{n}"] for n in range(len(archive.files))]
            names = [entry["name"] for entry in content["array_file"]["entries"]]
            return list(zip(names, arrays, strict=True))
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise StoredDamage(f"{self.path} does not list its array file as it should") from error

    def _number(self, name: str) -> int:
        """The number of an array file of this record (1 for `<stem>.npz`), 0 for others."""
        match = re.fullmatch(rf"{re.escape(self.stem)}(?:-([1-9][0-9]{{0,8}}))?\.npz", name)
        return 0 if match is None else int(match[1] or 1)

    def _listed(self) -> str | None:
        raw = self._raw()
        try:
            name = None if raw is None else self._parsed(raw)["array_file"]["name"]
            return name if name and self._number(name) else None
        except (StoredDamage, KeyError, TypeError):
            return None

    def _next_name(self) -> str:
        listed = self._listed()
        number = 1 if listed is None else self._number(listed) + 1
        return f"{self.stem}.npz" if number == 1 else f"{self.stem}-{number}.npz"

    def _array_files(self) -> list[Path]:
        return [file for file in self.folder.glob("*.npz") if self._number(file.name)]

    def _remove_unlisted(self) -> None:
        listed = self._listed()
        for file in self._array_files():
            if file.name != listed:
                with contextlib.suppress(OSError):
                    file.unlink()

    def _set_aside(self, damage: str) -> None:
        if not self._held():
            # A reader looks again and again, and reports once.
            if self._told != damage:
                tell(f"{damage}; not used, and made again by the next training.")
            self._told = damage
            return
        # The JSON first: without it the array file counts for nothing.
        try:
            names = [_set_aside(file) for file in (self.path, *self._array_files())]
            fate = f"set aside as {', '.join(filter(None, names))}, to be made again"
        except OSError as error:
            fate = f"not used, and could not be set aside ({reason(error)})"
        tell(f"{damage}; {fate}.")


def _pack(arrays: Sequence[tuple[str, ndarray]]) -> tuple[memoryview, list[Content]]:
    """The bytes of an `.npz` file, the same for the same arrays, and what it holds."""
    import numpy as np

    named = [(name, np.asarray(values)) for name, values in arrays]
    for name, values in named:
        if values.dtype.kind not in NUMBERS:
            raise RunFailed(f"Expected numbers in array {name!r}. Received: dtype={values.dtype}.")
    buffer = io.BytesIO()
    np.savez(buffer, *(values for _, values in named))
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": values.dtype.str}
        for name, values in named
    ]
    return buffer.getbuffer(), entries


def _comparable(content: Content) -> tuple[Content, JSON]:
    """A record's content without the name of its array file."""
    rest = {name: value for name, value in content.items() if name != "array_file"}
    return rest, (content.get("array_file") or {}).get("sha256")


def _set_aside(file: Path) -> str | None:
    aside = file.with_name(f"{file.name}.damaged")
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = file.with_name(f"{file.name}.damaged-{number}")
    try:
        os.rename(file, aside)
    except FileNotFoundError:
        return None
    return aside.name
