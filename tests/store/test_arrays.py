from __future__ import annotations

import hashlib
import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from ftnoise.core.errors import RunFailed, StoredDamage
from ftnoise.store.arrays import is_listing, pack, unpack

ONES = np.ones(4, np.float32)
TEBI = 2**40

numeric_arrays = st_numpy.arrays(
    dtype=st.one_of(
        st_numpy.boolean_dtypes(),
        st_numpy.integer_dtypes(endianness="?"),
        st_numpy.unsigned_integer_dtypes(endianness="?"),
        st_numpy.floating_dtypes(endianness="?"),
        st_numpy.complex_number_dtypes(),
    ),
    shape=st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal bit for bit, the payload of NaN and the sign of zero included."""
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@settings(max_examples=60)
@given(arrays=st.lists(st.tuples(st.text(), numeric_arrays), max_size=3))
def test_round_trip(arrays):
    packed, listing = pack(arrays)
    assert is_listing(listing)
    unpacked = unpack(bytes(packed), listing)
    assert [name for name, _ in unpacked] == [name for name, _ in arrays]
    assert all(same(b, a) for (_, a), (_, b) in zip(arrays, unpacked, strict=True))


def test_listing_says_what_is_finite():
    _, listing = pack([("a", ONES), ("b", np.array([1, np.nan])), ("c", np.array(-np.inf))])
    assert [entry["finite"] for entry in listing["entries"]] == [True, False, False]


def test_arrays_in_fortran_order_keep_their_elements():
    packed, listing = pack([("a", np.asfortranarray(np.arange(6).reshape(2, 3)))])
    assert unpack(bytes(packed), listing)[0][1].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_unpacked_arrays_can_be_changed_in_place():
    packed, listing = pack([("a", ONES)])
    unpack(bytes(packed), listing)[0][1][:] = 0


def test_same_arrays_give_the_same_bytes_and_plain_numpy_reads_them():
    packed = bytes(pack([("a", ONES), ("b", ONES[:2])])[0])
    assert packed == bytes(pack([("a", ONES.copy()), ("b", ONES[:2])])[0])
    with np.load(io.BytesIO(packed), allow_pickle=False) as found:
        assert same(found["arr_0"], ONES)
        assert same(found["arr_1"], ONES[:2])


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array([{}]), np.zeros(1, "M8[s]")])
def test_only_numbers_are_packed(bad):
    with pytest.raises(RunFailed, match="Expected numbers in array 'x'"):
        pack([("ok", ONES), ("x", bad)])


# Bytes made to mislead, under a listing with their right size and SHA-256.


def entry(shape=(4,), dtype="<f4", finite=True) -> dict:
    return {"name": "w", "shape": list(shape), "dtype": dtype, "finite": finite}


def listed(packed: bytes, *entries: dict) -> dict:
    sha256 = hashlib.sha256(packed).hexdigest()
    return {"bytes": len(packed), "sha256": sha256, "entries": list(entries)}


def npz(*arrays: np.ndarray, compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, *arrays)
    return buffer.getvalue()


def npz_of_header(shape, dtype="<f4", name="arr_0.npy") -> bytes:
    """An archive with one member that declares `shape` and holds 16 bytes."""
    member, buffer = io.BytesIO(), io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, member.getvalue() + ONES.tobytes())
    return buffer.getvalue()


def npz_of_directory(size: int) -> bytes:
    """An archive whose directory declares a member of `size` bytes."""
    packed = bytearray(npz_of_header((size // 4,)))
    sizes = packed.rindex(b"PK\1\2") + 20
    packed[sizes : sizes + 8] = 2 * size.to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize(
    ("packed", "entries", "damage"),
    [
        (b"PK not at all", [entry()], "is not an archive of arrays"),
        (npz(ONES)[:100], [entry()], "is not an archive of arrays"),
        (npz(), [entry()], "does not hold the 1 listed arrays"),
        (npz(ONES, ONES), [entry()], "does not hold the 1 listed arrays"),
        (npz_of_header((4,), name="../x"), [entry()], "does not hold the 1 listed arrays"),
        (npz(ONES), [entry(shape=[2, 2])], "has another shape or dtype at 'w'"),
        (npz(ONES), [entry(dtype="<i4")], "has another shape or dtype at 'w'"),
        (npz(ONES * np.nan), [entry()], "is not as finite at 'w'"),
        (npz(ONES), [entry(finite=False)], "is not as finite at 'w'"),
        (npz(np.zeros(10**6), compressed=True), [entry([10**6])], "is compressed"),
        (npz_of_directory(2**30), [entry(shape=[2**28])], "declares more than it holds"),
        (npz_of_header((TEBI,)), [entry(shape=[TEBI])], "more or less than it holds at 'w'"),
        (npz_of_header((2,)), [entry(shape=[2])], "more or less than it holds at 'w'"),
        (npz_of_header((1,), "|V16"), [entry([1], "|V16")], "has another shape or dtype at 'w'"),
    ],
    # The bytes have the time in them, and a test's name must be the same in all processes.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_misleads_is_refused(packed, entries, damage):
    with pytest.raises(StoredDamage, match=damage):
        unpack(packed, listed(packed, *entries))


def test_bytes_of_another_size_or_digest_are_refused():
    packed, listing = npz(ONES), listed(npz(ONES), entry())
    assert same(unpack(packed, listing)[0][1], ONES)
    with pytest.raises(StoredDamage, match=r"has \d+ bytes instead of \d+"):
        unpack(packed[:-1], listing)
    with pytest.raises(StoredDamage, match="has another SHA-256"):
        unpack(packed[:-1] + b"x", listing)


class Payload:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_pickled_arrays_never_run(tmp_path):
    packed = npz(np.array([Payload(str(tmp_path / "ran"))], dtype=object))
    with np.load(io.BytesIO(packed), allow_pickle=True) as careless:
        assert careless["arr_0"].shape == (1,)
    (tmp_path / "ran").rmdir()
    with pytest.raises(StoredDamage):
        unpack(packed, listed(packed, entry(shape=[1], dtype="|O")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": -1},
        {"bytes": "9"},
        {"sha256": None},
        {"entries": None},
        {"entries": {"w": 1}},
        {"entries": [1]},
        {"entries": [{}]},
        {"entries": [entry(shape=[-2, -2])]},
        {"entries": [entry(shape=[2.5])]},
        {"entries": [entry(dtype=None)]},
        {"entries": [entry(finite=1)]},
    ],
)
def test_is_listing(changes):
    listing = listed(npz(ONES), entry())
    assert is_listing(listing)
    assert not is_listing(listing | changes)
    assert not is_listing([listing])
