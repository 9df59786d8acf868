import os
import shutil
import socket
import sys
import threading
import time

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.core.files import ABANDONED_SECONDS
from ftnoise.datasets import downloads
from ftnoise.datasets.downloads import from_debian, from_tfds
from ftnoise.datasets.origins import Unavailable

APT = """#!/bin/sh
echo "apt-get $*" >> {log}
case "$*" in
  *update) exit {update};;
  -o*download*) exit_code={second};;
  *) exit_code={first};;
esac
[ $exit_code = 0 ] && touch dataset-tiny-pets_1_all.deb
[ $exit_code = 0 ] || echo "E: no such package" >&2
exit $exit_code
"""
DPKG = """#!/bin/sh
mkdir -p $3{folder} && cp {files}/* $3{folder}
"""
ask = downloads._reach


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The cache, in which no temporary folder may remain."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ftnoise"


@pytest.fixture
def machine(tmp_path, monkeypatch, write_idx, arrays):
    """A machine whose apt-get and dpkg are scripts; gives the log of the calls of apt-get."""
    files = write_idx(tmp_path / "package", arrays)
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"

    def make(first=0, second=0, update=0):
        scripts = {
            "apt-get": APT.format(log=log, first=first, second=second, update=update),
            "dpkg": DPKG.format(folder="/usr/share/datasets/tiny-pets", files=files),
        }
        for name, script in scripts.items():
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        return log

    return make


def test_fetched_and_unpacked_without_a_trace(machine, scratch, arrays, capsys):
    log = machine()
    raw = from_debian("tiny-pets", Sources())
    assert raw.arrays["x_train"].tolist() == arrays["x_train"].tolist()
    assert log.read_text() == "apt-get download dataset-tiny-pets\n"
    assert list(scratch.glob("*")) == []
    assert capsys.readouterr().out == ""


def test_what_a_killed_download_left_is_removed_and_a_running_one_is_not(machine, scratch):
    machine()
    for name, age in (("fetch-left", 2 * ABANDONED_SECONDS), ("fetch-running", 0)):
        (scratch / name).mkdir(parents=True)
        os.utime(scratch / name, 2 * (time.time() - age,))
    from_debian("tiny-pets", Sources())
    assert [folder.name for folder in scratch.iterdir()] == ["fetch-running"]


def test_without_a_cache_a_download_is_in_a_temporary_folder(machine, tmp_path, arrays):
    machine()
    (tmp_path / "file").touch()
    raw = from_debian("tiny-pets", Sources(cache=tmp_path / "file"))
    assert raw.arrays.keys() == arrays.keys()


def test_without_package_lists_apt_gets_lists_of_its_own(machine, scratch, arrays):
    log = machine(first=100)
    raw = from_debian("tiny-pets", Sources())
    assert raw.arrays.keys() == arrays.keys()
    _, update, download = log.read_text().splitlines()
    for command in (update, download):
        assert f"Dir::State={scratch}/fetch-" in command
        assert "Dir::State::status=/var/lib/dpkg/status" in command
        assert "Debug::NoLocking=1" in command
    assert update.endswith(" update")


@pytest.mark.parametrize("failure", [{"update": 100}, {"second": 100}])
def test_the_reason_of_a_failure_is_apts_last_line(machine, scratch, failure):
    machine(first=100, **failure)
    with pytest.raises(Unavailable, match="apt-get failed: ") as caught:
        from_debian("tiny-pets", Sources())
    assert "\n" not in str(caught.value)
    assert list(scratch.glob("*")) == []


def test_offline_and_without_apt_nothing_is_run(machine, monkeypatch):
    log = machine()
    with pytest.raises(Unavailable, match="offline"):
        from_debian("tiny-pets", Sources(offline=True))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="no apt-get"):
        from_debian("tiny-pets", Sources())
    assert not log.exists()


def test_a_command_that_hangs_is_given_up(machine, tmp_path, monkeypatch):
    machine()
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(downloads, "APT_SECONDS", 0.05)
    with pytest.raises(Unavailable, match=r"more than 0\.05 s"):
        from_debian("tiny-pets", Sources())


def test_the_library_writes_the_arrays_of_a_prepared_set(tmp_path):
    """The set has 12 and 10 images of one shade each."""
    import tensorflow_datasets

    class Mnist(tensorflow_datasets.core.GeneratorBasedBuilder, skip_registration=True):
        name = "mnist"
        VERSION = tensorflow_datasets.builder("mnist", data_dir=tmp_path).version

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

    Mnist(data_dir=tmp_path).download_and_prepare()
    downloads.main("mnist", str(tmp_path / "out.npz"), str(tmp_path))
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["x_train"].shape == (12, 28, 28, 1)
        assert arrays["x_train"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["x_train"][:, 0, 0, 0] % 10, arrays["y_train"])
        assert sorted(arrays["y_test"].tolist()) == list(range(10))


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Takes a shell script for Python."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    def install(script):
        (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "python").chmod(0o755)

    return install


def test_a_prepared_set_is_read_offline_in_a_process_without_chatter(
    tmp_path, scratch, python, monkeypatch, capfd, arrays
):
    (tmp_path / "tfds/mnist/3.0.1").mkdir(parents=True)
    (tmp_path / "tfds/mnist/3.0.1/dataset_info.json").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    np.savez(tmp_path / "arrays.npz", **arrays)
    expected = f"-m ftnoise.datasets.downloads mnist out.npz {tmp_path}/tfds"
    python(f'echo chatter; [ "$*" = "{expected}" ] && cp {tmp_path}/arrays.npz out.npz')
    raw = from_tfds("mnist", "http://unused.invalid", Sources(offline=True))
    np.testing.assert_array_equal(raw.arrays["x_test"], arrays["x_test"])
    assert capfd.readouterr() == ("", "")
    assert list(scratch.glob("*")) == []


def test_a_failure_of_the_library_is_its_last_line(scratch, python, monkeypatch):
    monkeypatch.setattr(downloads, "_reach", lambda url: None)
    python("echo chatter >&2; echo 'E: broken' >&2; exit 3")
    with pytest.raises(Unavailable, match=r"^python failed: E: broken$"):
        from_tfds("mnist", "http://unused.invalid", Sources())
    assert list(scratch.glob("*")) == []


def test_offline_nobody_is_asked():
    with pytest.raises(Unavailable, match="offline"):
        from_tfds("mnist", "http://unused.invalid", Sources(offline=True))


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
    monkeypatch.setattr(downloads, "HOST_SECONDS", 0.05)
    with pytest.raises(Unavailable, match="no answer from 127"):
        ask(server(b"SSH-2.0\r\n"))
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with silent, pytest.raises(Unavailable, match="timed out"):
        ask(url)
    with pytest.raises(Unavailable, match="refused"):
        ask(url)
