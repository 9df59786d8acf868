from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core import files, stopping
from ftnoise.core.errors import RunFailed
from ftnoise.store.records import Record, fits
from tests.disk import failing_with

ARRAYS = [("w", np.arange(6, dtype=np.float32)), ("b", np.ones(2, np.float32))]


pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def record(tmp_path) -> Record:
    return Record(tmp_path / "run", "weights")


def read(record: Record):
    """The content without the listing, and the arrays as lists; None if there is nothing."""
    if (loaded := record.load()) is None:
        return None
    content, arrays = loaded
    rest = {name: content[name] for name in content if name != "array_file"}
    return rest, [(name, values.tolist()) for name, values in arrays]


def content_of(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def the_line(capsys) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    return said.err.rstrip("\n")


# What is stored comes back.


def test_record_is_replaced_and_dropped(record):
    assert read(record) is None
    for epoch in range(3):
        record.save({"epoch": epoch}, [("w", np.full(2, epoch))])
        assert read(record) == ({"epoch": epoch}, [("w", [epoch, epoch])])
    assert sorted(content_of(record.folder)) == ["weights.json", "weights.npz"]
    record.save({"epoch": 3})
    assert sorted(content_of(record.folder)) == ["weights.json"]
    for _ in range(2):
        record.drop()
        assert content_of(record.folder) == {}
    assert read(record) is None


def test_content_comes_back_as_json_does(record):
    record.save({"a": {2: (0.5, "ü\ud800"), 10: None}, "b": np.float64(0.1)})
    assert record.content() == {"a": {"2": [0.5, "ü\ud800"], "10": None}, "b": 0.1}
    assert record.content()["b"] == 0.1


def test_copy_is_written_once(record, tmp_path):
    record.save({"a": 1}, ARRAYS)
    record.save({"a": 2}, ARRAYS)
    other = Record(tmp_path / "copy", "weights")
    assert not other.copy_to(record)
    for _ in range(2):
        assert record.copy_to(other)
        assert sorted(content_of(other.folder)) == ["weights.json", "weights.npz"]
        assert read(other) == read(record)
    record.save({"a": 2}, ARRAYS[:1])
    assert record.copy_to(other)
    assert read(other) == read(record)


# Writing: the old content or the new, and nothing half-done.


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_failing_writes_keep_the_old_content(record, tmp_path, monkeypatch, call, number):
    record.save({"a": 1}, ARRAYS)
    before = content_of(tmp_path)
    monkeypatch.setattr(os, call, failing_with(number))
    for name, write in (
        ("run/weights-2.npz", lambda: record.save({"a": 2}, ARRAYS)),
        ("run/weights.json", lambda: record.save({"a": 2})),
    ):
        with pytest.raises(RunFailed) as failure:
            write()
        assert str(failure.value) == f"Could not write {tmp_path / name}: {os.strerror(number)}."
    assert content_of(tmp_path) == before


def test_no_space_left_after_the_array_file(record, monkeypatch):
    record.save({"a": 1}, ARRAYS)
    before, replace = content_of(record.folder), os.replace

    def fail_at_record(source, target):
        if str(target).endswith(".json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_record)
    with pytest.raises(RunFailed, match=r"weights\.json: No space left"):
        record.save({"a": 2}, ARRAYS)
    assert content_of(record.folder) == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity_are_no_json(record, bad):
    with pytest.raises(RunFailed, match=r"Could not write .*weights\.json: Out of range float"):
        record.save({"a": bad}, ARRAYS)
    assert not record.path.exists()
    record.save({}, [("x", np.array([1, bad]))])
    assert str(read(record)[1]) == f"[('x', [1.0, {bad}])]"


# In a process of its own: a child is killed at its k-th step in the file system, for every k, and
# the parent says what it reads then, and after saving again.
KILLED = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from ftnoise.store.records import Record, fits

os.fsync = lambda descriptor: None
steps = {"open", "os.rename", "os.remove", "os.mkdir", "os.scandir"}

def save(records, n):
    records[0].save({"n": n})
    records[1].save({"n": n}, [("w", np.full(3, n))])

def state(records):
    spec, (n, arrays) = (
        records[0].content()["n"],
        (records[1].load()[0]["n"], records[1].load()[1]),
    )
    assert arrays[0][1].tolist() == [n] * 3
    return [spec, n]

moments, alive = [], False
while len(moments) < 2 or not alive:
    folder = Path(sys.argv[1]) / str(len(moments))
    records = [Record(folder, stem) for stem in ("spec", "checkpoint")]
    save(records, 1)
    child = os.fork()
    if child == 0:
        left = len(moments)
        def hook(event, arguments):
            global left
            if event in steps:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        save(records, 2)
        os._exit(0)
    alive = os.waitpid(child, 0)[1] == 0
    killed, half = state(records), len(list(folder.glob(".ftnoise-*.tmp")))
    save(records, 3)
    files = len([name for name in os.listdir(folder) if not name.startswith(".")])
    moments.append({"killed": killed, "half": half, "again": state(records), "files": files})
print(json.dumps(moments))
"""


def test_killed_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    # The first child is not killed at all, the last one has come to its end.
    whole, *moments = json.loads(done.stdout)
    assert whole == moments[-1]
    assert len(moments) > 15
    states = dict.fromkeys(tuple(moment["killed"]) for moment in moments)
    assert list(states) == [(1, 1), (2, 1), (2, 2)]
    for moment in moments:
        assert moment["half"] <= 1
        assert moment["again"] == [3, 3]
        assert moment["files"] == 3


# Damage: named in one line, set aside, never used.

HARMS = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "appended": lambda content: content + b" x",
    "one bit": lambda content: content[:90] + bytes([content[90] ^ 1]) + content[91:],
}


@pytest.mark.parametrize(
    ("name", "harm"),
    # JSON has no checksum of its own.
    [
        *(("weights.npz", harm) for harm in HARMS),
        *(("weights.json", harm) for harm in [*HARMS][:3]),
    ],
)
def test_damage_is_set_aside_and_made_again(record, capsys, name, harm):
    file = record.folder / name
    for suffix in (".damaged", ".damaged-2"):
        record.save({"a": 1}, ARRAYS)
        bad = HARMS[harm](file.read_bytes())
        file.write_bytes(bad)
        assert read(record) is None
        line = the_line(capsys)
        assert line.startswith(f"ftnoise: {file} ")
        assert f"weights.json{suffix}, weights.npz{suffix}, to be made again." in line
        assert file.with_name(name + suffix).read_bytes() == bad
        assert not file.exists()
        assert read(record) is None
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    [
        *("null", "[]", "1", '"x"', "{}", "[" * 100_000, "\xff", '{"b": 1}', '{"a": 1'),
        *('{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}'),
    ],
)
def test_json_of_another_kind(record, capsys, text):
    record.save({"a": 1}, ARRAYS)
    record.path.write_text(text, encoding="latin-1")
    record.shape = {"a": object}
    assert read(record) is None
    assert "weights.json is truncated or was changed; set aside" in the_line(capsys)


def test_missing_array_file(record, capsys):
    record.save({"a": 1}, ARRAYS)
    (record.folder / "weights.npz").unlink()
    assert read(record) is None
    assert "weights.npz is missing, though weights.json lists it" in the_line(capsys)


def test_array_file_without_a_record_counts_for_nothing(record, capsys):
    record.save({"a": 1}, ARRAYS)
    record.path.unlink()
    assert read(record) is None
    assert capsys.readouterr().err == ""
    record.save({"a": 2}, ARRAYS)
    assert sorted(content_of(record.folder)) == ["weights.json", "weights.npz"]


def test_damage_that_is_not_ours_to_set_aside_is_said_once_and_stays(record, capsys):
    record.save({"a": 1}, ARRAYS)
    (record.folder / "weights.npz").write_bytes(b"")
    before = content_of(record.folder)
    mine = False
    reader = Record(record.folder, "weights", held=lambda: mine)
    for _ in range(2):
        assert read(reader) is None
    assert the_line(capsys).endswith("; not used, and made again by the next training.")
    assert content_of(record.folder) == before
    mine = True
    assert read(reader) is None
    assert "; set aside as weights.json.damaged" in the_line(capsys)


def test_read_only_folders_are_read_and_damage_there_is_only_said(record, capsys, monkeypatch):
    record.save({"a": 1}, ARRAYS)
    for call in ("rename", "replace", "mkdir", "unlink"):
        monkeypatch.setattr(os, call, failing_with(errno.EROFS))
    assert read(record) is not None
    (record.folder / "weights.npz").write_bytes(b"")
    before = content_of(record.folder)
    for _ in range(2):
        assert read(record) is None
        line = the_line(capsys)
        assert line.startswith(f"ftnoise: {record.folder / 'weights.npz'} has another SHA-256")
        assert line.endswith("could not be set aside (Read-only file system).")
    assert content_of(record.folder) == before


@pytest.mark.usefixtures("signals")
def test_a_signal_that_a_parser_turns_into_an_error_is_no_damage(record, monkeypatch):
    record.save({"a": 1}, ARRAYS)
    before = content_of(record.folder)

    def stopped(*arguments, **options):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError

    with stopping.stoppable():
        monkeypatch.setattr(np, "load", stopped)
        with pytest.raises(KeyboardInterrupt, match="143"):
            read(record)
    assert content_of(record.folder) == before


@pytest.mark.parametrize(
    ("content", "shape", "fit"),
    [
        ({"a": 1}, {"a": int}, True),
        ({"a": 1, "b": 2}, {"a": int}, True),
        ({}, {"a": int}, False),
        ({}, {"a?": int}, True),
        ({"a": "1"}, {"a?": int}, False),
        ({"a": [1, 2]}, {"a": [int]}, True),
        ({"a": [1, "2"]}, {"a": [int]}, False),
        ({"a": {"b": 1}}, {"a": {"*": int}}, True),
        ({"a": {"b": "1"}}, {"a": {"*": int}}, False),
        ({"a": None}, {"a": int | None}, True),
        ([], {}, False),
        ({}, [int], False),
    ],
)
def test_shapes(content, shape, fit):
    assert fits(content, shape) == fit


def test_what_cannot_be_read_is_no_damage(record, monkeypatch):
    record.save({"a": 1}, ARRAYS)
    with monkeypatch.context() as patch:
        patch.setattr("ftnoise.store.records.read_bytes", failing_with(errno.EACCES))
        with pytest.raises(RunFailed, match=r"Could not read .*weights\.json: Permission denied\."):
            read(record)
    assert read(record) is not None


@pytest.mark.parametrize(
    "listing",
    [
        1,
        {},
        {"name": 1, "sha256": ""},
        {"name": "weights.npz"},
        {"name": "../weights.npz", "bytes": 0},
    ],
)
def test_a_listing_that_no_save_wrote_is_damage(record, capsys, listing):
    record.save({"a": 1}, ARRAYS)
    record.path.write_text(json.dumps({"a": 1, "array_file": listing}))
    assert not record.stored()
    assert "weights.json is truncated or was changed" in the_line(capsys)
    record.save({"a": 2}, ARRAYS)
    assert read(record)[0] == {"a": 2}


def test_entries_are_as_many_as_the_arrays(record, capsys):
    record.save({"a": 1}, ARRAYS)
    content = json.loads(record.path.read_bytes())
    content["array_file"]["entries"].pop()
    record.path.write_text(json.dumps(content))
    assert record.load() is None
    assert "weights.json is truncated or was changed" in the_line(capsys)


@pytest.mark.parametrize("cut", [1, 100])
def test_an_array_file_that_was_cut_before_its_sum_was_taken_is_damage(record, capsys, cut):
    record.save({"a": 1}, ARRAYS)
    packed = (record.folder / "weights.npz").read_bytes()[:-cut]
    (record.folder / "weights.npz").write_bytes(packed)
    content = json.loads(record.path.read_bytes())
    content["array_file"] |= {"bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
    record.path.write_text(json.dumps(content))
    assert record.load() is None
    assert "weights.json is truncated or was changed" in the_line(capsys)


def test_array_file_that_cannot_be_read_is_no_damage(record, monkeypatch):
    record.save({"a": 1}, ARRAYS)
    original = files.read_bytes

    def refuse(path):
        if path.suffix == ".npz":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr("ftnoise.store.records.read_bytes", refuse)
        with pytest.raises(RunFailed, match=r"Could not read .*weights\.npz: Permission denied\."):
            record.load()
    assert record.load() is not None
