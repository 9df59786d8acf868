import os
import zipfile

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.datasets.image_folder import ImageFolder


def extracted(path):
    folder = path.with_suffix("")
    zipfile.ZipFile(path).extractall(folder)
    return folder


def test_a_folder_and_a_zip_with_the_same_images_are_the_same_content(
    tmp_path, write_zip, arrays, sources, capsys
):
    plain = write_zip(tmp_path / "pets.zip", arrays)
    wrapped = write_zip(tmp_path / "wrapped.zip", arrays, prefix="pets/")
    sets = [ImageFolder(path=path) for path in (plain, wrapped, extracted(plain))]
    loaded = [data_set.load(sources) for data_set in sets]
    assert len({data.digest for data in loaded}) == 1
    data = loaded[0]
    assert (data.classes, data.x_train.shape) == (3, (6, 4, 5, 1))
    order = np.argsort(arrays["y_train"], kind="stable")
    np.testing.assert_array_equal(data.y_train, arrays["y_train"][order])
    np.testing.assert_array_equal(
        np.rint(data.x_train[..., 0] * 255), arrays["x_train"][order].astype(np.float32)
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("reading 9 images") == 3
    assert sets[2].load(sources).digest == data.digest
    assert capsys.readouterr().err == ""


def test_an_image_more_is_noticed(tmp_path, write_zip, arrays, sources, image_bytes):
    folder = extracted(write_zip(tmp_path / "pets.zip", arrays))
    data_set = ImageFolder(path=folder)
    before = data_set.digest(sources)
    (folder / "test" / "owl" / "new.png").write_bytes(image_bytes(arrays["x_train"][0]))
    assert data_set.digest(sources) != before
    assert len(data_set.load(sources).y_test) == 4


def test_other_files_are_left_alone(tmp_path, write_zip, arrays, sources):
    path = write_zip(tmp_path / "pets.zip", arrays)
    before = ImageFolder(path=path).digest(sources)
    with zipfile.ZipFile(path, "a") as archive:
        for name in (
            "README.md",
            "train/cat/notes.txt",
            "__MACOSX/train/cat/._0.png",
            "val/a/b.png",
        ):
            archive.writestr(name, b"not an image")
    assert ImageFolder(path=path).digest(sources) == before


def test_color_stays_color_without_transparency(tmp_path, image_bytes, sources):
    colors = np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("train/a/0.png", image_bytes(colors))
        archive.writestr("train/b/0.PNG", image_bytes(colors[::-1].copy()))
        archive.writestr("test/a/0.png", image_bytes(colors, mode="RGBA"))
    data = ImageFolder(path=tmp_path / "c.zip").load(sources)
    np.testing.assert_array_equal(np.rint(data.x_train[0] * 255), colors.astype(np.float32))
    np.testing.assert_array_equal(data.x_test[0], data.x_train[0])


@pytest.mark.parametrize("first", ["gray", "color"])
def test_gray_and_color_do_not_mix(tmp_path, image_bytes, arrays, sources, first):
    gray = image_bytes(arrays["x_train"][0])
    color = image_bytes(np.stack([arrays["x_train"][0]] * 3, -1))
    one, other = (gray, color) if first == "gray" else (color, gray)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("train/a/0.png", one)
        archive.writestr("train/b/0.png", other)
        archive.writestr("test/a/0.png", one)
    kind = {"gray": "grayscale", "color": "color"}[first]
    with pytest.raises(BadInput, match=rf"train/b/0\.png: Expected {kind}, as the first image"):
        ImageFolder(path=tmp_path / "c.zip").load(sources)


def strange(kind, arrays, image_bytes):
    first = arrays["x_train"][0]
    return {
        "size": image_bytes(first.T.copy()),
        "color": image_bytes(np.stack([first] * 3, -1)),
        "sixteen bits": image_bytes(first.astype(np.uint16) * 256),
        "another kind": image_bytes(first, "BMP"),
        "truncated": image_bytes(first)[:40],
        "nothing": b"",
    }[kind]


@pytest.mark.parametrize(
    "kind", ["size", "color", "sixteen bits", "another kind", "truncated", "nothing"]
)
def test_a_strange_image_is_named(tmp_path, write_zip, arrays, sources, image_bytes, kind):
    path = write_zip(tmp_path / "pets.zip", arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("test/cat/strange.png", strange(kind, arrays, image_bytes))
    with pytest.raises(BadInput, match=r"pets.zip/test/cat/strange\.png") as caught:
        ImageFolder(path=path).load(sources)
    assert "\n" not in str(caught.value)
    assert "BytesIO" not in str(caught.value)


def test_pipes_are_no_images_and_are_not_waited_for(tmp_path, image_bytes, arrays, sources):
    for split in ("train", "test"):
        (tmp_path / "pets" / split / "cat").mkdir(parents=True)
        os.mkfifo(tmp_path / "pets" / split / "cat" / "1.png")
    with pytest.raises(BadInput, match=r"train/cat/1\.png is no file"):
        ImageFolder(path=tmp_path / "pets").load(sources)
    os.mkfifo(tmp_path / "pets.zip")
    with pytest.raises(BadInput, match=r"pets\.zip is no file"):
        ImageFolder(path=tmp_path / "pets.zip").load(sources)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "train/<class>"),
        (["train/a/0.png"], "and the same in test"),
        (["a/train/x/0.png", "b/test/x/0.png"], "train/<class>"),
        (["train/a/0.png", "test/b/0.png"], "unknown=.'b'"),
        (["train/a/0.png", "test/a/0.png"], "at least two classes"),
    ],
)
def test_another_layout_is_refused(tmp_path, sources, image_bytes, arrays, names, message):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(name, image_bytes(arrays["x_train"][0]))
    with pytest.raises(BadInput, match=message) as caught:
        ImageFolder(path=tmp_path / "x.zip").load(sources)
    assert "x.zip" in str(caught.value)


def test_what_is_no_folder_and_no_zip(tmp_path, sources):
    (tmp_path / "x.zip").write_bytes(b"PK nothing")
    for name, message in (("x.zip", "BadZipFile"), ("absent", "No such file")):
        with pytest.raises(BadInput, match=f"{name}.*{message}"):
            ImageFolder(path=tmp_path / name).load(sources)
