"""Writing leaves the old content or the new; what an abandoned process left is removed."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from ftnoise.core.errors import RunFailed
from ftnoise.core.files import (
    ABANDONED_SECONDS,
    TEMPORARIES,
    replacing,
    sweep,
    write_bytes,
    write_json,
    write_text,
)


def content_of(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_content_is_on_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    calls, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(os, "replace", lambda *names: calls.append("rename") or replace(*names))
    write_text(tmp_path / "x", "new")
    assert Path(calls[0]).parent == tmp_path
    assert calls[1:] == ["rename", str(tmp_path)]


def test_a_folder_cannot_be_synced_everywhere(tmp_path, monkeypatch):
    def fail_at_folders(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fail_at_folders)
    write_bytes(tmp_path / "new folder" / "x", b"new")
    assert content_of(tmp_path) == {"new folder/x": b"new"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_failing_writes_keep_the_old_content(tmp_path, monkeypatch, call, number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    write_text(tmp_path / "x", "old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RunFailed) as failure:
        write_text(tmp_path / "x", "new")
    assert str(failure.value) == f"Could not write {tmp_path / 'x'}: {os.strerror(number)}."
    assert content_of(tmp_path) == {"x": b"old"}


def test_ctrl_c_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "x", "new")
    assert content_of(tmp_path) == {}


def test_a_block_that_raises_replaces_nothing(tmp_path):
    write_text(tmp_path / "x", "old")
    with pytest.raises(TypeError), replacing(tmp_path / "x") as file:
        file.write([b"new", file.write(b"half")])
    assert content_of(tmp_path) == {"x": b"old"}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity_are_no_json(tmp_path, bad):
    with pytest.raises(RunFailed, match=r"Could not write .*x\.json"):
        write_json(tmp_path / "x.json", {"a": bad})
    assert content_of(tmp_path) == {}


def test_only_temporaries_that_nobody_writes_to_are_swept(tmp_path):
    names = ["old", "new"]
    old, new = (tmp_path / TEMPORARIES.replace("*", name) for name in names)
    other = tmp_path / ".ftnoise-old.npz"
    for file in (old, new, other):
        file.touch()
    ago = time.time() - ABANDONED_SECONDS - 60
    for file in (old, other):
        os.utime(file, (ago, ago))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new, other])
