"""Atomic writing of files, and locks of folders.

A file is written to a temporary file in the same folder, synced and renamed. So a process killed at
any moment leaves the old content or the new, and at most a temporary file, which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ftnoise.core.errors import RunFailed
from ftnoise.core.spec import JSON

TEMPORARIES = ".ftnoise-*.tmp"
LOCK = ".lock"
# Age after its last write at which a temporary file counts as abandoned.
ABANDONED_SECONDS = 3600.0


def write_json(path: Path, content: JSON) -> None:
    """Writes `content` as JSON, atomically; NaN and infinities are a `RunFailed`."""
    write_text(path, json_text(path, content) + "\n")


def json_text(path: Path, content: JSON) -> str:
    """`content` as indented JSON, for `path`; NaN and infinities are a `RunFailed`."""
    try:
        return json.dumps(content, indent=2, allow_nan=False)
    except ValueError as error:
        raise RunFailed(f"Could not write {path}: {error}.") from error


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, atomically; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replaces the file by `content`, atomically; makes the folder if it is missing.

    Raises `RunFailed` if it cannot be written (no space, read-only, ...); the old content stays.
    """
    with failing("write", path), replacing(path) as file:
        file.write(content)


class NoFile(OSError):
    """A folder, pipe or device is in the place of a file."""


def regular(path: str, flags: int) -> int:
    """For `open(path, "rb", opener=regular)`: a file alone is opened, as a pipe might never end.

    Raises `NoFile` if it is a folder, pipe or device.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NoFile(f"{path} is no file, but a folder, pipe or device")
    return os.open(path, flags)


def read_bytes(path: Path) -> bytes:
    """The content of a file; see `regular`."""
    with open(path, "rb", opener=regular) as file:
        return file.read()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which replaces `path` at the end of the block unless that raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(path.parent) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[IO[bytes]]:
    """A new file in `folder`, removed after the block if it is still there."""
    path = folder / TEMPORARIES.replace("*", secrets.token_hex(8))
    try:
        with open(path, "xb") as file:
            yield file
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes the temporary files that a killed process left in `folder` long ago."""
    remove(abandoned(folder.glob(TEMPORARIES)))


def abandoned(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths last written to more than `ABANDONED_SECONDS` ago."""
    for path in paths:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                yield path


def remove(files: Iterable[Path]) -> None:
    """Removes files that can be removed."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()


@contextlib.contextmanager
def failing(verb: str, path: Path) -> Iterator[None]:
    """Turns an `OSError` into a `RunFailed` ("Could not <verb> <path>: <reason>.")."""
    try:
        yield
    except OSError as error:
        raise RunFailed(f"Could not {verb} {path}: {reason(error)}.") from error


def reason(error: OSError) -> str:
    """The system's message, without error number and file name."""
    return error.strerror or str(error)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Gives True if this call got the folder's lock, which it then holds until the block ends.

    It does not wait, and a second call while the first holds the lock gives False. The kernel frees
    the lock of a killed process. While it is held, the file says by whom (see `holder`). Raises
    `RunFailed` if nothing can be locked here (read-only, no such file system feature, ...).
    """
    lock = folder / LOCK
    with failing("lock", lock):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with failing("lock", lock):
            got = try_lock(descriptor, fcntl.LOCK_EX)
        if not got:
            yield False
            return
        try:
            with contextlib.suppress(OSError):  # such as a full disk
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield True
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            # Closing alone would leave the lock to a process forked meanwhile.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """`process 123 on host`: who holds the folder's lock, if it is held."""
    try:
        return read_bytes(folder / LOCK).decode() or "another process"
    except (OSError, ValueError):
        return "another process"


def try_lock(descriptor: int, kind: int) -> bool:
    """Whether an open file could be locked (`fcntl.LOCK_EX` or `LOCK_SH`) without waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder, and need not.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
