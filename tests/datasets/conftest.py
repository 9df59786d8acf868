"""Small data made here, in every form that a set may come in; no test here touches the network."""

import gzip
import io
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from ftnoise.core.data import Sources
from ftnoise.datasets import content, downloads
from ftnoise.datasets.public import PublicSet

NAMES = ("cat", "dog", "owl")


def make_arrays():
    """Six training and three testing images of 4x5 pixels in three classes, all different."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 4, 5), np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0], np.uint8)
    return {
        "x_train": pixels[:6],
        "y_train": labels[:6],
        "x_test": pixels[6:],
        "y_test": labels[6:],
    }


@pytest.fixture
def arrays():
    return make_arrays()


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A public set whose content is known, whose Debian package is not installed."""
    monkeypatch.setattr(downloads, "DEBIAN_FOLDER", tmp_path / "usr")
    known = make_arrays()
    in_form = {k: v[..., None] if k[0] == "x" else v for k, v in known.items()}

    @dataclass(frozen=True, kw_only=True)
    class TinyPets(PublicSet):
        """Nine pets."""

        train_size = 6
        test_size = 3
        shape = (4, 5, 1)
        class_names = NAMES
        content = content.unordered_digest(in_form)
        debian = "tiny-pets"

    return TinyPets()


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "data").mkdir()
    return Sources(data_dir=tmp_path / "data", offline=True, cache=tmp_path / "cache")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    def refuse(url):
        raise AssertionError(f"a test asked {url}")

    monkeypatch.setattr(downloads, "_reach", refuse)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-tfds"))
    monkeypatch.delenv("FTNOISE_DATA", raising=False)


@pytest.fixture
def write_npz(sources):
    def write(values, name="tiny_pets.npz"):
        np.savez(sources.data_dir / name, **values)
        return sources.data_dir / name

    return write


@pytest.fixture
def write_idx():
    def write(folder, values, suffix=".gz"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in values.items():
            stem = {"x_train": "train-images-idx3", "y_train": "train-labels-idx1"} | {
                "x_test": "t10k-images-idx3",
                "y_test": "t10k-labels-idx1",
            }
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            packed = header + array.tobytes()
            packed = gzip.compress(packed) if suffix else packed
            (folder / f"{stem[name]}-ubyte{suffix}").write_bytes(packed)
        return folder

    return write


@pytest.fixture
def image_bytes():
    def encode(pixels, kind="PNG", mode=None):
        buffer = io.BytesIO()
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(buffer, kind)
        return buffer.getvalue()

    return encode


@pytest.fixture
def write_zip(image_bytes):
    def write(path, values, names=NAMES, prefix="", kind="PNG"):
        with zipfile.ZipFile(path, "w") as archive:
            for split in ("train", "test"):
                pairs = zip(values[f"x_{split}"], values[f"y_{split}"], strict=True)
                for index, (pixels, label) in enumerate(pairs):
                    name = f"{prefix}{split}/{names[label]}/{index}.{kind.lower()}"
                    archive.writestr(name, image_bytes(pixels, kind))
        return path

    return write
