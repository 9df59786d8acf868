import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ftnoise.core.errors import BadInput
from ftnoise.datasets import content


def check(values, **known):
    return content.checked(values, "there.npz", **known)


def test_images_get_a_channel_and_labels_become_int64(arrays):
    arrays["y_test"] = arrays["y_test"][:, None].astype(np.uint16)
    checked = check(arrays)
    assert checked["x_train"].shape == (6, 4, 5, 1)
    assert checked["x_train"].dtype == np.uint8
    assert checked["y_test"].shape == (3,)
    assert checked["y_test"].dtype == np.int64


def test_every_byte_is_delivered_as_its_255th(arrays):
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    values = check({"x_train": np.repeat(every, 6, 0), "x_test": np.repeat(every, 3, 0)} | arrays)
    values["x_train"] = np.repeat(every, 6, 0)
    data = content.as_data({"digest": "", "source": "", "classes": 3}, values)
    assert data.x_train.dtype == np.float32
    assert_array_equal(data.x_train[0].ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


def test_conversion_makes_no_large_temporary():
    x = np.zeros((2000, 28, 28, 1), np.uint8)
    tracemalloc.start()
    content.as_float(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * x.nbytes * 1.1


def test_features_may_be_normalized_and_images_may_not(arrays):
    features = {k: v.reshape(len(v), -1) if k[0] == "x" else v for k, v in arrays.items()}
    for split in ("x_train", "x_test"):
        features[split] = features[split].astype(np.float64) - 127.5
        arrays[split] = arrays[split].astype(np.float64)
    assert_array_equal(check(features)["x_train"], features["x_train"])
    with pytest.raises(BadInput, match=r"x_train in there.npz .*\[0, 1\].*highest="):
        check(arrays)
    for split in ("x_train", "x_test"):
        arrays[split] /= 255
    assert check(arrays)["x_test"].dtype == np.float32


def broken(name, value):
    return pytest.param(name, value, id=f"{name}-{np.asarray(value).dtype}-{np.shape(value)}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        broken("y_train", np.array([0, 1, 2, 0, 1, -1])),
        broken("y_train", np.array([0, 1, 2, 0, 1, 4])),
        broken("y_train", np.array([0, 1, 2, 0, 1, 2**63], np.uint64)),
        broken("y_train", np.zeros(6, np.int64)),
        broken("y_train", np.zeros(6)),
        broken("y_train", np.zeros((6, 3), np.int64)),
        broken("y_train", np.arange(5) % 3),
        broken("y_train", np.zeros(0, np.int64)),
        broken("y_test", np.array([0, 1, 3])),
        broken("x_train", np.full((6, 4, 5), np.nan)),
        broken("x_train", np.full((6, 4, 5), np.inf)),
        broken("x_train", np.full((6, 20), 1e300)),
        broken("x_train", np.zeros((6, 4, 5), np.int64)),
        broken("x_train", np.zeros((6, 4, 5), complex)),
        broken("x_train", np.zeros(6, np.uint8)),
        broken("x_train", np.zeros((0, 4, 5), np.uint8)),
        broken("x_train", np.array(1.0)),
        broken("x_test", np.zeros((3, 5, 4), np.uint8)),
        broken("x_test", np.zeros((3, 4, 5))),
        broken("x_test", np.full((3, 4, 5), "a")),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line(arrays, name, value):
    arrays[name] = value
    with pytest.raises(BadInput, match=r"there\.npz") as caught:
        check(arrays)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_missing_array_is_named(arrays):
    del arrays["y_test"]
    with pytest.raises(BadInput, match="y_test"):
        check(arrays)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"sizes": (7, 3)}, "7 examples in x_train"),
        ({"sizes": (6, 2)}, "2 examples in x_test"),
        ({"shape": (4, 4, 1)}, "shape"),
        ({"classes": 2}, r"0\.\.1"),
        ({"original": "0" * 64}, "original examples"),
    ],
)
def test_what_is_known_of_a_set_is_checked(arrays, pets, known, message):
    right = {"sizes": (6, 3), "shape": (4, 5, 1), "classes": 3, "original": pets.content}
    check(arrays, **right)
    with pytest.raises(BadInput, match=message):
        check(arrays, **right | known)


def test_known_content_has_to_be_bytes(arrays, pets):
    scaled = {k: v / np.float32(255) if k[0] == "x" else v for k, v in arrays.items()}
    with pytest.raises(BadInput, match="uint8"):
        check(scaled, original=pets.content)


@given(order=st.permutations(range(6)))
def test_order_counts_in_one_digest_and_not_in_the_other(order):
    pixels = np.arange(27, dtype=np.uint8).reshape(9, 3)
    labels = np.arange(9) % 3
    values = check(
        {"x_train": pixels[:6], "y_train": labels[:6], "x_test": pixels[6:], "y_test": labels[6:]}
    )
    other = values | {k: values[k][list(order)] for k in ("x_train", "y_train")}
    same = list(order) == sorted(order)
    assert (content.digest(values) == content.digest(other)) == same
    assert content.unordered_digest(values) == content.unordered_digest(other)


def test_both_digests_see_a_changed_pixel_label_or_pairing(arrays):
    values = check(arrays)
    changed = [{k: v.copy() for k, v in values.items()} for _ in range(3)]
    changed[0]["x_test"][0, 0, 0, 0] ^= 1
    changed[1]["y_train"][0] = 1
    changed[2]["y_train"][[0, 1]] = values["y_train"][[1, 0]]
    for digest in (content.digest, content.unordered_digest):
        assert len({digest(value) for value in [values, *changed]}) == 4
