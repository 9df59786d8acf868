import socket
import sys
import threading

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.datasets import tfds
from ftnoise.datasets.origins import Unavailable

ask = tfds._reach


def prepare_small_mnist(folder):
    """Lets the library write a set called `mnist` with 12 and 10 images of one shade each."""
    import tensorflow_datasets

    class Mnist(tensorflow_datasets.core.GeneratorBasedBuilder, skip_registration=True):
        name = "mnist"
        VERSION = tensorflow_datasets.builder("mnist", data_dir=folder).version

        def _info(self):
            features = {
                "image": tensorflow_datasets.features.Image(shape=(28, 28, 1)),
                "label": tensorflow_datasets.features.ClassLabel(num_classes=10),
            }
            return tensorflow_datasets.core.DatasetInfo(
                builder=self,
                features=tensorflow_datasets.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples(12), "test": self._generate_examples(10)}

        def _generate_examples(self, count):
            for index in range(count):
                image = np.full((28, 28, 1), index, np.uint8)
                yield index, {"image": image, "label": index % 10}

    Mnist(data_dir=folder).download_and_prepare()


def test_a_set_that_is_prepared_is_read_offline_by_the_library(tmp_path, monkeypatch, capfd):
    """The library writes a small set and reads it; nothing of its chatter comes out."""
    prepare_small_mnist(tmp_path / "tfds")
    capfd.readouterr()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    sources = Sources(offline=True, cache=tmp_path / "cache")
    arrays = tfds.fetch("mnist", "http://unused.invalid", sources).arrays
    assert arrays["x_train"].shape == (12, 28, 28, 1)
    assert arrays["x_train"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["x_train"][:, 0, 0, 0] % 10, arrays["y_train"])
    assert sorted(arrays["y_test"].tolist()) == list(range(10))
    assert capfd.readouterr() == ("", "")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_failure_of_the_library_is_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds, "_reach", lambda url: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\necho chatter >&2; echo 'E: broken' >&2; exit 3\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(Unavailable, match=r"^python failed: E: broken$"):
        tfds.fetch("mnist", "http://unused.invalid", Sources(cache=tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_nobody_is_asked(tmp_path):
    with pytest.raises(Unavailable, match="offline"):
        tfds.fetch("mnist", "http://unused.invalid", Sources(offline=True, cache=tmp_path))


@pytest.fixture
def server(monkeypatch):
    """A host on this machine that says `answer`, or nothing."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(answer):
        def run():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    with listener:
        yield serve


def test_any_answer_is_an_answer(server):
    ask(server(b"HTTP/1.0 403 Forbidden\r\n\r\n"))
    ask(server(b"HTTP/1.0 200 OK\r\n\r\n"))


def test_silence_nonsense_and_a_closed_door_are_none(server, monkeypatch):
    monkeypatch.setattr(tfds, "HOST_SECONDS", 0.05)
    with pytest.raises(Unavailable, match="no answer from 127"):
        ask(server(b"SSH-2.0\r\n"))
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with silent, pytest.raises(Unavailable, match="timed out"):
        ask(url)
    with pytest.raises(Unavailable, match="refused"):
        ask(url)
