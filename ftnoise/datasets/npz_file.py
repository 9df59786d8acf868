"""A user's own `.npz` in the Keras layout: `x_train`, `y_train`, `x_test`, `y_test`.

uint8 examples are scaled by 255. Floating-point images have to lie in [0, 1]; floating-point
feature vectors `[n, features]` are taken as they are, whatever their range. `content.py` has the
rules in full. Nothing pickled is read, and nothing that declares more than it holds.
"""

from __future__ import annotations

import contextlib
import functools
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.files import read_npy
from ftnoise.datasets import Origin, OriginDataSet, Raw

if TYPE_CHECKING:
    from ftnoise.datasets import Arrays


@dataclass(frozen=True, kw_only=True)
class NpzFile(OriginDataSet):
    """Arrays out of a file; its content and name are its identity, the path is not.

    Args:
        path: the `.npz`, with images `[n, height, width(, channels)]` or features `[n, features]`
            and integer labels `[n]`.
        name: tells it from another file in the same table.
    """

    path: str = field(metadata={"identity": False})
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        expect(isinstance(self.name, str), "name to be a string", name=self.name)

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield origin(Path(self.path), keep=False)


def origin(path: Path, *, keep: bool = True) -> Origin:
    """The file as an origin; `keep` says whether its decoded arrays are kept in the cache."""
    return Origin(path.name, functools.partial(read, path), path, (path,), keep)


def read(path: Path) -> Raw:
    """The four arrays of the file, as they are.

    Raises:
        BadInput: naming the file, if it is not a sound `.npz` with these arrays.
    """
    from ftnoise.datasets import content

    with opened(path) as archive:
        names = array_names(archive)
        return Raw(read_arrays(archive, [name for name in content.NAMES if name in names]))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open `.npz`; whatever goes wrong inside the block is a `BadInput` that names it."""
    # Whatever a parser raises on a damaged file, it is the file that is at fault.
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except Exception as error:
        raise BadInput(
            f"Expected {path} to be a sound .npz. Received: {one_line(error)}"
        ) from error


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """The names of the arrays in an open `.npz`."""
    names = [info.filename for info in archive.infolist()]
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def read_arrays(archive: zipfile.ZipFile, names: Iterable[str]) -> Arrays:
    """Arrays out of an open `.npz`, none of them larger than the archive says it holds."""
    from ftnoise.datasets.content import LARGEST

    members = {name: archive.getinfo(f"{name}.npy") for name in names}
    total = sum(info.file_size for info in members.values())
    expect(total <= LARGEST, f"arrays of at most {LARGEST} bytes", bytes=total)
    return {name: read_npy(archive, info) for name, info in members.items()}


def one_line(error: BaseException) -> str:
    """The kind and text of an error in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
