"""A user's own images as `train/<class>/*.jpg|png` and `test/<class>/*`, in a folder or a `.zip`.

This is the layout of `tfds.ImageFolder`. Classes are numbered in the sorted order of their names.
All images have to be of one size, and all grayscale (one channel) or all color (RGB; transparency
is dropped). Files of other kinds, hidden files and other splits are ignored.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ftnoise.core.checks import expect
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.files import read_bytes, regular
from ftnoise.core.lazy import np
from ftnoise.core.progress import log
from ftnoise.datasets.origins import Origin, OwnDataSet, Raw, reading

IMAGE = re.compile(
    r"(?P<prefix>[^/]+/)?(?P<split>train|test)/(?P<label>[^/]+)/[^/.][^/]*\.(?i:jpe?g|png)"
)
GRAY, COLOR = ("1", "L", "LA"), ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(OwnDataSet):
    """Images from the folder or `.zip` that contains `train` and `test` (a `.zip` may have one
    folder around them).
    """

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield origin(Path(self.path))


def origin(
    path: Path, class_names: tuple[str, ...] | None = None, shape: tuple[int, ...] | None = None
) -> Origin:
    """The folder or `.zip` as an origin of uint8 images `[n, height, width, channels]`.

    Its folders are named like the `class_names`, if they are known, or by the label's number. No
    image is converted to the `shape` of all images, if that is known.
    """
    files = tuple(path / name for name in _in_folder(path)) if path.is_dir() else (path,)
    return Origin(path.name, functools.partial(_read, path, class_names, shape), path, files)


def _read(path: Path, class_names: tuple[str, ...] | None, shape: tuple[int, ...] | None) -> Raw:
    """The images, sorted by class and file name; `BadInput` names a file that is wrong."""
    arrays: dict[str, np.ndarray] = {}
    with reading(path, "images"), contextlib.ExitStack() as stack:
        if path.is_dir():
            images, content = _layout(_in_folder(path)), lambda name: read_bytes(path / name)
        else:
            file = stack.enter_context(open(path, "rb", opener=regular))
            archive = stack.enter_context(zipfile.ZipFile(file))
            images, content = _layout(archive.namelist()), archive.read
        labels = _labels(images, class_names)
        log(f"reading {len(images)} images from {path} (once; a copy is kept)")
        source = "all images of this set" if shape else "the first image"
        for split in ("train", "test"):
            chosen = [image for image in images if image["split"] == split]
            pixels = []
            for image in chosen:
                with reading(path / image[0], "an image"):
                    pixels.append(_pixels(content(image[0]), shape, source))
                shape = shape or pixels[0].shape
            arrays[f"x_{split}"] = np.stack(pixels)
            arrays[f"y_{split}"] = np.array([labels[image["label"]] for image in chosen])
    lossy = any(image[0].lower().endswith((".jpg", ".jpeg")) for image in images)
    return Raw(arrays, "JPEG, not the original pixels" if class_names and lossy else "")


def _in_folder(folder: Path) -> list[str]:
    """`<split>/<class>/<file>` for each image in a folder."""
    names = (file.relative_to(folder).as_posix() for file in sorted(folder.glob("t*/*/*")))
    return [name for name in names if IMAGE.fullmatch(name)]


def _layout(names: Iterable[str]) -> list[re.Match[str]]:
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
    for known in (class_names, [str(number) for number in range(len(class_names))]):
        if train <= {*known}:
            return {name: number for number, name in enumerate(known)}
    names = ", ".join(class_names)
    raise BadInput(f"Expected the classes {names} (or their numbers). Received: {sorted(train)}.")


def _pixels(content: bytes, shape: tuple[int, ...] | None, source: str) -> np.ndarray:
    """An image, uint8 `[height, width, channels]`, of the shape that `source` has."""
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except UnidentifiedImageError:  # its text names an object in memory
        raise BadInput("Expected a JPEG or PNG. Received: other content.") from None
    with opened as image:
        expect(image.mode in GRAY + COLOR, "grayscale or color of 8 bits", mode=image.mode)
        own = (image.height, image.width, 1 if image.mode in GRAY else 3)
        height, width, channels = shape or own
        size, kind = own[:2], "grayscale" if channels == 1 else "color"
        expect(size == (height, width), f"{height}x{width} pixels, as {source}", size=size)
        expect(own[2] == channels, f"{kind}, as {source}", mode=image.mode)
        return np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(own)
