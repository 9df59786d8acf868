"""Files of a user's are read or refused in one line, and never unpickled."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.user.files import check_name, load_weights, read_examples, read_weights
from tests.user.made import model

X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file.npz"


def refused(function, *arguments):
    with pytest.raises(BadInput) as found:
        function(*arguments)
    text = str(found.value)
    assert "Expected" in text
    assert "Received" in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("names", "several"),
    [
        (("x", "y"), False),
        (("x_test", "y_test", "x_train", "y_train"), False),
        (("x_0", "y"), True),
        (("x_0", "x_1", "y"), True),
        (("x", "x_0", "y"), False),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_examples(file, names, several, save):
    save(file, **{name: Y if name.startswith("y") else X for name in names})
    x, y, scaled = read_examples(file)
    assert not scaled
    assert isinstance(x, list) == several
    for one in x if several else [x]:
        np.testing.assert_array_equal(one, X)
    assert len(x) == (len(names) - 1 if several else 3)
    np.testing.assert_array_equal(y, Y)


def test_uint8_is_divided_by_255_as_in_a_data_set(file):
    pixels = np.arange(256, dtype=np.uint8).reshape(64, 2, 2)
    np.savez(
        file, x_train=pixels, y_train=np.arange(64) % 3, x_test=pixels, y_test=np.arange(64) % 3
    )
    x, _, scaled = read_examples(file)
    assert scaled
    data = NpzFile(path=str(file)).load(Sources(cache=file.parent / "cache"))
    assert x.dtype == data.x_test.dtype == np.float32
    np.testing.assert_array_equal(x, data.x_test[..., 0])


@pytest.mark.parametrize(
    ("arrays", "received"),
    [
        ({"x": X}, "Received: x."),
        ({"y": Y, "x_1": X}, "Received: x_1, y."),
        ({"x_test": X, "y": Y}, "Received: x_test, y."),
        ({}, "Received: none."),
        ({"x": np.array([{}, ()], object), "y": Y}, "allow_pickle"),
    ],
)
def test_other_examples_are_refused(file, arrays, received):
    np.savez(file, **arrays)
    text = refused(read_examples, file)
    assert received in text
    assert str(file) in text


@pytest.mark.parametrize("read", [read_examples, read_weights])
def test_damaged_files_are_refused(file, read):
    assert "No such file" in refused(read, file)
    file.write_bytes(b"")
    refused(read, file)
    np.savez(file, X, x=X, y=Y)
    whole = file.read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 10):
        file.write_bytes(whole[:end])
        assert str(file) in refused(read, file)
    np.savez(file, x=X, y=Y, arr_0=X)
    middle = file.read_bytes().replace(X.tobytes(), (X + 1).tobytes())
    file.write_bytes(middle)
    assert "CRC" in refused(read_examples, file)


def test_weights_as_numpy_writes_them(file):
    network = model()
    network.layers[-1].bias.assign([1, 2, 3])
    np.savez(file, *network.get_weights())
    other = model()
    load_weights(other, read_weights(file), file)
    for one, same in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def test_weights_of_a_stored_run(folder):
    network = model()
    named = [(weight.name, weight.numpy()) for weight in network.weights]
    folder.save_weights(named, {})
    found = read_weights(folder.path / "weights.npz")
    for one, same in zip(network.get_weights(), found, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("names", [("weights",), ("arr_1",), ("arr_0", "arr_2"), ("x", "arr_0")])
def test_weights_with_names_are_refused(file, names):
    np.savez(file, **dict.fromkeys(names, X))
    assert "numpy.savez(path, *model.get_weights())" in refused(read_weights, file)


def test_weights_that_are_no_numbers_are_refused(file):
    np.savez(file, np.array(["a", "b"]))
    assert "numbers in arr_0" in refused(read_weights, file)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda given: given[:-1], "the 4 weights of own. Received: 3 arrays"),
        (lambda given: [*given, X], "the 4 weights of own. Received: 5 arrays"),
        (
            lambda given: [*given[:2], given[2].T, given[3]],
            "arr_2 being dense_1/kernel:0 of shape [8, 3]. Received: shape [3, 8]",
        ),
        (lambda given: [X], "arr_0 being dense/kernel:0 of shape [5, 8]. Received: shape [3, 2]"),
    ],
)
def test_weights_of_another_model_are_refused_by_the_first_that_differs(file, other, said):
    import keras

    keras.backend.clear_session()
    network = model()
    before = network.get_weights()
    text = refused(load_weights, network, other(before), file)
    assert said in text
    assert "another model's" in text
    assert str(file) in text
    for one, same in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    "name", ["", "own", "own.py", "own:", ":build", "own:a.b", "own.:build", "own:build:x", "1a:b"]
)
def test_a_name_of_another_form_is_refused(name):
    assert "package.module:function" in refused(check_name, name)


def test_a_file_name_is_helped():
    assert "such as own:build. Received: 'there/own.py'" in refused(check_name, "there/own.py")
    assert "such as own:make. Received: 'own.py:make'" in refused(check_name, "own.py:make")
    check_name("package.module_1:build_2")
