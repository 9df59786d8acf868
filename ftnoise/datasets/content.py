"""What every data set's arrays have to satisfy, and the digests that name their content.

Checked arrays are `x_train`, `x_test`: uint8 or float32, `[n, ...]`, and `y_train`, `y_test`:
int64, `[n]`. Rules:

- uint8 is scaled by 255 when it is delivered (`as_float`); other integers are refused.
- `[n, height, width]` is taken as grayscale and becomes `[n, height, width, 1]`.
- Floating-point images (three dimensions and more) have to lie in [0, 1] already; feature vectors
  `[n, features]` may hold any finite numbers, since they may have been normalized.
- Labels are integers `[n]` or `[n, 1]` in `0..classes-1`. Where a set does not know its number of
  classes, `y_train` has to contain each of 0, 1, ... up to its largest.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np

from ftnoise.core.checks import expect
from ftnoise.core.data import Data, finite

Arrays: TypeAlias = dict[str, np.ndarray]
SPLITS = ("train", "test")
NAMES = ("x_train", "y_train", "x_test", "y_test")


def checked(
    raw: Arrays,
    where: object,
    *,
    sizes: tuple[int | None, int | None] = (None, None),
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    original: str | None = None,
) -> Arrays:
    """The arrays in the form described above; `BadInput` names `where` and the array that is wrong.

    What is known is checked too: the number of training and of test examples, the shape of an
    example, the number of classes, and the `unordered_digest` of the original.
    """
    expect(set(NAMES) <= set(raw), f"{where} to contain {', '.join(NAMES)}", arrays=sorted(raw))
    arrays: Arrays = {}
    for split, size in zip(SPLITS, sizes, strict=True):
        x_name, y_name = f"x_{split} in {where}", f"y_{split} in {where}"
        x = arrays[f"x_{split}"] = _examples(raw[f"x_{split}"], x_name)
        y = arrays[f"y_{split}"] = _labels(raw[f"y_{split}"], y_name)
        expect(len(y) == len(x), f"{len(x)} labels, one per example, in {y_name}", labels=len(y))
        expect(size in (None, len(x)), f"{size} examples in {x_name}", examples=len(x))
        shape = shape or x.shape[1:]
        expect(x.shape[1:] == shape, f"examples of shape {shape} in {x_name}", shape=x.shape[1:])
    kinds = {str(arrays[f"x_{split}"].dtype) for split in SPLITS}
    expect(len(kinds) == 1, f"x_train and x_test in {where} to be of one type", types=sorted(kinds))
    if classes is None:
        classes = int(arrays["y_train"].max()) + 1
        present = len(np.unique(arrays["y_train"]))
        expect(
            present == classes > 1,
            f"y_train in {where} to hold at least two classes, and each of 0..{classes - 1}",
            classes_present=present,
        )
    for split in SPLITS:
        highest = int(arrays[f"y_{split}"].max())
        within = f"y_{split} in {where} to be in 0..{classes - 1}"
        expect(highest < classes, within, highest=highest)
    if original is not None:
        expect(kinds == {"uint8"}, f"x_train in {where} to be uint8, as the original", type=kinds)
        digest = unordered_digest(arrays)
        expect(
            digest == original,
            f"{where} to hold the original examples, in any order (digest {original[:12]}...)",
            digest=f"{digest[:12]}...",
        )
    return arrays


def _examples(x: Any, name: str) -> np.ndarray:
    expect(
        x.dtype == np.uint8 or x.dtype.kind == "f",
        f"{name} to be uint8 or floating point",
        dtype=str(x.dtype),
    )
    expect(x.ndim >= 2 and x.size > 0, f"{name} to be a non-empty [n, ...]", shape=x.shape)
    if x.ndim == 3:
        x = x[..., np.newaxis]
    if x.dtype != np.uint8:
        x = finite(x, np.float32, name)
        low, high = float(x.min()), float(x.max())
        expect(
            x.ndim == 2 or (low >= 0 and high <= 1),
            f"{name} to be uint8, or floating point in [0, 1]",
            lowest=low,
            highest=high,
        )
    return np.ascontiguousarray(x)


def _labels(y: Any, name: str) -> np.ndarray:
    expect(y.dtype.kind in "iu", f"{name} to be integers", dtype=str(y.dtype))
    expect(y.size > 0 and y.shape in ((y.size,), (y.size, 1)), f"{name} to be [n]", shape=y.shape)
    low, high = int(y.min()), int(y.max())
    expect(low >= 0 and high < 2**31, f"{name} to be labels 0, 1, ...", lowest=low, highest=high)
    return np.ascontiguousarray(y.reshape(-1), np.int64)


def digest(arrays: Arrays) -> str:
    """SHA-256 (hex) of checked arrays: names, types, shapes and bytes, order included."""
    total = hashlib.sha256()
    for name in NAMES:
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {tuple(array.shape)}\n".encode())
        total.update(array.data.cast("B"))
    return total.hexdigest()


def unordered_digest(arrays: Arrays) -> str:
    """SHA-256 (hex) of uint8 examples and labels, independent of the order within a split.

    It covers the sorted SHA-256 of each example's bytes followed by its label's byte.
    """
    total = hashlib.sha256()
    for split in SPLITS:
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"].astype(np.uint8)
        rows = np.column_stack([x.reshape(len(x), -1), y])
        digests = sorted(hashlib.sha256(row).digest() for row in rows)
        total.update(f"{split} {len(digests)}\n".encode() + b"".join(digests))
    return total.hexdigest()


def as_data(manifest: dict[str, Any], arrays: Arrays) -> Data:
    """The checked arrays as they are delivered; the manifest has digest, source and classes."""
    return Data(
        x_train=as_float(arrays["x_train"]),
        y_train=arrays["y_train"],
        x_test=as_float(arrays["x_test"]),
        y_test=arrays["y_test"],
        **manifest,
    )


def as_float(x: np.ndarray) -> np.ndarray:
    """uint8 divided by 255, as float32; other arrays as they are.

    This is how all examples from files are scaled: of data sets, and of `ftnoise inject --data`.
    """
    # Without `dtype`, NumPy 1 would divide uint8 by a scalar in half precision.
    return np.divide(x, 255, dtype=np.float32) if x.dtype == np.uint8 else x
