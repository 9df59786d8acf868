import gzip

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.datasets import idx


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_written_is_read(tmp_path, write_idx, arrays, suffix):
    raw = idx.read(write_idx(tmp_path / "set", arrays, suffix)).arrays
    assert raw.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(raw[name], array)


def test_a_dot_before_idx_is_as_good(tmp_path, write_idx, arrays):
    folder = write_idx(tmp_path / "set", arrays, "")
    (folder / "train-images-idx3-ubyte").rename(folder / "train-images.idx3-ubyte")
    np.testing.assert_array_equal(idx.read(folder).arrays["x_train"], arrays["x_train"])


def test_three_files_are_no_origin_and_the_fourth_is_named(tmp_path, write_idx, arrays):
    folder = write_idx(tmp_path / "set", arrays)
    assert idx.origin(folder, "set") is not None
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert idx.origin(folder, "set") is None
    with pytest.raises(BadInput, match="t10k-labels"):
        idx.read(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:3],
        lambda data: data[:-1],
        lambda data: data + b"0",
        lambda data: b"\0\0\x0d\3" + data[4:],
        lambda data: data[:4] + b"\xff" * 12 + data[16:],
    ],
    ids=["empty", "magic", "short", "long", "floats", "huge"],
)
def test_damage_names_the_file(tmp_path, write_idx, arrays, damage):
    folder = write_idx(tmp_path / "set", arrays)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(damage(gzip.decompress(path.read_bytes()))))
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz") as caught:
        idx.read(folder)
    assert "\n" not in str(caught.value)


def test_a_truncated_gzip_names_the_file(tmp_path, write_idx, arrays):
    path = write_idx(tmp_path / "set", arrays) / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput, match="train-labels"):
        idx.read(path.parent)
