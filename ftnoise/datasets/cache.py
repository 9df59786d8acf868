"""A kept copy is one file, replaced at once, so that it is whole or not there.

`<cache>/datasets/<slug>-<hash>.npz` is an uncompressed `.npz` with the decoded arrays and
`manifest.json`: the content's digest, its source, and the size and times of the files that it was
read from. Two processes may write the same copy; the last one wins and both are right. A copy
that does not have the digest it claims is set aside, named on stderr, and made again. A cache
that cannot be written is named too, and done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core import files, spec
from ftnoise.core.errors import BadInput
from ftnoise.core.progress import tell
from ftnoise.datasets import Origin

if TYPE_CHECKING:
    from ftnoise.datasets import Arrays, OriginDataSet

FORMAT = 1
DAMAGE = (
    ArithmeticError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class Entry:
    """The place in the cache for what one origin delivers for one data set."""

    def __init__(self, folder: Path, data_set: OriginDataSet, origin: Origin) -> None:
        # Taken before anything is read: a file that changes meanwhile is noticed next time.
        self.signature = _signature(origin.files)
        # What is made anew in each process has neither a file to compare with nor a copy.
        self.lasting = origin.keep or bool(origin.files)
        # Two members may read the same file, each by its own rules.
        place = str(origin.place.absolute()) if origin.place else ""
        key = spec.digest({"reader": spec.canonical(data_set), "place": ascii(place)})
        self.path = folder / "datasets" / f"{data_set.slug}-{key[:10]}.npz"

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of a current copy, or None."""
        if not self.lasting:
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                manifest = json.loads(archive.read("manifest.json"))
            if manifest["format"] != FORMAT or manifest["signature"] != self.signature:
                return None
            return {
                "source": str(manifest["source"]),
                "classes": int(manifest["classes"]),
                "digest": bytes.fromhex(manifest["digest"]).hex(),
                "arrays": bool(manifest["arrays"]),
            }
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except DAMAGE as error:
            self._set_aside(error)
            return None

    def arrays(self) -> tuple[dict[str, Any], Arrays] | None:
        """The manifest and arrays of a current, sound copy, or None."""
        manifest = self.manifest()
        if manifest is None or not manifest["arrays"]:
            return None
        from ftnoise.datasets import content, npz_file

        try:
            with zipfile.ZipFile(self.path) as archive:
                arrays = npz_file.read_arrays(archive, content.NAMES)
            digest = content.digest(arrays)
            if digest != manifest["digest"]:
                raise ValueError(f"its content has the digest {digest[:12]}...")
            return manifest, arrays
        except DAMAGE as error:
            self._set_aside(error)
            return None

    def keep(self, manifest: dict[str, Any], arrays: Arrays) -> None:
        """Keeps a copy; a failure is told and otherwise without consequence."""
        manifest = manifest | {"arrays": bool(arrays)}
        if not self.lasting or (not arrays and self.manifest() == manifest):
            return
        manifest |= {"format": FORMAT, "signature": self.signature}
        try:
            _write(self.path, manifest, arrays)
        except OSError as error:
            tell(f"cannot keep a copy of the data in {self.path}: {error.strerror or error}")

    def _set_aside(self, error: BaseException) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        with contextlib.suppress(OSError):
            os.replace(self.path, aside)
            reason = " ".join(str(error).split())
            tell(f"{self.path} is damaged ({reason}); set aside as {aside.name}, made again")


def _signature(files: tuple[Path, ...]) -> str:
    """SHA-256 (hex) of the names, sizes and times of files; empty for none."""
    total = hashlib.sha256()
    for path in files:
        try:
            stat = path.stat()
        except OSError as error:
            raise BadInput(
                f"Expected {path} to be a file that can be read. Received: {error.strerror}."
            ) from error
        line = f"{path.absolute()}/{stat.st_size}/{stat.st_mtime_ns}/{stat.st_ctime_ns}\n"
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest() if files else ""


def _write(path: Path, manifest: dict[str, Any], arrays: Arrays) -> None:
    import numpy as np

    with files.replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        # `ZipInfo` carries no time of writing: equal content, equal bytes.
        member_name = zipfile.ZipInfo("manifest.json")
        archive.writestr(member_name, json.dumps(manifest, indent=1, sort_keys=True))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    files.sweep(path.parent)


@contextlib.contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """A folder that is there for the time of a download, in the cache if that can be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for abandoned in files.abandoned(cache.glob("fetch-*")):
            shutil.rmtree(abandoned, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix="fetch-", dir=cache)
    except OSError:
        folder = tempfile.TemporaryDirectory(prefix="ftnoise-")
    with folder as name:
        yield Path(name).resolve()
