"""A folder with the four IDX files of MNIST's format, gzipped or not.

Source: LeCun et al. (1998), "The MNIST database of handwritten digits": a magic number, the
dimensions as big-endian 32-bit integers, then unsigned bytes.
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path

from ftnoise.core.checks import expect
from ftnoise.core.files import read_bytes
from ftnoise.core.lazy import np
from ftnoise.datasets.origins import Origin, Raw, reading

NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def origin(folder: Path, name: str) -> Origin | None:
    """The folder as an origin called `name`, or None if not all four files are there.

    It delivers images uint8 `[n, height, width]` and labels uint8 `[n]`; `BadInput` names a file
    that is truncated or not IDX.
    """
    files = {}
    for array, file in NAMES.items():
        pattern = file.replace("-idx", "[-.]idx")  # in use are both
        paths = [*folder.glob(pattern), *folder.glob(f"{pattern}.gz")]
        if not paths:
            return None
        files[array] = paths[0]

    def read() -> Raw:
        return Raw(
            {array: _read(path, 3 if array[0] == "x" else 1) for array, path in files.items()}
        )

    return Origin(name, read, folder, tuple(files.values()))


def _read(path: Path, dimensions: int) -> np.ndarray:
    with reading(path, "IDX"):
        content = read_bytes(path)
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        magic, body = content[:4], 4 + 4 * dimensions
        expect(magic == bytes([0, 0, 8, dimensions]), "IDX of unsigned bytes", magic=magic)
        sizes = np.frombuffer(content[4:body], ">u4").tolist()
        expect(
            len(content) - body == math.prod(sizes),
            f"{math.prod(sizes)} bytes, as declared",
            bytes=len(content) - body,
        )
        return np.frombuffer(content, np.uint8, offset=body).reshape(sizes)
