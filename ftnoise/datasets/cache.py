"""Decoded copies of data sets: `<cache>/datasets/<slug>-<hash>.npz`, written atomically.

A copy holds the arrays and `manifest.json`: the content's digest, its source, the number of classes
and a signature of the files that it was read from. A damaged copy is reported and made again; a
cache that cannot be written is reported and not used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core import files, stopping
from ftnoise.core.lazy import np
from ftnoise.core.progress import log

if TYPE_CHECKING:
    from ftnoise.datasets.content import Arrays

FORMAT = 2
MANIFEST = "manifest.json"


def load(
    path: Path, signature: str, with_arrays: bool = True
) -> tuple[dict[str, Any], Arrays] | None:
    """The manifest (digest, source, classes) and arrays of a copy; None if outdated or damaged.

    Without the arrays, only the manifest is read, and the content is not verified.
    """
    from ftnoise.datasets import content

    try:
        with (
            open(path, "rb", opener=files.regular) as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            manifest = json.loads(bytes(archive[MANIFEST]))
            if (manifest.pop("format"), manifest.pop("signature")) != (FORMAT, signature):
                return None
            arrays = {name: archive[name] for name in content.NAMES} if with_arrays else {}
        if with_arrays and content.digest(arrays) != manifest["digest"]:
            raise ValueError("its arrays have another digest")
        return manifest, arrays
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except Exception as error:  # whatever a parser raises on a damaged file
        stopping.check()
        log(f"{path} is damaged ({' '.join(str(error).split())}) and is made again")
        return None


def save(path: Path, signature: str, manifest: dict[str, Any], arrays: Arrays) -> None:
    """Writes a copy; a failure is reported and otherwise without consequence."""
    text = json.dumps(manifest | {"format": FORMAT, "signature": signature})
    try:
        with files.replacing(path) as file:
            np.savez(file, **{MANIFEST: np.frombuffer(text.encode(), np.uint8)}, **arrays)
        files.sweep(path.parent)
    except OSError as error:
        log(f"cannot keep a copy of the data in {path}: {error.strerror or error}")
