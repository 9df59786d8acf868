"""A folder with the four IDX files of MNIST's format, gzipped or not.

Source: LeCun et al. (1998), "The MNIST database of handwritten digits": a magic number, the
dimensions as big-endian 32-bit integers, then unsigned bytes.
"""

from __future__ import annotations

import functools
import gzip
import math
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.datasets.origins import Origin, Raw, reading

if TYPE_CHECKING:
    import numpy as np

ARRAYS = {
    "x_train": ("train-images", 3),
    "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3),
    "y_test": ("t10k-labels", 1),
}


def origin(folder: Path, name: str) -> Origin | None:
    """The folder as an origin called `name`, or None if not all four files are there."""
    existing = files(folder)
    if len(existing) < len(ARRAYS):
        return None
    return Origin(name, functools.partial(read, folder), folder, tuple(existing.values()))


def files(folder: Path) -> dict[str, Path]:
    """The existing files by the array that they hold; `-` or `.` before `idx`."""
    existing = {}
    for array, (stem, dimensions) in ARRAYS.items():
        for separator in "-.":
            for suffix in ("", ".gz"):
                path = folder / f"{stem}{separator}idx{dimensions}-ubyte{suffix}"
                if array not in existing and path.is_file():
                    existing[array] = path
    return existing


def read(folder: Path) -> Raw:
    """The four arrays: images uint8 `[n, height, width]`, labels uint8 `[n]`.

    Raises:
        BadInput: naming the file, if it is missing, truncated, or not IDX.
    """
    existing = files(folder)
    missing = [stem for array, (stem, _) in ARRAYS.items() if array not in existing]
    expect(
        not missing, f"{folder} to contain the IDX files {', '.join(missing)}", files=len(existing)
    )
    return Raw({array: _read(path, ARRAYS[array][1]) for array, path in existing.items()})


def _read(path: Path, dimensions: int) -> np.ndarray:
    import numpy as np

    with reading(path, "IDX"):
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read()
        magic, body = content[:4], 4 + 4 * dimensions
        expect(magic == bytes([0, 0, 8, dimensions]), "IDX of unsigned bytes", magic=magic)
        sizes = np.frombuffer(content[4:body], ">u4").tolist()
        expect(
            len(content) - body == math.prod(sizes),
            f"{math.prod(sizes)} bytes, as declared",
            bytes=len(content) - body,
        )
        return np.frombuffer(content, np.uint8, offset=body).reshape(sizes)
