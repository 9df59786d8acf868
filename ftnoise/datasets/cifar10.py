"""CIFAR-10: 32x32 color images, 50,000 for training and 10,000 for testing.

Source: Krizhevsky (2009), "Learning Multiple Layers of Features from Tiny Images".

Deviations
1. The pixels are not compared with the original's, so a copy that was compressed again is taken;
   `Data.source` notes where the images are JPEG.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.files import read_bytes
from ftnoise.core.lazy import np
from ftnoise.datasets.origins import Origin, Raw, reading
from ftnoise.datasets.public import PublicSet

BINARY, PICKLED = "cifar-10-batches-bin", "cifar-10-batches-py"
BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}


@dataclass(frozen=True, kw_only=True)
class CIFAR10(PublicSet):
    """CIFAR-10 of Krizhevsky (2009), `[n, 32, 32, 3]`, 10 classes."""

    train_size = 50_000
    test_size = 10_000
    shape = (32, 32, 3)
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    tfds_url = "https://www.cs.toronto.edu"

    def in_folder(self, folder: Path) -> Origin | None:
        for place in [folder, *self.own_folders(folder)]:
            if (binary := place / BINARY).is_dir():
                files = tuple(binary / name for names in BATCHES.values() for name in names)
                return Origin(BINARY, functools.partial(read_batches, binary), binary, files)
        origin = super().in_folder(folder)
        if origin is None and (folder / PICKLED).is_dir():
            raise BadInput(
                f"Expected {BINARY}, which holds plain bytes. Received: {folder / PICKLED}, which "
                "is pickled and is not read."
            )
        return origin

    @property
    def accepted(self) -> str:
        return f"{BINARY}/ (not the pickled {PICKLED}/), {super().accepted}"


def read_batches(folder: Path) -> Raw:
    """The binary version: records of a label's byte and 3 planes of 32 x 32 bytes."""
    arrays = {}
    for split, names in BATCHES.items():
        records = []
        for name in names:
            with reading(folder / name, "a batch of CIFAR-10"):
                content = np.frombuffer(read_bytes(folder / name), np.uint8)
                whole = content.size > 0 and content.size % 3073 == 0
                expect(whole, "records of 3073 bytes", bytes=content.size)
                records.append(content.reshape(-1, 3073))
        joined = np.concatenate(records)
        arrays[f"x_{split}"] = joined[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        arrays[f"y_{split}"] = joined[:, 0]
    return Raw(arrays)
