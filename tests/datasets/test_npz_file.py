import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.spec import canonical
from ftnoise.datasets.image_folder import ImageFolder
from ftnoise.datasets.npz_file import NpzFile


def test_a_file_is_read_and_no_copy_is_kept(write_npz, arrays, sources):
    data_set = NpzFile(path=write_npz(arrays, "My pets (2).npz"))
    data = data_set.load(sources)
    assert (data.classes, data.source) == (3, "My pets (2).npz")
    np.testing.assert_allclose(data.x_train[..., 0] * 255, arrays["x_train"], rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, arrays["y_test"])
    assert not sources.cache.exists()
    assert data_set.digest(sources) == data.digest


def test_content_is_the_identity_and_the_path_is_not(write_npz, arrays, sources):
    one, two = (NpzFile(path=write_npz(arrays, name)) for name in ("a.npz", "b.npz"))
    assert canonical(one) == canonical(two)
    assert str(one.path) not in str(canonical(one, everything=True))
    assert one.digest(sources) == two.digest(sources)
    write_npz(arrays | {"x_test": arrays["x_test"][::-1]}, "b.npz")
    assert one.digest(sources) != two.digest(sources)


@pytest.mark.parametrize("kind", [NpzFile, ImageFolder])
def test_a_name_tells_own_files_of_one_table_apart_and_none_changes_no_id(kind):
    one, two, unnamed = kind(path="a", name="one"), kind(path="a", name="two"), kind(path="a")
    assert len({str(canonical(data)) for data in (one, two, unnamed)}) == 3
    assert canonical(unnamed) == {"class": kind.__name__, "revision": 1}
    with pytest.raises(BadInput, match="name=1"):
        kind(path="a", name=1)


def test_labels_of_another_integer_type_are_the_same_content(write_npz, arrays, sources):
    wide = arrays | {k: arrays[k].astype(np.int32) for k in ("y_train", "y_test")}
    one, two = NpzFile(path=write_npz(arrays, "a.npz")), NpzFile(path=write_npz(wide, "b.npz"))
    assert one.digest(sources) == two.digest(sources)


def test_fortran_order_and_compression_make_no_difference(write_npz, arrays, sources):
    plain = NpzFile(path=write_npz(arrays, "a.npz"))
    path = sources.data_dir / "b.npz"
    np.savez_compressed(path, **{k: np.asfortranarray(v) for k, v in arrays.items()})
    assert plain.digest(sources) == NpzFile(path=path).digest(sources)


@pytest.mark.parametrize("kind", [NpzFile, ImageFolder])
@pytest.mark.parametrize("path", [5, None, b"mine.npz", ["mine.npz"], "mine\0.npz"])
def test_what_is_no_path_is_refused(kind, path):
    with pytest.raises(BadInput, match="Expected path to be a path"):
        kind(path=path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_a_pipe_is_no_file_and_is_not_waited_for(tmp_path, sources, make):
    make(tmp_path / "mine.npz")
    with pytest.raises(BadInput, match=r"mine\.npz is no file, but a folder, pipe or device"):
        NpzFile(path=tmp_path / "mine.npz").load(sources)


def test_a_device_is_no_file(sources):
    with pytest.raises(BadInput, match="/dev/zero is no file"):
        NpzFile(path="/dev/zero").load(sources)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def refused(path, sources, *words):
    with pytest.raises(BadInput) as caught:
        NpzFile(path=path).load(sources)
    message = str(caught.value)
    assert "\n" not in message
    for word in (path.name, *words):
        assert word in message


def test_pickled_objects_are_not_loaded(write_npz, arrays, sources):
    refused(
        write_npz(arrays | {"x_train": np.array([Trap()] * 6, object)}),
        sources,
        "pickle",
    )
    path = sources.data_dir / "bare.npz"
    path.write_bytes(pickle.dumps(Trap()))
    refused(path, sources)


def test_a_truncated_file_is_refused_wherever_it_ends(write_npz, arrays, sources):
    whole = write_npz(arrays).read_bytes()
    path = sources.data_dir / "short.npz"
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        refused(path, sources)


def test_a_changed_byte_in_an_array_is_refused(write_npz, arrays, sources):
    path = write_npz(arrays)
    whole = bytearray(path.read_bytes())
    whole[whole.index(arrays["x_train"].tobytes()) + 7] ^= 1
    path.write_bytes(whole)
    refused(path, sources, "CRC")


@pytest.mark.parametrize("declared", [(2**40, 4, 5), (7, 4, 5), (5, 4, 5), (-6, -4, 5)])
def test_a_header_that_declares_more_or_less_than_the_file_holds(
    write_npz, arrays, sources, declared
):
    path = write_npz({k: v for k, v in arrays.items() if k != "x_train"})
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": declared}
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", buffer.getvalue() + arrays["x_train"].tobytes())
    refused(path, sources)


def test_a_file_that_is_not_there_or_is_a_folder(sources):
    refused(sources.data_dir / "absent.npz", sources, "No such file")
    (sources.data_dir / "folder.npz").mkdir()
    refused(sources.data_dir / "folder.npz", sources)
    np.save(sources.data_dir / "one.npy", np.zeros(3))
    refused(sources.data_dir / "one.npy", sources, ".npz")
