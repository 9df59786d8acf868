"""A public data set is looked for in the user's folder, on the machine, in the cache, then online.

In the user's folder (`--data-dir` or `FTNOISE_DATA`) a set `fashion_mnist` may be
`fashion_mnist.npz` in the Keras layout; a folder `fashion_mnist` with the IDX files of MNIST's
format or with `train/<class>/*.png` and `test/<class>/*.png`; or the latter as
`fashion_mnist*.zip`. `-` stands for `_` as well. What is found there is taken, or refused, but
never passed over in silence.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets import Origin, OriginDataSet, idx, image_folder, npz_file, tfds
from ftnoise.datasets.debian import Package


@dataclass(frozen=True, kw_only=True)
class PublicSet(OriginDataSet):
    """Base of the public sets, whose sizes, shape and classes are known.

    Attributes:
        tfds_url: something on the host from which tensorflow-datasets downloads the set.
        debian: Debian's package of the set, if there is one.
    """

    tfds_url: ClassVar[str] = ""
    debian: ClassVar[Package | None] = None

    def origins(self, sources: Sources) -> Iterator[Origin]:
        local = self.in_folder(sources.data_dir) if sources.data_dir else None
        if local is None and self.debian:
            local = self.debian.installed()
        if local:
            yield local
            return
        # These share one kept copy, which is found before either of them is asked.
        fetch = functools.partial(tfds.fetch, self.slug, self.tfds_url, sources)
        yield Origin("tensorflow-datasets", fetch)
        if self.debian:
            fetch = functools.partial(self.debian.fetch, sources)
            yield Origin(f"apt-get download {self.debian.name}", fetch)

    def in_folder(self, folder: Path) -> Origin | None:
        """What the user's folder has of this set, or None.

        Raises:
            BadInput: if there is a folder of this name that holds nothing of use.
        """
        own = self.own_folders(folder)
        names = {_normal(path): path for path in sorted(folder.iterdir())}
        if f"{self.slug}.npz" in names:
            return npz_file.origin(names[f"{self.slug}.npz"])
        for path in own:
            found = self.in_own_folder(path)
            if found:
                return found
        for name, path in names.items():
            if re.fullmatch(rf"{self.slug}(?![a-z0-9]).*[.]zip", name):
                return image_folder.origin(path, self.class_names, self.shape)
        named = [path for path in own if path != folder]
        if named:
            raise BadInput(f"Expected {named[0]} to be like one of {self.accepted}.")
        return None

    def own_folders(self, folder: Path) -> list[Path]:
        """The folders that are called like this set: in the user's folder, or that itself."""
        inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
        itself = [folder] if _normal(Path(os.path.abspath(folder))) == self.slug else []
        return itself + [path for path in inside if _normal(path) == self.slug]

    def in_own_folder(self, folder: Path) -> Origin | None:
        """What a folder called like this set has of it, or None."""
        if (folder / "train").is_dir():
            return image_folder.origin(folder, self.class_names, self.shape)
        return idx.origin(folder, folder.name)

    @property
    def accepted(self) -> str:
        """What may lie in the user's folder, in words."""
        name = self.slug
        return (
            f"{name}.npz (x_train, y_train, x_test, y_test), {name}/ (IDX files, or "
            f"train/<class>/*.png and test/<class>/*.png), {name}.zip (such images)"
        )

    def not_found(self, sources: Sources, tried: list[str]) -> str:
        folder = f"not in {sources.data_dir}" if sources.data_dir else "not given"
        looked = [f"--data-dir or FTNOISE_DATA: {folder}"]
        if self.debian:
            looked.append(f"{self.debian.folder}: not there")
        looked.append(f"{sources.cache}: no copy")
        return (
            f"Expected the data set {self.slug} to be found. "
            f"Tried: {'; '.join(looked + tried)}. "
            f"Put one of these into a folder and name it with --data-dir: {self.accepted}."
        )


def _normal(path: Path) -> str:
    return path.name.lower().replace("-", "_")
