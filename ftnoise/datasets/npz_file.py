"""A user's own `.npz` in the Keras layout: `x_train`, `y_train`, `x_test`, `y_test`.

uint8 examples are scaled by 255. Floating-point images have to lie in [0, 1]; floating-point
feature vectors `[n, features]` are taken as they are, whatever their range. `content.py` has the
rules in full. Nothing pickled is read.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.data import Sources
from ftnoise.core.files import regular
from ftnoise.core.lazy import np
from ftnoise.datasets.origins import Origin, OwnDataSet, Raw, reading

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile as Archive


@dataclass(frozen=True, kw_only=True)
class NpzFile(OwnDataSet):
    """Arrays from a file: images `[n, height, width(, channels)]` or features `[n, features]`,
    and integer labels `[n]`.
    """

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield origin(Path(self.path), cached=False)


def origin(path: Path, *, cached: bool = True) -> Origin:
    """The file as an origin."""
    return Origin(path.name, functools.partial(read, path), path, (path,), cached)


def read(path: Path) -> Raw:
    """The four arrays of the file, as they are."""
    from ftnoise.datasets.content import NAMES

    with opened(path) as archive:
        return Raw({name: archive[name] for name in NAMES if name in archive.files})


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """NumPy's open `.npz`; any failure in the block becomes a `BadInput` that names the file."""
    # `np.load` of a path would leave a damaged file open.
    with (
        reading(path, "a readable .npz"),
        open(path, "rb", opener=regular) as stream,
        np.load(stream, allow_pickle=False) as archive,
    ):
        yield archive
