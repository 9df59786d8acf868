"""Files of a user's are read or refused in one line, and never unpickled."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.user.files import check_name, read_examples, read_weights
from ftnoise.user.plausibility import has_pixels, scaled
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
    x, y = read_examples(file)
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
    raw, _ = read_examples(file)
    assert has_pixels(raw)
    x = scaled(raw)
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
        ({f"name_{n}": Y for n in range(300)}, "name_106, and 290 more."),
        ({"x": np.array([{}, ()], object), "y": Y}, "allow_pickle"),
    ],
)
def test_other_examples_are_refused(file, arrays, received):
    np.savez(file, **arrays)
    text = refused(read_examples, file)
    assert received in text
    assert str(file) in text


def test_damaged_files_are_refused(file):
    assert "No such file" in refused(read_examples, file)
    file.write_bytes(b"")
    refused(read_examples, file)
    np.savez(file, x=X, y=Y)
    whole = file.read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 10):
        file.write_bytes(whole[:end])
        assert str(file) in refused(read_examples, file)
    file.write_bytes(whole.replace(X.tobytes(), (X + 1).tobytes()))
    assert "CRC" in refused(read_examples, file)


def test_weights_as_numpy_and_a_stored_run_hold_them(file, folder):
    network = model()
    np.savez(file, *network.get_weights())
    folder.save_weights([(weight.name, weight.numpy()) for weight in network.weights], {})
    for path in (file, folder.path / "weights.npz"):
        for one, same in zip(network.get_weights(), read_weights(path, network), strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given[:-1], "arr_3 of shape (3,). Received: shape=None"),
        (lambda given: [*given, X], "arr_4 of shape None. Received: shape=(3, 2)"),
        (
            lambda given: [*given[:2], given[2].T, given[3]],
            "numpy.savez(path, *model.get_weights()) writes them, arr_2 of shape (8, 3). Received: "
            "shape=(3, 8)",
        ),
    ],
)
def test_weights_of_another_model_are_refused_by_the_first_that_differs(file, change, message):
    network = model()
    np.savez(file, *change(network.get_weights()))
    text = refused(read_weights, file, network)
    assert message in text
    assert str(file) in text


@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e300])
def test_weights_that_are_not_finite_in_float32_are_refused_by_their_index(file, bad):
    network = model()
    weights = [weight.astype(np.float64) for weight in network.get_weights()]
    weights[2][3, 1] = weights[2][7, 0] = bad
    np.savez(file, *weights)
    text = refused(read_weights, file, network)
    assert "finite float32 numbers in dense" in text
    assert text.endswith(f"{bad:g} at index (3, 1), the first of 2 such values.")


@pytest.mark.parametrize(
    "name", ["", "own", "own.py", "own.py:make", "own:", ":build", "own:a.b", "own:build:x", "1a:b"]
)
def test_a_name_of_another_form_is_refused(name):
    assert "package.module:function, such as own:build" in refused(check_name, name)


def test_a_name_of_a_function_in_a_package():
    check_name("package.module_1:build_2")
