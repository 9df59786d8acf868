"""Decoded copies of data sets, each one file that is whole or not there.

`<cache>/datasets/<slug>-<hash>.npz` is an uncompressed `.npz` with the decoded arrays and
`manifest.json`: the content's digest, its source, and a signature of the files that it was read
from. Two processes may write the same copy; the last one wins and both are right. A copy whose
content does not have its digest is set aside, named on stderr, and made again. A cache that cannot
be written is named too, and not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core import files
from ftnoise.core.errors import BadInput
from ftnoise.core.progress import tell

if TYPE_CHECKING:
    from ftnoise.datasets.content import Arrays

FORMAT = 1


class Entry:
    """The copy at `path` of what was read from `originals`, if it is current."""

    def __init__(self, path: Path, originals: tuple[Path, ...]) -> None:
        self.path = path
        # Taken before anything is read: a file that changes meanwhile is noticed next time.
        self.signature = _signature(originals)

    def manifest(self) -> dict[str, Any] | None:
        """The digest, source and number of classes of a current copy, or None."""
        loaded = self._load(arrays=False)
        return loaded and loaded[0]

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """The manifest and the arrays of a current copy, or None."""
        return self._load(arrays=True)

    def _load(self, arrays: bool) -> tuple[dict[str, Any], Arrays] | None:
        import numpy as np

        from ftnoise.datasets import content

        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                manifest = json.loads(archive["manifest.json"])
                if (manifest["format"], manifest["signature"]) != (FORMAT, self.signature):
                    return None
                known = {name: manifest[name] for name in ("digest", "source", "classes")}
                if not arrays:
                    return known, {}
                values = {name: archive[name] for name in content.NAMES}
            if (digest := content.digest(values)) != known["digest"]:
                raise ValueError(f"its content has the digest {digest[:12]}...")
            return known, values
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except Exception as error:  # whatever a parser raises on a damaged file
            self._set_aside(error)
            return None

    def save(self, manifest: dict[str, Any], arrays: Arrays) -> None:
        """Writes a copy; a failure is shown and otherwise without consequence."""
        import numpy as np

        manifest = manifest | {"format": FORMAT, "signature": self.signature}
        try:
            with files.replacing(self.path) as file, zipfile.ZipFile(file, "w") as archive:
                # A `ZipInfo` has no time of writing: equal content, equal bytes.
                member = zipfile.ZipInfo("manifest.json")
                archive.writestr(member, json.dumps(manifest, indent=1, sort_keys=True))
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, array, allow_pickle=False)
            files.sweep(self.path.parent)
        except OSError as error:
            tell(f"cannot keep a copy of the data in {self.path}: {error.strerror or error}")

    def _set_aside(self, error: BaseException) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        with contextlib.suppress(OSError):
            os.replace(self.path, aside)
            reason = " ".join(str(error).split())
            tell(f"{self.path} is damaged ({reason}); set aside as {aside.name}, made again")


def _signature(originals: tuple[Path, ...]) -> str:
    """SHA-256 (hex) of the names, sizes and times of files; empty for none."""
    total = hashlib.sha256()
    for path in originals:
        try:
            stat = path.stat()
        except OSError as error:
            raise BadInput(
                f"Expected {path} to be a readable file. Received: {error.strerror}."
            ) from error
        line = f"{path.absolute()}/{stat.st_size}/{stat.st_mtime_ns}/{stat.st_ctime_ns}\n"
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest() if originals else ""
