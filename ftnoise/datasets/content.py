"""What every data set's arrays have to satisfy, and the digests that name their content.

Checked arrays are `x_train`, `x_test`: uint8 or float32, `[n, ...]`, and `y_train`, `y_test`:
int64, `[n]`. Rules:

- uint8 is scaled by 255 when it is delivered; other integers are refused.
- `[n, height, width]` is taken as grayscale and becomes `[n, height, width, 1]`.
- Floating-point images (three dimensions and more) have to lie in [0, 1] already; feature vectors
  `[n, features]` may hold any finite numbers, since they may have been normalized.
- Labels are integers `[n]` or `[n, 1]` in `0..classes-1`. Where a set does not say how many
  classes there are, `y_train` has to contain each of 0, 1, ... up to its largest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ftnoise.core.checks import expect
from ftnoise.core.data import Data

if TYPE_CHECKING:
    from ftnoise.datasets import Arrays, OriginDataSet

SPLITS = ("train", "test")
NAMES = ("x_train", "y_train", "x_test", "y_test")
LARGEST = 16 * 2**30
"""Bytes that a file may declare for its arrays; more is taken for damage or malice."""


def checked(raw: Arrays, where: object, data_set: OriginDataSet) -> Arrays:
    """The arrays in the form described above.

    Args:
        raw: arrays by name, as read.
        where: the file or place, for the message.
        data_set: what is known of the set: sizes, shape, number of classes, content.

    Raises:
        BadInput: naming `where` and the array, if something cannot be right.
    """
    missing = [name for name in NAMES if name not in raw]
    expect(not missing, f"{where} to contain {', '.join(NAMES)}", found=sorted(raw))
    arrays: Arrays = {}
    for split in SPLITS:
        x_name, y_name = f"x_{split}", f"y_{split}"
        arrays[x_name] = _checked_examples(raw[x_name], f"{x_name} in {where}")
        arrays[y_name] = _checked_labels(raw[y_name], f"{y_name} in {where}")
        lengths = len(arrays[x_name]), len(arrays[y_name])
        expect(
            lengths[0] == lengths[1],
            f"{x_name} and {y_name} in {where} to be of one length",
            lengths=lengths,
        )
        size = data_set.train_size if split == "train" else data_set.test_size
        expect(
            size is None or lengths[0] == size,
            f"{size} examples in {x_name} in {where}",
            examples=lengths[0],
        )
        shape = data_set.shape if data_set.shape else arrays["x_train"].shape[1:]
        expect(
            arrays[x_name].shape[1:] == shape,
            f"{x_name} in {where} to hold examples of shape {tuple(shape)}",
            shape=arrays[x_name].shape[1:],
        )
    expect(
        arrays["x_train"].dtype == arrays["x_test"].dtype,
        f"x_train and x_test in {where} to be of one type",
        types=tuple(str(arrays[f"x_{split}"].dtype) for split in SPLITS),
    )
    _check_classes(arrays, where, data_set)
    if data_set.content is not None:
        expect(
            arrays["x_train"].dtype == np.uint8,
            f"x_train in {where} to be uint8, as the original of {data_set.slug}",
            dtype=str(raw["x_train"].dtype),
        )
        found = unordered_digest(arrays)
        expect(
            found == data_set.content,
            f"{where} to hold the original examples of {data_set.slug}, in any order "
            f"(digest {data_set.content[:12]}...)",
            digest=f"{found[:12]}...",
        )
    return arrays


def _checked_examples(x: Any, name: str) -> np.ndarray:
    expect(
        x.dtype == np.uint8 or x.dtype.kind == "f",
        f"{name} to be uint8 or floating point",
        dtype=str(x.dtype),
    )
    expect(x.ndim >= 2 and x.size > 0, f"{name} to be a non-empty [n, ...]", shape=tuple(x.shape))
    if x.ndim == 3:
        x = x[..., np.newaxis]
    if x.dtype != np.uint8:
        # What overflows float32 becomes infinite and is refused with the rest.
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        low, high = float(x.min()), float(x.max())
        expect(
            bool(np.isfinite([low, high]).all()), f"{name} to be finite", lowest=low, highest=high
        )
        expect(
            x.ndim == 2 or (low >= 0 and high <= 1),
            f"{name} to be uint8, or floating point in [0, 1]",
            lowest=low,
            highest=high,
        )
    return np.ascontiguousarray(x)


def _checked_labels(y: Any, name: str) -> np.ndarray:
    expect(y.dtype.kind in "iu", f"{name} to be integers", dtype=str(y.dtype))
    shape = tuple(y.shape)
    expect(
        y.size > 0 and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)),
        f"{name} to be a non-empty [n]",
        shape=shape,
    )
    expect(
        y.min() >= 0 and y.max() < 2**31,
        f"{name} to be labels 0, 1, ...",
        lowest=int(y.min()),
        highest=int(y.max()),
    )
    return np.ascontiguousarray(y.reshape(-1), np.int64)


def _check_classes(arrays: Arrays, where: object, data_set: OriginDataSet) -> None:
    classes = class_count(arrays, data_set)
    if data_set.class_names is None:
        present = len(np.unique(arrays["y_train"]))
        expect(
            present == classes > 1,
            f"y_train in {where} to hold at least two classes, and each of 0..{classes - 1}",
            classes_present=present,
        )
    for split in SPLITS:
        highest = int(arrays[f"y_{split}"].max())
        expect(
            highest < classes,
            f"y_{split} in {where} to be in 0..{classes - 1}",
            highest=highest,
        )


def class_count(arrays: Arrays, data_set: OriginDataSet) -> int:
    """The number of classes: the known one, or as many as `y_train` needs."""
    if data_set.class_names is not None:
        return len(data_set.class_names)
    return int(arrays["y_train"].max()) + 1


def digest(arrays: Arrays) -> str:
    """SHA-256 (hex) of checked arrays: names, types, shapes and bytes, order included."""
    total = hashlib.sha256()
    for name in NAMES:
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {tuple(array.shape)}\n".encode())
        total.update(array.data.cast("B"))
    return total.hexdigest()


def unordered_digest(arrays: Arrays) -> str:
    """SHA-256 (hex) of uint8 examples and labels whatever their order within a split.

    It covers the sorted SHA-256 of each example's bytes followed by its label's byte.
    """
    total = hashlib.sha256()
    for split in SPLITS:
        labels = arrays[f"y_{split}"].astype(np.uint8).tobytes()
        pixels = arrays[f"x_{split}"].data.cast("B")
        size = len(pixels) // len(labels)
        digests = []
        for index in range(len(labels)):
            example = hashlib.sha256(pixels[index * size : (index + 1) * size])
            example.update(labels[index : index + 1])
            digests.append(example.digest())
        total.update(f"{split} {len(digests)}\n".encode() + b"".join(sorted(digests)))
    return total.hexdigest()


def manifest(arrays: Arrays, source: str, data_set: OriginDataSet) -> dict[str, Any]:
    """What is written beside kept arrays: their digest, source and number of classes."""
    return {
        "digest": digest(arrays),
        "source": source,
        "classes": class_count(arrays, data_set),
    }


def as_data(manifest: dict[str, Any], arrays: Arrays) -> Data:
    """The checked arrays in the form that is delivered."""
    return Data(
        x_train=_as_float(arrays["x_train"]),
        y_train=arrays["y_train"],
        x_test=_as_float(arrays["x_test"]),
        y_test=arrays["y_test"],
        classes=manifest["classes"],
        digest=manifest["digest"],
        source=manifest["source"],
    )


def _as_float(x: np.ndarray) -> np.ndarray:
    # Without `dtype`, NumPy 1 would divide uint8 by a scalar in half precision.
    return np.divide(x, 255, dtype=np.float32) if x.dtype == np.uint8 else x
