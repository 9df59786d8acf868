import os

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.datasets import cifar10
from ftnoise.datasets.cifar10 import CIFAR10


@pytest.fixture
def small(monkeypatch):
    """CIFAR-10 with ten images for training and two for testing."""
    monkeypatch.setattr(CIFAR10, "train_size", 10)
    monkeypatch.setattr(CIFAR10, "test_size", 2)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    labels = np.array([*range(10), 3, 7], np.uint8)
    return pixels, labels


def in_splits(pixels, labels):
    parts = (pixels[:10], labels[:10], pixels[10:], labels[10:])
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), parts, strict=True))


def write_batches(folder, pixels, labels):
    folder.mkdir(parents=True)
    names = [name for names in cifar10.BATCHES.values() for name in names]
    for index, name in enumerate(names):
        records = [
            bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(pixels, labels, strict=True)
        ]
        (folder / name).write_bytes(b"".join(records[2 * index : 2 * index + 2]))


@pytest.mark.parametrize("parent", [".", "cifar10"])
def test_the_binary_version_is_read_plane_by_plane(sources, small, parent):
    pixels, labels = small
    write_batches(sources.data_dir / parent / "cifar-10-batches-bin", pixels, labels)
    data = CIFAR10().load(sources)
    np.testing.assert_array_equal(np.rint(data.x_train * 255), pixels[:10].astype(np.float32))
    np.testing.assert_array_equal(data.y_test, labels[10:])
    assert data.source == "cifar-10-batches-bin"


def test_a_pipe_is_no_batch_and_is_not_waited_for(sources, small):
    folder = sources.data_dir / "cifar-10-batches-bin"
    write_batches(folder, *small)
    (folder / "test_batch.bin").unlink()
    os.mkfifo(folder / "test_batch.bin")
    with pytest.raises(BadInput, match=r"test_batch\.bin is no file"):
        CIFAR10().load(sources)


def test_half_a_record_or_a_missing_batch_is_named(sources, small):
    folder = sources.data_dir / "cifar-10-batches-bin"
    write_batches(folder, *small)
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"data_batch_3\.bin: .*3073"):
        CIFAR10().load(sources)
    path.unlink()
    with pytest.raises(BadInput, match=r"data_batch_3\.bin"):
        CIFAR10().load(sources)


def test_the_pickled_version_is_refused(sources):
    (sources.data_dir / "cifar-10-batches-py").mkdir()
    with pytest.raises(BadInput, match="pickled"):
        CIFAR10().load(sources)


def test_jpeg_is_taken_and_said_so(sources, small, write_zip):
    pixels, labels = small
    values = in_splits(pixels, labels)
    for kind, remark in (("JPEG", " (JPEG, not the original pixels)"), ("PNG", "")):
        path = sources.data_dir / "cifar10-some.zip"
        write_zip(path, values, names=CIFAR10.class_names, kind=kind)
        for _ in range(2):
            data = CIFAR10().load(sources)
            assert data.source == f"cifar10-some.zip{remark}"
            np.testing.assert_array_equal(data.y_test, labels[10:])


def test_other_class_names_are_refused(sources, small, write_zip):
    pixels, labels = small
    values = in_splits(pixels, labels)
    names = (*CIFAR10.class_names[:-1], "tram")
    write_zip(sources.data_dir / "cifar10.zip", values, names=names)
    with pytest.raises(BadInput, match=r"cifar10\.zip: .*truck.*tram"):
        CIFAR10().load(sources)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gray", r"color, as all images of this set\. Received: mode='L'"),
        ("small", r"32x32 pixels, as all images of this set\. Received: size=\(28, 28\)"),
        ("unreadable", r"to be an image\. Received: "),
    ],
)
def test_an_image_that_is_none_of_its_own_is_named(sources, small, image_bytes, kind, message):
    pixels, labels = small
    for n, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = sources.data_dir / "cifar10" / ("train" if n < 10 else "test")
        path = path / CIFAR10.class_names[label] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(image))
    CIFAR10().load(sources)
    strange = {
        "gray": image_bytes(pixels[0][..., 0].copy()),
        "small": image_bytes(pixels[0][:28, :28].copy()),
        "unreadable": image_bytes(pixels[0])[:50],
    }
    path.write_bytes(strange[kind])
    with pytest.raises(BadInput, match=message) as caught:
        CIFAR10().load(sources)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
