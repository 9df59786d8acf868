"""The lock of a run's folder."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ftnoise.core.errors import RunFailed
from ftnoise.store import folders
from ftnoise.store.folders import RunFolder
from tests.disk import ID, MEASURE, failing_with, files

pytestmark = pytest.mark.usefixtures("quick_disk")
ROOT = Path(__file__).resolve().parents[2]


# Locks.

HOLDER = """
import sys
from ftnoise.store.folders import Store
with Store(sys.argv[1]).run(sys.argv[2]).locked() as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(store):
    """Starts a process that tries to hold the lock of a run until it gets a line."""
    started = []

    def start(id: str) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-c", HOLDER, str(store.root), id]
        started.append(
            subprocess.Popen(
                command,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1], started[-1].stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_process_holds_the_lock(folder, holder):
    with folder.locked() as mine:
        assert mine
        assert holder(ID)[1] == "False\n"
        assert holder("other-1")[1] == "True\n"
    process, answer = holder(ID)
    assert answer == "True\n"
    with folder.locked() as mine:
        assert not mine
    process.communicate("\n")
    with folder.locked() as mine:
        assert mine
    assert files(folder.path) == [".lock"]
    # A folder that is published names no host.
    assert (folder.path / ".lock").read_bytes() == b""


def test_the_kernel_frees_the_lock_of_a_killed_process(folder, holder):
    process, _ = holder(ID)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with folder.locked() as mine:
        assert mine


def raise_under_the_lock(folder: RunFolder, copies: list[int]) -> None:
    opened = os.open
    with pytest.MonkeyPatch.context() as patch:
        # A forked process has the same open file; so has a duplicate.
        patch.setattr(os, "open", lambda *a: copies.append(os.dup(fd := opened(*a))) or fd)
        with folder.locked() as mine:
            raise ZeroDivisionError(mine)


def test_the_lock_is_free_after_an_exception_and_in_spite_of_forked_processes(folder):
    copies: list[int] = []
    with pytest.raises(ZeroDivisionError, match="True"):
        raise_under_the_lock(folder, copies)
    assert len(copies) == 1
    with folder.locked() as mine:
        assert mine
    os.close(copies[0])


def test_wait_returns_when_the_lock_is_free(folder, holder, capsys):
    folder.wait("a run")
    with folder.locked():
        folder.wait("a run")
    process, _ = holder(ID)
    waiting = threading.Thread(target=folder.wait, args=["a run"], daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    process.communicate("\n")
    waiting.join(30)
    assert not waiting.is_alive()
    who = f"process {process.pid} on {socket.gethostname()}"
    assert capsys.readouterr().err == f"ftnoise: Waiting for a run, which {who} works on.\n"


@pytest.mark.parametrize(
    ("content", "who"),
    [
        (b"process 7 on host\x1b", r"process 7 on host\x1b"),
        (b"\xff", "another process"),
        (b"", "another process"),
    ],
)
def test_who_is_waited_for_is_said_again_each_minute(folder, monkeypatch, capsys, content, who):
    now, tries = [0.0], []

    def held(descriptor: int, kind: int) -> bool:
        tries.append(kind)
        return len(tries) > 400

    monkeypatch.setattr(folders, "try_lock", held)
    monkeypatch.setattr(folders.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(folders.time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    folder.path.mkdir(parents=True)
    (folder.path / ".lock").write_bytes(content)
    folder.wait("a run")
    line = f"ftnoise: Waiting for a run, which {who} works on."
    assert capsys.readouterr().err.splitlines() == [line] * 2


def test_a_lock_that_cannot_say_who_holds_it_is_a_lock(folder, holder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", failing_with(errno.ENOSPC))
        with folder.locked() as mine:
            assert mine
            assert holder(ID)[1] == "False\n"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_a_pipe_in_the_place_of_a_lock_is_not_waited_for(folder, make):
    folder.path.mkdir(parents=True)
    make(folder.path / ".lock")
    with pytest.raises(RunFailed, match=r"Could not lock .*\.lock is no file"):
        folder.wait("a run")


def test_what_killed_processes_left_is_removed_under_the_lock(folder):
    place = folder.path / "measures" / MEASURE
    place.mkdir(parents=True)
    for left in (folder.path / ".ftnoise-0.tmp", place / ".ftnoise-1.tmp", place / "mine.tmp"):
        left.write_text("half")
    with folder.locked():
        assert files(folder.path) == [".lock", f"measures/{MEASURE}/mine.tmp"]
        (folder.path / ".ftnoise-2.tmp").write_text("being written")
        with folder.locked() as second:
            assert not second
            assert (folder.path / ".ftnoise-2.tmp").exists()


def test_what_cannot_be_locked_is_named(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", failing_with(errno.ENOLCK))
        with pytest.raises(RunFailed, match=r"Could not lock .*/\.lock: No locks"):
            folder.locked().__enter__()
    (folder.path / ".lock").unlink()
    folder.path.rmdir()
    folder.path.write_text("a file")
    with pytest.raises(RunFailed, match=r"Could not lock .*/\.lock: "):
        folder.locked().__enter__()
