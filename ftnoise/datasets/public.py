"""A public data set is searched in the user's folder, on the machine, in the cache, then online.

In the user's folder (`--data-dir` or `FTNOISE_DATA`) a set `fashion_mnist` may be
`fashion_mnist.npz` in the Keras layout; a folder `fashion_mnist` with the IDX files of MNIST's
format or with `train/<class>/*.png` and `test/<class>/*.png`; or the latter as
`fashion_mnist*.zip`. `-` stands for `_` as well. What is in the user's folder is used or refused,
never passed over in silence.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets import downloads, idx, image_folder, npz_file
from ftnoise.datasets.origins import Origin, OriginDataSet


@dataclass(frozen=True, kw_only=True)
class PublicSet(OriginDataSet):
    """Base of the public sets, whose sizes, shape and classes are known.

    Attributes:
        tfds_url: something on the host from which tensorflow-datasets downloads the set.
        debian: name of Debian's package `dataset-<name>` of the set, if there is one.
    """

    tfds_url: ClassVar[str] = ""
    debian: ClassVar[str | None] = None

    def origins(self, sources: Sources) -> Iterator[Origin]:
        local = self.in_folder(sources.data_dir) if sources.data_dir else None
        if local is None and self.debian:
            folder = downloads.DEBIAN_FOLDER / self.debian
            local = idx.origin(folder, f"Debian's package dataset-{self.debian}")
        if local:
            yield local
            return
        # These share one cached copy, which is read before either of them is tried.
        fetch = functools.partial(downloads.from_tfds, self.slug, self.tfds_url, sources)
        yield Origin("tensorflow-datasets", fetch)
        if self.debian:
            fetch = functools.partial(downloads.from_debian, self.debian, sources)
            yield Origin(f"apt-get download dataset-{self.debian}", fetch)

    def in_folder(self, folder: Path) -> Origin | None:
        """This set in the user's folder, or None.

        Raises:
            BadInput: a folder of this name holds nothing usable.
        """
        names = {_normal(path): path for path in sorted(folder.iterdir())}
        if f"{self.slug}.npz" in names:
            return npz_file.origin(names[f"{self.slug}.npz"])
        own = self.own_folders(folder)
        for path in own:
            if (path / "train").is_dir():
                return image_folder.origin(path, self.class_names, self.shape)
            if origin := idx.origin(path, path.name):
                return origin
        for name, path in names.items():
            if re.fullmatch(rf"{self.slug}(?![a-z0-9]).*[.]zip", name):
                return image_folder.origin(path, self.class_names, self.shape)
        if own and own[-1] != folder:
            raise BadInput(f"Expected {own[-1]} to be like one of {self.accepted}.")
        return None

    def own_folders(self, folder: Path) -> list[Path]:
        """The folders with the name of this set: the user's folder itself, and those in it."""
        paths = [folder, *sorted(folder.iterdir())]
        return [path for path in paths if path.is_dir() and _normal(path) == self.slug]

    @property
    def accepted(self) -> str:
        """The forms in which the set may lie in the user's folder."""
        name = self.slug
        return (
            f"{name}.npz (x_train, y_train, x_test, y_test), {name}/ (IDX files, or "
            f"train/<class>/*.png and test/<class>/*.png), {name}.zip (such images)"
        )

    def not_found(self, sources: Sources, tried: list[str]) -> str:
        folder = f"not in {sources.data_dir}" if sources.data_dir else "not given"
        looked = [f"--data-dir or FTNOISE_DATA: {folder}"]
        if self.debian:
            looked.append(f"{downloads.DEBIAN_FOLDER / self.debian}: not installed")
        looked.append(f"{sources.cache}: no copy")
        return (
            f"Expected the data set {self.slug} to be found. "
            f"Tried: {'; '.join(looked + tried)}. "
            f"Put one of these into a folder and name it with --data-dir: {self.accepted}."
        )


def _normal(path: Path) -> str:
    return path.absolute().name.lower().replace("-", "_")
