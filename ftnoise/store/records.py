"""A record is a sealed JSON file and the array file that it may name; both switch at once.

A record keeps which record it is (`record`) and the digest (`spec.digest`) of all its other keys
(`content_sha256`), so that one that is truncated, hand-edited or copied from elsewhere is noticed.
Its array file comes under a new name each time (`weights.npz`, then `weights-2.npz`) and counts
once the record that lists it (`array_file`) is in place.

What is damaged is never used: it counts as missing, and one line on stderr says so. Whoever holds
the folder's lock also sets record and array file aside as `<file>.damaged`, where that is possible.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.errors import RunFailed, StoredDamage
from ftnoise.core.files import failing, json_text, reason, write_bytes, write_json
from ftnoise.core.progress import tell
from ftnoise.core.spec import JSON, digest
from ftnoise.store.arrays import check_bytes, is_listing, pack, unpack

if TYPE_CHECKING:
    from numpy import ndarray

T = TypeVar("T")
Content = dict[str, JSON]


class Record:
    """The files `<stem>.json` and `<stem>.npz` (or `<stem>-<n>.npz`) of a folder.

    Args:
        folder: need not exist before `save`.
        stem: what the files are called.
        owner: whose folder it is; a record of another owner is not taken for this one.
        finite: NaN and infinite elements are refused.
        held: whether the lock is held, so that what is damaged may be set aside.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        *,
        owner: str,
        finite: bool = False,
        held: Callable[[], bool] = lambda: True,
    ) -> None:
        self.folder = folder
        self.path = folder / f"{stem}.json"
        self._stem = stem
        self._record = f"{owner}/{stem}"
        self._finite = finite
        self._held = held
        self._told = ""

    def save(self, content: Content, arrays: list[tuple[str, ndarray]] | None = None) -> None:
        """Replaces the record, and its array file by `arrays` or by none.

        Raises:
            RunFailed: it cannot be written, or holds what may not be; the old one stays.
        """
        reserved = sorted({"record", "content_sha256", "array_file"} & content.keys())
        expect(not reserved, f"{self.path.name} without the store's own keys", keys=reserved)
        content = {"record": self._record, **content}
        try:
            if arrays is not None:
                packed, listing = pack(arrays)
                if bad := self._not_finite(listing):
                    raise RunFailed(
                        f"Expected finite numbers in {self.path}. "
                        f"Received: NaN or infinity in {bad}."
                    )
                name = self._next_name()
                write_bytes(self.folder / name, packed)
                content["array_file"] = {"name": name, **listing}
            # Once through JSON, so that the seal is that of what a reader gets.
            content = json.loads(json_text(self.path, content))
            write_json(self.path, {**content, "content_sha256": digest(content)})
        finally:
            self._remove_unnamed()

    def judged(self, judge: Callable[[Content], T]) -> T | None:
        """`judge(content)`, which may raise `StoredDamage`.

        None if there is no record, or if it is damaged; that is said, and with the lock it is set
        aside.
        """
        seen = None
        while (raw := _read(self.path)) is not None:
            try:
                return judge(self._unsealed(raw))
            except StoredDamage as damage:
                # Another process may have replaced it halfway through the reading.
                if raw == seen:
                    self._set_aside(damage)
                    return None
                seen = raw
        return None

    def array_bytes(self, content: Content) -> bytes:
        """The array file that `content` lists, with the right size and SHA-256; or damage."""
        listing = self._listing(content)
        with self._array_file(listing) as packed:
            check_bytes(packed, listing)
        return packed

    def arrays(self, content: Content) -> list[tuple[str, ndarray]]:
        """The arrays that `content` lists, verified and in order; or damage."""
        listing = self._listing(content)
        with self._array_file(listing) as packed:
            return unpack(packed, listing)

    def copy_to(self, other: Record) -> bool:
        """Makes `other` hold what this one holds, verified; False if there is nothing sound.

        An equal record is not written again, so its array file keeps its name.
        """
        here, there = self.judged(self._whole), other.judged(other._whole)
        if here is None:
            return False
        content, sha256, arrays = here
        if there is None or there[:2] != (content, sha256):
            other.save(content, arrays)
        return True

    def discard(self, reason: str) -> None:
        """Sets aside, under the lock, what is intact but cannot be used; says why on stderr."""
        self._set_aside(StoredDamage(f"{self.path} {reason}"))

    def drop(self) -> None:
        """Removes the record and its array file, if they are there."""
        with failing("remove", self.path):
            self.path.unlink(missing_ok=True)
        self._remove_unnamed()

    def _unsealed(self, raw: bytes) -> Content:
        try:
            content = json.loads(raw)
            seal = content.pop("content_sha256")
            intact = digest(content) == seal
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            intact = False
        if not intact:
            raise StoredDamage(f"{self.path} is truncated or was changed")
        record = content.pop("record", None)
        if record != self._record:
            raise StoredDamage(f"{self.path} is a copy of {record!r}")
        return content

    def _listing(self, content: Content) -> Content:
        listing = content.get("array_file")
        if not (is_listing(listing) and self._number(str(listing.get("name")))):
            raise StoredDamage(f"{self.path} does not list its array file as it should")
        if bad := self._not_finite(listing):
            raise StoredDamage(f"{self.path} lists NaN or infinity in {bad}")
        return listing

    @contextlib.contextmanager
    def _array_file(self, listing: Content) -> Iterator[bytes]:
        """Gives the unchecked bytes; damage found in the block is told with the file's name."""
        file = self.folder / listing["name"]
        packed = _read(file)
        if packed is None:
            raise StoredDamage(f"{file} is missing, though {self.path.name} names it")
        try:
            yield packed
        except StoredDamage as damage:
            raise StoredDamage(f"{file} {damage}") from damage

    def _whole(
        self, content: Content
    ) -> tuple[Content, str | None, list[tuple[str, ndarray]] | None]:
        rest = {name: value for name, value in content.items() if name != "array_file"}
        if rest == content:
            return rest, None, None
        return rest, self._listing(content)["sha256"], self.arrays(content)

    def _not_finite(self, listing: Content) -> str:
        names = [entry["name"] for entry in listing["entries"] if not entry["finite"]]
        return ", ".join(map(repr, names)) if self._finite else ""

    def _number(self, name: str) -> int:
        """The number of an array file of this record (1 for `<stem>.npz`), 0 for others."""
        match = re.fullmatch(rf"{self._stem}(?:-([1-9][0-9]{{0,8}}))?\.npz", name)
        return 0 if match is None else int(match[1] or 1)

    def _named(self) -> str | None:
        raw = _read(self.path)
        try:
            return None if raw is None else self._listing(self._unsealed(raw))["name"]
        except StoredDamage:
            return None

    def _next_name(self) -> str:
        named = self._named()
        number = 1 if named is None else self._number(named) + 1
        return f"{self._stem}.npz" if number == 1 else f"{self._stem}-{number}.npz"

    def _array_files(self) -> list[Path]:
        return [file for file in self.folder.glob("*.npz") if self._number(file.name)]

    def _remove_unnamed(self) -> None:
        named = self._named()
        for file in self._array_files():
            if file.name != named:
                with contextlib.suppress(OSError):
                    file.unlink()

    def _set_aside(self, damage: StoredDamage) -> None:
        if not self._held():
            # A reader comes by again and again.
            if self._told != str(damage):
                tell(f"{damage}; not used, and made again by the next training.")
            self._told = str(damage)
            return
        # The record first: without it the array file counts for nothing.
        try:
            names = [_set_aside(file) for file in (self.path, *self._array_files())]
            fate = f"set aside as {', '.join(filter(None, names))}, to be made again"
        except OSError as error:
            fate = f"not used, and could not be set aside ({reason(error)})"
        tell(f"{damage}; {fate}.")


class Checkpoint(Record):
    """A record of work that goes on: arrays by name, and a JSON state."""

    def keep(self, arrays: dict[str, ndarray], state: Content) -> None:
        """Replaces what is kept; see `Record.save`."""
        self.save({"state": state}, list(arrays.items()))

    def kept(self) -> tuple[dict[str, ndarray], Content] | None:
        """Arrays and state, verified; None if there is nothing sound."""
        return self.judged(lambda content: (dict(self.arrays(content)), content["state"]))

    def state(self) -> Content | None:
        """The state alone; the arrays are not looked at."""
        return self.judged(lambda content: content["state"])


class PartialWork(Checkpointing):
    """A checkpointing that keeps unfinished work in a checkpoint, and hands the position on.

    Args:
        work: where it is kept until the result is written.
        report: is told how many units of work are done, of how many, and a text.
        tell: is told what whoever waits should read.
    """

    def __init__(
        self,
        work: Checkpoint,
        report: Callable[[int, int, str], None],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.work, self.report, self._tell = work, report, tell

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What was found so far."""
        return self.work.kept()

    def discard(self, reason: str) -> None:
        """Sets it aside."""
        self.work.discard(reason)

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps it until the result is written."""
        self.work.keep(arrays, state)

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Hands the position on."""
        self.report(done, total, text)

    def say(self, text: str) -> None:
        """Hands the sentence on."""
        self._tell(text)


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


def _read(path: Path) -> bytes | None:
    """The content, or None if there is no such file.

    A folder or a pipe in its place reads as empty, which nothing stored is.
    """
    with failing("read", path):
        try:
            return path.read_bytes() if path.is_file() or not path.exists() else b""
        except FileNotFoundError:
            return None
