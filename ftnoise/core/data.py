"""The arrays of a data set, and where they may come from."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftnoise.core import checks, seeds
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import np


def _cache_folder() -> Path:
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():
        return configured / "ftnoise"
    try:
        return Path.home() / ".cache" / "ftnoise"
    except RuntimeError:
        raise BadInput("Expected HOME or XDG_CACHE_HOME to be set. Received: neither.") from None


@dataclass(frozen=True)
class Sources:
    """Where data may come from.

    Attributes:
        data_dir: the user's own folder of data sets (`--data-dir` or `FTNOISE_DATA`), or None.
        offline: never touch the network.
        cache: where decoded and downloaded data are kept.
    """

    data_dir: Path | None = None
    offline: bool = False
    cache: Path = field(default_factory=_cache_folder)

    @classmethod
    def from_environment(
        cls, data_dir: str | os.PathLike[str] | None = None, offline: bool = False
    ) -> Sources:
        """Sources with `data_dir`, or else the folder that `FTNOISE_DATA` names.

        Raises `BadInput` if there is no such folder.
        """
        chosen = data_dir or os.environ.get("FTNOISE_DATA") or None
        if chosen is None:
            return cls(offline=offline)
        checks.path(data_dir=chosen)
        found = os.path.isdir(chosen)
        checks.expect(found, "--data-dir or FTNOISE_DATA to be a folder", data_dir=str(chosen))
        return cls(data_dir=Path(chosen).resolve(), offline=offline)


@dataclass(frozen=True, eq=False)
class Data:
    """The arrays of a data set.

    Attributes:
        x_train, x_test: float32 `[n, ...]`; images are `[n, height, width, channels]` in [0, 1].
            Only feature vectors `[n, features]` of a user's own `.npz` may lie elsewhere.
        y_train, y_test: int64 `[n]`, in `0..classes-1`.
        classes: number of classes.
        digest: SHA-256 (hex) of the content: names, types, shapes and values, order included.
        source: where the content came from, for a reader.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    digest: str
    source: str = ""

    def take(self, train: int | None, test: int | None) -> Data:
        """A random subset of this many examples, the same at every call, in the given order.

        None, or more than there is, takes all. The subset's digest is derived from the whole
        set's and the two sizes.
        """
        sizes = len(self.y_train), len(self.y_test)
        counts = [
            size if count is None else min(count, size)
            for size, count in zip(sizes, (train, test), strict=True)
        ]
        if counts == list(sizes):
            return self
        parts = {}
        for split, size, count in zip(("train", "test"), sizes, counts, strict=True):
            chosen = slice(None) if count == size else seeds.subset(size, count, split)
            parts[f"x_{split}"] = getattr(self, f"x_{split}")[chosen]
            parts[f"y_{split}"] = getattr(self, f"y_{split}")[chosen]
        text = f"{self.digest}/{counts[0]}/{counts[1]}"
        return dataclasses.replace(self, **parts, digest=hashlib.sha256(text.encode()).hexdigest())


def finite(array: np.ndarray, dtype: Any, name: str) -> np.ndarray:
    """An array in another type; raises `BadInput` where a value is not finite, or not in it."""
    # float64 may be beyond all float32; NaN has no integer.
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    good = np.isfinite(array) & np.isfinite(cast)
    if not good.all():
        first = tuple(int(n) for n in np.unravel_index(good.argmin(), good.shape))
        raise BadInput(
            f"Expected finite {cast.dtype} numbers in {name}. Received: {array[first]:g} at index "
            f"{first}, the first of {np.count_nonzero(~good):,} such values."
        )
    return cast
