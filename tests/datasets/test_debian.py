import shutil
from pathlib import Path

import pytest

from ftnoise.core.data import Sources
from ftnoise.datasets import debian
from ftnoise.datasets.debian import Package
from ftnoise.datasets.origins import Unavailable

FOLDER = Path("/usr/share/datasets/tiny-pets")
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


@pytest.fixture
def machine(tmp_path, monkeypatch, write_idx, arrays):
    """A machine whose apt-get and dpkg are scripts; gives the log of what apt-get was asked."""
    files = write_idx(tmp_path / "package", arrays)
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"

    def make(first=0, second=0, update=0):
        scripts = {
            "apt-get": APT.format(log=log, first=first, second=second, update=update),
            "dpkg": DPKG.format(folder=FOLDER, files=files),
        }
        for name, script in scripts.items():
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        return log

    return make


def test_fetched_and_unpacked_without_a_trace(machine, tmp_path, arrays, capsys):
    log = machine()
    raw = Package("dataset-tiny-pets", FOLDER).fetch(Sources(cache=tmp_path / "cache"))
    assert raw.arrays["x_train"].tolist() == arrays["x_train"].tolist()
    assert log.read_text() == "apt-get download dataset-tiny-pets\n"
    assert list((tmp_path / "cache").iterdir()) == []
    assert capsys.readouterr().out == ""


def test_without_package_lists_apt_gets_lists_of_its_own(machine, tmp_path, arrays):
    log = machine(first=100)
    raw = Package("dataset-tiny-pets", FOLDER).fetch(Sources(cache=tmp_path / "cache"))
    assert raw.arrays.keys() == arrays.keys()
    _, update, download = log.read_text().splitlines()
    for command in (update, download):
        assert f"Dir::State={tmp_path}/cache/fetch-" in command
        assert "Dir::State::status=/var/lib/dpkg/status" in command
        assert "Debug::NoLocking=1" in command
    assert update.endswith(" update")


@pytest.mark.parametrize("failure", [{"update": 100}, {"second": 100}])
def test_the_reason_of_a_failure_is_apts_last_line(machine, tmp_path, failure):
    machine(first=100, **failure)
    with pytest.raises(Unavailable, match="apt-get failed: ") as caught:
        Package("dataset-tiny-pets", FOLDER).fetch(Sources(cache=tmp_path / "cache"))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_and_without_apt_nothing_is_run(machine, tmp_path, monkeypatch):
    log = machine()
    package = Package("dataset-tiny-pets", FOLDER)
    with pytest.raises(Unavailable, match="offline"):
        package.fetch(Sources(offline=True, cache=tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="no apt-get"):
        package.fetch(Sources(cache=tmp_path / "cache"))
    assert not log.exists()


def test_a_command_that_hangs_is_given_up(machine, tmp_path, monkeypatch):
    machine()
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(debian, "SECONDS", 0.05)
    with pytest.raises(Unavailable, match=r"more than 0\.05 s"):
        Package("dataset-tiny-pets", FOLDER).fetch(Sources(cache=tmp_path / "cache"))


def test_installed_only_with_all_four_files(tmp_path, write_idx, arrays):
    package = Package("dataset-tiny-pets", tmp_path / "installed")
    assert package.installed() is None
    write_idx(tmp_path / "installed", arrays)
    assert package.installed().name == "Debian's package dataset-tiny-pets"
