"""A user's own images as `train/<class>/*.jpg|png` and `test/<class>/*`, in a folder or a `.zip`.

This is the layout of `tfds.ImageFolder`. Classes are numbered in the sorted order of their names.
All images have to be of one size, and all grayscale (one channel) or all color (RGB; transparency
is dropped). Files of other kinds, hidden files and other splits are ignored.
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

from ftnoise.core.checks import expect, instance
from ftnoise.core.data import Sources
from ftnoise.core.progress import tell
from ftnoise.datasets.origins import Origin, OriginDataSet, Raw, reading

if TYPE_CHECKING:
    import numpy as np

IMAGE = re.compile(
    r"(?P<prefix>[^/]+/)?(?P<split>train|test)/(?P<label>[^/]+)/[^/.][^/]*\.(?i:jpe?g|png)"
)
FORMATS = ("JPEG", "PNG")
GRAY, COLOR = ("1", "L", "LA"), ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(OriginDataSet):
    """Images from a folder or `.zip`; content and name are the identity, the path is not.

    Args:
        path: the folder or `.zip` that contains `train` and `test` (a `.zip` may have one folder
            around them).
        name: distinguishes it from another folder in the same table.
    """

    path: str = field(metadata={"identity": False})
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        instance(str, "a string", name=self.name)

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield origin(Path(self.path))


def origin(
    path: Path,
    class_names: tuple[str, ...] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Origin:
    """The folder or `.zip` as an origin; see `read`."""
    files = tuple(path / name for name in _images(path)) if path.is_dir() else (path,)
    return Origin(path.name, functools.partial(read, path, class_names, shape), path, files)


def read(
    path: Path,
    class_names: tuple[str, ...] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Raw:
    """The images, uint8 `[n, height, width, channels]`, sorted by class and file name.

    Args:
        path: the folder or `.zip`.
        class_names: what the labels mean, if known; the folders are then named like that, or
            by the label's number.
        shape: height, width and channels of all images, if known; no image is converted to it.

    Raises:
        BadInput: naming the file, if the layout or an image is wrong.
    """
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    with reading(path, "images"), _opened(path) as (names, read_bytes):
        images = _layout(names)
        labels = _labels(images, class_names)
        tell(f"reading {len(images)} images from {path} (once; a copy is kept)")
        source = "all images of this set" if shape else "the first image"
        for split in ("train", "test"):
            chosen = [image for image in images if image["split"] == split]
            pixels = []
            for image in chosen:
                with reading(path / image[0], "an image"):
                    pixels.append(_pixels(read_bytes(image[0]), shape, source))
                shape = shape or pixels[0].shape
            arrays[f"x_{split}"] = np.stack(pixels)
            arrays[f"y_{split}"] = np.array([labels[image["label"]] for image in chosen])
    lossy = any(image[0].lower().endswith((".jpg", ".jpeg")) for image in images)
    return Raw(arrays, "JPEG, not the original pixels" if class_names and lossy else "")


def _images(folder: Path) -> list[str]:
    """`<split>/<class>/<file>` for each image in a folder, sorted."""
    names = (file.relative_to(folder).as_posix() for file in folder.glob("t*/*/*"))
    return sorted(name for name in names if IMAGE.fullmatch(name))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """The names in a folder or `.zip`, and a function that reads one."""
    if path.is_dir():
        yield _images(path), lambda name: (path / name).read_bytes()
    else:
        with zipfile.ZipFile(path) as archive:
            yield archive.namelist(), archive.read


def _layout(names: list[str]) -> list[re.Match[str]]:
    """The images, sorted by name; both splits have to exist, in one folder."""
    images = [match for name in sorted(set(names)) if (match := IMAGE.fullmatch(name))]
    expect(
        len({image["prefix"] for image in images}) == 1
        and {image["split"] for image in images} == {"train", "test"},
        "train/<class>/*.jpg or *.png, and the same in test",
        images=len(images),
        folders=sorted({image[0].rsplit("/", 2)[0] for image in images})[:3],
    )
    return images


def _labels(images: list[re.Match[str]], class_names: tuple[str, ...] | None) -> dict[str, int]:
    """The label of each class."""
    train = {image["label"] for image in images if image["split"] == "train"}
    test = {image["label"] for image in images if image["split"] == "test"}
    expect(test <= train, "the classes of test in train as well", unknown=sorted(test - train))
    if class_names is None:
        return {name: number for number, name in enumerate(sorted(train))}
    numbers = tuple(map(str, range(len(class_names))))
    known = class_names if train <= {*class_names} else numbers
    expect(
        train <= {*known},
        f"the classes {', '.join(class_names)} (or their numbers)",
        classes=sorted(train),
    )
    return {name: number for number, name in enumerate(known)}


def _pixels(content: bytes, shape: tuple[int, ...] | None, source: str) -> np.ndarray:
    """An image, uint8 `[height, width, channels]`, which has the shape that comes from `source`."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        expect(image.mode in GRAY + COLOR, "grayscale or color of 8 bits", mode=image.mode)
        own = (image.height, image.width, 1 if image.mode in GRAY else 3)
        height, width, channels = shape or own
        size, kind = own[:2], "grayscale" if channels == 1 else "color"
        expect(size == (height, width), f"{height}x{width} pixels, as {source}", size=size)
        expect(own[2] == channels, f"{kind}, as {source}", mode=image.mode)
        return np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(own)
