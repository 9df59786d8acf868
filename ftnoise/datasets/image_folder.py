"""A user's own images as `train/<class>/*.jpg|png` and `test/<class>/*`, in a folder or a `.zip`.

This is the layout of `tfds.ImageFolder`. Classes are numbered in the sorted order of their names.
All images have to be of one size, and all grayscale (one channel) or all color (RGB; transparency
is left out). Files of other kinds, hidden files and other splits are left alone.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.progress import tell
from ftnoise.datasets import Origin, OriginDataSet, Raw
from ftnoise.datasets.npz_file import one_line

if TYPE_CHECKING:
    import numpy as np

IMAGE = re.compile(
    r"(?P<prefix>[^/]+/)?(?P<split>train|test)/(?P<label>[^/]+)/[^/.][^/]*\.(?i:jpe?g|png)"
)
LARGEST_FILE = 2**28
"""Bytes that an image in a `.zip` may declare; more is taken for damage or malice."""

FORMATS = ("JPEG", "PNG")
GRAY, COLOR = ("1", "L", "LA"), ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(OriginDataSet):
    """Images out of a folder or `.zip`; content and name are the identity, the path is not.

    Args:
        path: the folder or `.zip` that contains `train` and `test` (a `.zip` may have one folder
            around them).
        name: tells it from another folder in the same table.
    """

    path: str = field(metadata={"identity": False})
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        expect(isinstance(self.name, str), "name to be a string", name=self.name)

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield origin(Path(self.path))


def origin(
    path: Path,
    class_names: tuple[str, ...] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Origin:
    """The folder or `.zip` as an origin; see `read`."""
    files = tuple(path / name for name in _names(path)) if path.is_dir() else (path,)
    return Origin(path.name, functools.partial(read, path, class_names, shape), path, files)


def read(
    path: Path,
    class_names: tuple[str, ...] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Raw:
    """The images, uint8 `[n, height, width, channels]`, sorted by class and file name.

    Args:
        path: the folder or `.zip`.
        class_names: what the labels mean, if known; the folders are then called like that, or
            by the label's number.
        shape: height, width and channels of all images, if known; no image is converted to it.

    Raises:
        BadInput: naming the file, if the layout or an image cannot be right.
    """
    import numpy as np

    # Whatever a parser raises on a damaged file, it is the file that is at fault.
    try:
        with _opened(path) as (listed, read_bytes):
            names = _layout(path, listed)
            labels = _labels(path, names, class_names)
            tell(f"reading {len(names)} images from {path} (once; a copy is kept)")
            arrays = {}
            form = shape
            for split in ("train", "test"):
                chosen = [name for name, (of, _) in names.items() if of == split]
                arrays[f"x_{split}"] = _pixels(
                    path, chosen, read_bytes, form, known=shape is not None
                )
                arrays[f"y_{split}"] = np.array([labels[names[name][1]] for name in chosen])
                form = arrays["x_train"].shape[1:]
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"Expected {path} to hold images. Received: {one_line(error)}") from error
    lossy = any(name.lower().endswith((".jpg", ".jpeg")) for name in names)
    return Raw(arrays, "JPEG, not the original pixels" if class_names and lossy else "")


def _names(folder: Path) -> list[str]:
    """`<split>/<class>/<file>` for each image under a folder, sorted."""
    names = []
    for split in ("train", "test"):
        for group in sorted((folder / split).iterdir()) if (folder / split).is_dir() else ():
            if group.is_dir():
                names += [f"{split}/{group.name}/{file.name}" for file in group.iterdir()]
    return sorted(name for name in names if IMAGE.fullmatch(name))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """The names in a folder or `.zip`, and a function that reads one."""
    if path.is_dir():
        yield _names(path), lambda name: (path / name).read_bytes()
    else:
        with zipfile.ZipFile(path) as archive:
            yield archive.namelist(), functools.partial(_read_member, archive)


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    expect(size <= LARGEST_FILE, f"a file of at most {LARGEST_FILE} bytes", size=size)
    return archive.read(name)


def _layout(path: Path, listed: list[str]) -> dict[str, tuple[str, str]]:
    """Split and class of each image, by its name, sorted; both splits have to be there."""
    matches = [match for name in sorted(set(listed)) if (match := IMAGE.fullmatch(name))]
    names = {match[0]: (match["split"], match["label"]) for match in matches}
    roots = {match["prefix"] or "" for match in matches}
    expect(
        len(roots) == 1 and {split for split, _ in names.values()} == {"train", "test"},
        f"{path} to contain train/<class>/*.jpg or *.png, and the same in test",
        images=len(names),
        folders=sorted({name.rsplit("/", 2)[0] for name in names})[:3],
    )
    return names


def _labels(
    path: Path, names: dict[str, tuple[str, str]], class_names: tuple[str, ...] | None
) -> dict[str, int]:
    """The label of each class that occurs."""
    train = {label for split, label in names.values() if split == "train"}
    test = {label for split, label in names.values() if split == "test"}
    strange = sorted(test - train)
    expect(not strange, f"{path} to have the classes of test in train as well", strange=strange)
    if class_names is None:
        return {name: number for number, name in enumerate(sorted(train))}
    for known in (class_names, tuple(map(str, range(len(class_names))))):
        if train <= set(known):
            return {name: number for number, name in enumerate(known)}
    expected = ", ".join(class_names)
    raise BadInput(
        f"Expected {path} to have the classes {expected} (or their numbers). "
        f"Received: {', '.join(sorted(train))}."
    )


def _pixels(
    path: Path,
    names: list[str],
    read_bytes: Callable[[str], bytes],
    form: tuple[int, ...] | None,
    *,
    known: bool,
) -> np.ndarray:
    """The images, decoded to `form` [height, width, channels], which the first one may decide.

    Where it is `known`, the form is the set's own.
    """
    import numpy as np
    from PIL import Image

    from ftnoise.datasets.content import LARGEST

    for index, name in enumerate(names):
        try:
            with Image.open(io.BytesIO(read_bytes(name)), formats=FORMATS) as image:
                expect(image.mode in GRAY + COLOR, "grayscale or color of 8 bits", mode=image.mode)
                size = (image.height, image.width)
                if form is None:
                    form = (*size, 1 if image.mode in GRAY else 3)
                if index == 0:
                    needed = len(names) * form[0] * form[1] * form[2]
                    expect(needed <= LARGEST, f"images of {LARGEST} bytes in all", bytes=needed)
                    pixels = np.empty((len(names), *form), np.uint8)
                as_what = "as all images of this set" if known else "as the first image"
                expect(size == form[:2], f"{form[0]}x{form[1]} pixels, {as_what}", size=size)
                kind = "color" if form[2] == 3 else "grayscale"
                expect(
                    (image.mode in GRAY) == (kind == "grayscale"),
                    f"{kind}, {as_what}",
                    mode=image.mode,
                )
                decoded = image.convert("L" if form[2] == 1 else "RGB")
                pixels[index] = np.asarray(decoded).reshape(form)
        except BadInput as error:
            raise BadInput(f"{path}/{name}: {error}") from error
        except Exception as error:
            raise BadInput(
                f"Expected {path}/{name} to be an image. Received: {one_line(error)}"
            ) from error
    return pixels
