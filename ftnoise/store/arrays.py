"""Named arrays become the bytes of an `.npz` file and come back, and no declaration is believed.

NumPy writes the archive uncompressed; its members are `arr_0.npy`, `arr_1.npy`, ... in order. A
listing, kept as JSON beside the bytes, holds their size and SHA-256 and, for each array, name,
shape, dtype and whether all its elements are finite. The way back compares every declaration with
the listing and with the true number of bytes before it allocates an array, and never unpickles.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeGuard

from ftnoise.core.checks import is_count
from ftnoise.core.errors import BadInput, RunFailed, StoredDamage
from ftnoise.core.files import read_npy
from ftnoise.core.spec import JSON

if TYPE_CHECKING:
    from numpy import ndarray

NUMERIC_KINDS = frozenset("biufc")


def pack(arrays: Iterable[tuple[str, ndarray]]) -> tuple[memoryview, dict[str, JSON]]:
    """The bytes of an `.npz` file with `arrays` (name, values of any shape), and its listing.

    The same arrays give the same bytes. Names may repeat.

    Raises:
        RunFailed: an array is neither boolean nor integer, floating or complex.
    """
    import numpy as np

    named = [(name, np.asarray(values)) for name, values in arrays]
    for name, values in named:
        if values.dtype.kind not in NUMERIC_KINDS:
            raise RunFailed(f"Expected numbers in array {name!r}. Received: dtype={values.dtype}.")
    buffer = io.BytesIO()
    np.savez(buffer, *(values for _, values in named))
    content = buffer.getbuffer()
    entries = [
        {
            "name": name,
            "shape": list(values.shape),
            "dtype": values.dtype.str,
            "finite": bool(np.isfinite(values).all()),
        }
        for name, values in named
    ]
    sha256 = hashlib.sha256(content).hexdigest()
    return content, {"bytes": len(content), "sha256": sha256, "entries": entries}


def is_listing(value: object) -> TypeGuard[dict[str, JSON]]:
    """True if `value` has the form of a listing made by `pack`; does not need NumPy."""
    return (
        isinstance(value, dict)
        and is_count(value.get("bytes"))
        and isinstance(value.get("sha256"), str)
        and isinstance(value.get("entries"), list)
        and all(_is_entry(entry) for entry in value["entries"])
    )


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("shape"), list)
        and all(is_count(length, least=0) for length in value["shape"])
        and isinstance(value.get("dtype"), str)
        and isinstance(value.get("finite"), bool)
    )


def check_bytes(content: bytes, listing: dict[str, JSON]) -> None:
    """Raises `StoredDamage` unless size and SHA-256 of `content` are those of the listing."""
    _check(
        len(content) == listing["bytes"],
        f"has {len(content)} bytes instead of {listing['bytes']}",
    )
    _check(hashlib.sha256(content).hexdigest() == listing["sha256"], "has another SHA-256")


def unpack(content: bytes, listing: dict[str, JSON]) -> list[tuple[str, ndarray]]:
    """The arrays that `pack` put into `content`, in order.

    Raises:
        StoredDamage: anything differs from the listing, or is not what `pack` writes.
    """
    check_bytes(content, listing)
    entries = listing["entries"]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check(
                all(member.compress_type == zipfile.ZIP_STORED for member in members),
                "is compressed",
            )
            _check(
                sum(member.file_size for member in members) <= len(content),
                "declares more than it holds",
            )
            _check(
                [member.filename for member in members]
                == [f"arr_{index}.npy" for index in range(len(entries))],
                f"does not hold the {len(entries)} listed arrays",
            )
            return [
                (entry["name"], _read_member(archive, member, entry))
                for member, entry in zip(members, entries, strict=True)
            ]
    except StoredDamage:
        raise
    # Bytes made to mislead can raise whatever zipfile and NumPy happen to raise.
    except Exception as error:
        raise StoredDamage(f"is not an archive of arrays ({type(error).__name__})") from error


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, entry: dict[str, JSON]
) -> ndarray:
    import numpy as np

    name = entry["name"]
    try:
        values = read_npy(archive, member)
    except BadInput as error:
        raise StoredDamage(f"declares more or less than it holds at {name!r}") from error
    _check(
        list(values.shape) == entry["shape"]
        and values.dtype.str == entry["dtype"]
        and values.dtype.kind in NUMERIC_KINDS,
        f"has another shape or dtype at {name!r}",
    )
    _check(bool(np.isfinite(values).all()) == entry["finite"], f"is not as finite at {name!r}")
    return values


def _check(holds: bool, damage: str) -> None:
    if not holds:
        raise StoredDamage(damage)
