"""A folder with the four IDX files of MNIST's format, gzipped or not.

Source: LeCun et al. (1998), "The MNIST database of handwritten digits": a magic number, the
dimensions as big-endian 32-bit integers, then unsigned bytes.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.datasets import Origin, Raw
from ftnoise.datasets.npz_file import one_line

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
    found = files(folder)
    if len(found) < len(ARRAYS):
        return None
    return Origin(name, functools.partial(read, folder), folder, tuple(found.values()))


def files(folder: Path) -> dict[str, Path]:
    """The files that are there, by the array that they hold; `-` or `.` before `idx`."""
    found = {}
    for array, (stem, dimensions) in ARRAYS.items():
        for separator in "-.":
            for suffix in ("", ".gz"):
                path = folder / f"{stem}{separator}idx{dimensions}-ubyte{suffix}"
                if array not in found and path.is_file():
                    found[array] = path
    return found


def read(folder: Path) -> Raw:
    """The four arrays: images uint8 `[n, height, width]`, labels uint8 `[n]`.

    Raises:
        BadInput: naming the file, if it is missing, truncated, or not IDX.
    """
    found = files(folder)
    missing = [stem for array, (stem, _) in ARRAYS.items() if array not in found]
    expect(not missing, f"{folder} to contain the IDX files {', '.join(missing)}", found=len(found))
    return Raw({array: _read(path, ARRAYS[array][1]) for array, path in found.items()})


def _read(path: Path, dimensions: int) -> np.ndarray:
    import numpy as np

    from ftnoise.datasets.content import LARGEST

    # Whatever a parser raises on a damaged file, it is the file that is at fault.
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            magic = stream.read(4)
            expect(magic == bytes([0, 0, 8, dimensions]), "IDX of unsigned bytes", magic=magic)
            sizes = np.frombuffer(stream.read(4 * dimensions), ">u4").tolist()
            count = 1
            for size in sizes:
                count *= size
            expect(count <= LARGEST, f"at most {LARGEST} bytes", sizes=sizes)
            array = np.frombuffer(stream.read(count), np.uint8)
            expect(
                array.size == count and not stream.read(1),
                "as many bytes as declared",
                declared=count,
                first=array.size,
            )
            return array.reshape(sizes)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except Exception as error:
        raise BadInput(f"Expected {path} to be IDX. Received: {one_line(error)}") from error
