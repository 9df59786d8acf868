import gzip
import os

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.datasets import idx


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_written_is_read(tmp_path, write_idx, arrays, suffix):
    raw = idx.origin(write_idx(tmp_path / "set", arrays, suffix), "set").read().arrays
    assert raw.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(raw[name], array)


def test_a_dot_before_idx_is_as_good(tmp_path, write_idx, arrays):
    folder = write_idx(tmp_path / "set", arrays, "")
    (folder / "train-images-idx3-ubyte").rename(folder / "train-images.idx3-ubyte")
    x = idx.origin(folder, "set").read().arrays["x_train"]
    np.testing.assert_array_equal(x, arrays["x_train"])


def test_three_files_are_no_origin(tmp_path, write_idx, arrays):
    folder = write_idx(tmp_path / "set", arrays)
    assert idx.origin(folder, "set") is not None
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert idx.origin(folder, "set") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: gzip.compress(b""),
        lambda data: gzip.compress(data[:3]),
        lambda data: gzip.compress(data[:-1]),
        lambda data: gzip.compress(data + b"0"),
        lambda data: gzip.compress(b"\0\0\x0d\3" + data[4:]),
        lambda data: gzip.compress(data[:4] + b"\xff" * 12 + data[16:]),
        lambda data: gzip.compress(data)[:-9],
    ],
    ids=["empty", "magic", "short", "long", "floats", "huge", "gzip"],
)
def test_damage_names_the_file(tmp_path, write_idx, arrays, damage):
    folder = write_idx(tmp_path / "set", arrays)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.decompress(path.read_bytes())))
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz") as caught:
        idx.origin(folder, "set").read()
    assert "\n" not in str(caught.value)


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path, write_idx, arrays):
    folder = write_idx(tmp_path / "set", arrays)
    (folder / "train-images-idx3-ubyte.gz").unlink()
    os.mkfifo(folder / "train-images-idx3-ubyte.gz")
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz is no file"):
        idx.origin(folder, "set").read()
