from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core import files as files_of_core
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import write_json
from ftnoise.store.folders import RunFolder, Store
from tests.disk import ENVIRONMENT, ID, MEASURE, failing_with, files, spec

pytestmark = pytest.mark.usefixtures("quick_disk")
WEIGHTS = [
    ("dense/kernel", np.arange(6, dtype=np.float32).reshape(2, 3)),
    ("dense/kernel", np.array(0.5, np.float32)),
    ("bias", np.zeros((0, 3), np.float32)),
]


def fill(folder: RunFolder) -> None:
    folder.write_spec(spec(finished="today"))
    folder.save_weights(WEIGHTS, {})
    folder.checkpoint().save({"state": {"epoch": 1}}, [("w", np.array([1.0, np.nan]))])
    folder.write_measure(MEASURE, {"accuracy": 0.5}, {"hits": np.arange(3)}, {"layers": ["a"]})
    folder.partial_work(MEASURE).save({"state": {"done": 2}}, [("hits", np.arange(2))])


def plain(weights) -> list:
    return [(name, values.dtype, values.tolist()) for name, values in weights]


def python(code: str, *words: str, **streams) -> subprocess.Popen:
    """A process that runs `code`; its output is text."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, env=environment, stdout=-1, text=True, **streams)


# What is stored comes back.


def test_asking_whether_a_run_is_finished_needs_neither_numpy_nor_tensorflow(folder):
    fill(folder)
    code = (
        "import sys; sys.modules.update(numpy=None, tensorflow=None);"
        "from ftnoise.store.folders import Store;"
        "print(bool(Store(sys.argv[1]).run(sys.argv[2]).finished()))"
    )
    assert python(code, str(folder.path.parent), ID).communicate()[0] == "True\n"


def test_weights(folder):
    assert folder.load_weights() is None
    folder.save_weights(WEIGHTS, {"seconds": 3})
    assert plain(folder.load_weights()) == plain(WEIGHTS)
    assert files(folder.path) == ["weights.json", "weights.npz"]
    assert json.loads((folder.path / "weights.json").read_text())["info"] == {"seconds": 3}


def test_weights_are_finite(folder):
    folder.save_weights(WEIGHTS, {})
    with pytest.raises(RunFailed, match="Received: NaN or infinity in x"):
        folder.save_weights([("ok", np.ones(2)), ("x", np.array([1, np.nan]))], {})
    assert plain(folder.load_weights()) == plain(WEIGHTS)


def test_checkpoints_of_a_run_and_of_its_parts_are_dropped_together(folder):
    # Left by a process that was killed while it dropped them.
    folder.path.mkdir(parents=True)
    (folder.path / "checkpoint-7.npz").write_text("")
    for part in ("", "round-1", "round-2"):
        assert folder.checkpoint(part).load() is None
        folder.checkpoint(part).save({"state": {"part": part}}, [("w", np.array([np.inf]))])
    content, arrays = folder.checkpoint("round-1").load()
    assert content["state"] == {"part": "round-1"}
    assert arrays[0][1].tolist() == [np.inf]
    folder.drop_checkpoints()
    assert files(folder.path) == []


def test_measures(folder):
    assert folder.read_measure(MEASURE) is None
    assert folder.read_measure_arrays(MEASURE) is None
    assert folder.read_measure_info(MEASURE) is None
    assert not folder.measured(MEASURE)
    scalars = {"accuracy": np.float32(0.5), "n": 3, "tenth": 0.1}
    info = {"layers": ["a", "b"]}
    folder.write_measure(MEASURE, scalars, {"hits": np.array([True, False])}, info)
    assert folder.measured(MEASURE)
    assert folder.read_measure_info(MEASURE) == info
    assert folder.read_measure(MEASURE) == {"accuracy": 0.5, "n": 3.0, "tenth": 0.1}
    assert folder.read_measure_arrays(MEASURE)["hits"].tolist() == [True, False]
    place = folder.path / "measures" / MEASURE
    assert sorted(os.listdir(place)) == ["result.json", "result.npz"]
    folder.write_measure(MEASURE, {"accuracy": 0.25}, {})
    assert folder.read_measure(MEASURE) == {"accuracy": 0.25}
    assert folder.read_measure_arrays(MEASURE) is None
    assert folder.read_measure_info(MEASURE) == {}
    assert folder.measured(MEASURE)
    assert os.listdir(place) == ["result.json"]


def test_partial_work_of_a_measure_is_there_until_its_result_is(folder):
    work, place = folder.partial_work(MEASURE), folder.path / "measures" / MEASURE
    assert work.load() is None
    for done in (1, 2):
        work.save({"state": {"done": done}}, [("hits", np.full(done, np.nan))])
    content, arrays = folder.partial_work(MEASURE).load()
    assert (arrays[0][1].shape, content["state"]) == ((2,), {"done": 2})
    assert sorted(os.listdir(place)) == ["partial-2.npz", "partial.json"]
    folder.write_measure(MEASURE, {"accuracy": 0.5})
    assert os.listdir(place) == ["result.json"]
    assert folder.partial_work(MEASURE).load() is None


def test_a_measure_whose_arrays_are_damaged_is_measured_again_once_they_are_read(folder, capsys):
    fill(folder)
    (file,) = folder.path.glob(f"measures/{MEASURE}/result.npz")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert folder.measured(MEASURE)
    with folder.locked():
        assert folder.read_measure_arrays(MEASURE) is None
    assert capsys.readouterr().err.count("result.npz has another SHA-256") == 1
    assert not folder.measured(MEASURE)
    fill(folder)
    file.write_bytes(file.read_bytes()[:-1])
    assert not folder.measured(MEASURE)
    assert "result.npz has another size" in capsys.readouterr().err
    # JSON that lacks what it should contain is damage too.
    folder.write_measure(MEASURE, {"accuracy": 0.5})
    (folder.path / "measures" / MEASURE / "result.json").write_text("{}")
    assert not folder.measured(MEASURE)
    assert folder.read_measure(MEASURE) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scalars_are_finite(folder, bad):
    folder.write_measure(MEASURE, {"accuracy": 0.5})
    with pytest.raises(RunFailed, match=rf"from {MEASURE} of {ID}\. Received: loss=-?(nan|inf)"):
        folder.write_measure(MEASURE, {"accuracy": 0.7, "loss": bad})
    assert folder.read_measure(MEASURE) == {"accuracy": 0.5}


def test_a_folder_can_be_moved_and_names_no_place(store, folder, tmp_path):
    fill(folder)
    for file in folder.path.rglob("*.json"):
        assert str(tmp_path) not in file.read_text()
    store.root.rename(tmp_path / "elsewhere")
    moved = Store(tmp_path / "elsewhere").run(ID)
    assert moved.spec() == spec(finished="today")
    assert moved.finished()
    assert moved.checkpoint().load() is not None
    assert moved.read_measure_arrays(MEASURE) is not None


READERS = {
    "spec.json": RunFolder.spec,
    "weights.json": RunFolder.load_weights,
    "weights.npz": RunFolder.load_weights,
    "checkpoint.json": lambda folder: folder.checkpoint().load(),
    "checkpoint.npz": lambda folder: folder.checkpoint().load(),
    f"measures/{MEASURE}/result.json": lambda folder: folder.read_measure(MEASURE),
    f"measures/{MEASURE}/result.npz": lambda folder: folder.read_measure_arrays(MEASURE),
    f"measures/{MEASURE}/partial.json": lambda folder: folder.partial_work(MEASURE).load(),
    f"measures/{MEASURE}/partial.npz": lambda folder: folder.partial_work(MEASURE).load(),
}


@pytest.mark.parametrize("name", READERS)
def test_damage_is_named_and_never_used(store, folder, capsys, name):
    fill(folder)
    file, read = folder.path / name, READERS[name]
    whole = str(read(folder))
    file.write_bytes(file.read_bytes()[:-20])
    before = {path: (folder.path / path).read_bytes() for path in files(folder.path)}
    # A reader says so once and changes nothing; the holder of the lock sets it aside.
    for _ in range(2):
        assert not read(store.run(ID))
    assert {path: (folder.path / path).read_bytes() for path in files(folder.path)} == before
    with folder.locked():
        assert not read(folder)
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith(f"ftnoise: {file} ") for line in said] == [True] * 2
    assert said[0].endswith("; not used, and made again by the next training.")
    assert "; set aside as " in said[1]
    assert file.with_name(f"{file.name}.damaged").exists()
    others = [other for other in READERS if Path(other).stem != file.stem]
    assert all(READERS[other](folder) for other in others)
    fill(folder)
    assert str(read(folder)) == whole
    assert capsys.readouterr().err == ""


def test_what_does_not_fit_is_set_aside_under_the_lock_alone(folder, capsys):
    fill(folder)
    folder.discard_weights("does not fit")
    assert folder.finished()
    with folder.locked():
        folder.discard_weights("does not fit")
    assert not folder.finished()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("; ")[1][:9] for line in lines] == ["not used,", "set aside"]


def test_scalars_without_their_arrays_are_measured_again(folder, capsys):
    fill(folder)
    (folder.path / "measures" / MEASURE / "result.npz").unlink()
    with folder.locked():
        assert folder.read_measure_arrays(MEASURE) is None
    assert "result.npz is missing" in capsys.readouterr().err
    assert folder.read_measure(MEASURE) is None


def test_failure_log(folder, monkeypatch):
    folder.write_failure("Traceback")
    assert (folder.path / "failure.log").read_text() == "Traceback"
    for _ in range(2):
        folder.clean()
        assert files(folder.path) == []
    monkeypatch.setattr(os, "replace", failing_with(errno.ENOSPC))
    folder.write_failure("Traceback")
    assert files(folder.path) == []


# Which runs there are.


def test_finished(store):
    form, other = {"class": "Run", "seed": 1}, {"class": "Run", "seed": True}
    assert list(store.finished()) == list(store.begun()) == []
    for id, run in (("b-2", form), ("a-1", form), ("c-3", other)):
        store.run(id).write_spec(spec(run, finished="today"))
        store.run(id).save_weights(WEIGHTS, {})
    store.run("no-spec-5").save_weights(WEIGHTS, {})
    # Trained again: the record is that of the new training, the weights are still the old ones.
    store.run("not-again-6").write_spec(spec(form))
    store.run("not-again-6").save_weights(WEIGHTS, {})
    store.run("not-trained-4").write_spec(spec(form, finished="today"))
    write_json(store.root / "reference" / "spec.json", {})
    write_json(store.root / "Not an id" / "spec.json", {})
    write_json(store.root / "environment.json", {})
    assert [folder.id for folder, _ in store.finished()] == ["a-1", "b-2", "c-3"]
    assert [spec["run"] for _, spec in store.finished()] == [form, form, other]
    begun = [folder.id for folder, _ in store.begun()]
    assert begun == ["a-1", "b-2", "c-3", "not-again-6", "not-trained-4"]


def test_damaged_runs_are_not_finished(store, capsys):
    for id in ("a-1", "b-2", "c-3"):
        store.run(id).write_spec(spec(finished="today"))
        store.run(id).save_weights(WEIGHTS, {})
    (store.root / "a-1" / "spec.json").write_text("{")
    (store.root / "b-2" / "weights.npz").write_text("")
    assert [folder.id for folder, _ in store.finished()] == ["c-3"]
    lines = capsys.readouterr().err.splitlines()
    assert ["a-1/spec.json" in lines[0], "b-2/weights.npz" in lines[1]] == [True, True]


SHAPES = {
    "no data": lambda content: content.pop("data"),
    "data without a source": lambda content: content["data"].pop("source"),
    "run is a list": lambda content: content.update(run=[1]),
    "seed is text": lambda content: content["run"].update(seed="1"),
    "environment is text": lambda content: content.update(environment="here"),
    "threads are text": lambda content: content["environment"].update(threads="2"),
    "gpus are text": lambda content: content["environment"].update(gpus="one"),
    "earlier environments are numbers": lambda content: content.update(earlier_environments=[1]),
    "parts are a list": lambda content: content.update(parts=[]),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_spec_of_another_shape_is_damage(store, capsys, kind):
    for id in ("a-1", "b-2"):
        fill(store.run(id))
    file = store.root / "a-1" / "spec.json"
    content = json.loads(file.read_bytes())
    SHAPES[kind](content)
    file.write_text(json.dumps(content))
    assert [folder.id for folder, _ in store.finished()] == ["b-2"]
    with store.run("a-1").locked():
        assert store.run("a-1").finished() is None
    said = capsys.readouterr().err.splitlines()
    assert [f"{file} is truncated or was changed; " in line for line in said] == [True] * 2
    assert (file.parent / "spec.json.damaged").exists()


def test_names_that_a_spec_does_not_need_are_no_damage(store):
    environment = ENVIRONMENT | {"more": []}
    for n, more in enumerate(({"more": 1}, {"environment": environment}, {"parts": {"a": {}}})):
        fill(store.run(f"a-{n}"))
        store.run(f"a-{n}").write_spec(spec({"seed": 3}, finished="today") | more)
    assert len(list(store.finished())) == 3


@pytest.mark.parametrize("scalars", [[], {"accuracy": "0.5"}, {"accuracy": None}])
def test_a_result_of_another_shape_is_damage(folder, capsys, scalars):
    fill(folder)
    write_json(folder.path / f"measures/{MEASURE}/result.json", {"scalars": scalars, "info": {}})
    assert folder.read_measure(MEASURE) is None
    assert "result.json is truncated or was changed" in capsys.readouterr().err


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["spec.json", "weights.json", "weights.npz"])
def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_damage(store, folder, capsys, name, make):
    fill(folder)
    (folder.path / name).unlink()
    make(folder.path / name)
    assert list(store.finished()) == []
    assert f"ftnoise: {folder.path / name} " in capsys.readouterr().err
    with folder.locked():
        assert folder.finished() is None
        assert f"{name}.damaged" in capsys.readouterr().err
        fill(folder)
        assert folder.finished()


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOTDIR])
def test_a_folder_of_runs_that_cannot_be_read_is_not_an_empty_one(store, monkeypatch, number):
    fill(store.run(ID))
    monkeypatch.setattr(os, "scandir", failing_with(number))
    for read in (store.begun, store.finished):
        with pytest.raises(BadInput, match=rf"Received: {store.root} \({os.strerror(number)}\)"):
            list(read())


def test_a_file_in_the_place_of_the_folder_of_runs_is_not_an_empty_one(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(BadInput, match=rf"Received: {root} \(Not a directory\)"):
            list(Store(root).finished())


def test_a_run_that_cannot_be_read_is_named_and_blocks_no_other(store, monkeypatch, capsys):
    for id in ("a-1", "b-2"):
        fill(store.run(id))
    read_bytes = files_of_core.read_bytes

    def locked_up(path):
        if path.parent == store.root / "b-2":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr("ftnoise.store.records.read_bytes", locked_up)
    for read in (store.begun, store.finished):
        assert [folder.id for folder, _ in read()] == ["a-1"]
    unreadable = store.root / "b-2" / "spec.json"
    said = f"Could not read {unreadable}: Permission denied"
    assert capsys.readouterr().err == f"ftnoise: {said}; not used.\n"
    # Whoever would write there must not take it for a new one.
    folder = store.run("b-2")
    with folder.locked(), pytest.raises(RunFailed, match=said):
        folder.finished()


@pytest.mark.parametrize(
    "id",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc",
        ".lock",
        "-x",
        "A",
        "a b",
        "a\n",
        "ü",
        "\0",
        "reports",
        "lost+found",
    ],
)
def test_ids_lead_nowhere_else(store, folder, id):
    with pytest.raises(BadInput, match="Expected a run id"):
        store.run(id)
    read = (folder.read_measure, folder.read_measure_info, folder.measured, folder.partial_work)
    for act in (*read, lambda id: folder.write_measure(id, {})):
        with pytest.raises(BadInput, match="Expected a measure id"):
            act(id)
    assert not store.root.exists()


def test_copy_to_another_store(folder, tmp_path):
    fill(folder)
    target = Store(tmp_path / "reference")
    folder.copy_to(target)
    folder.copy_to(target)
    result = f"measures/{MEASURE}/result"
    records = [f"{result}.json", f"{result}.npz", "spec.json", "weights.json", "weights.npz"]
    assert files(target.root / ID) == [".lock", *records]
    assert [copy.id for copy, _ in target.finished()] == [ID]
    assert target.run(ID).read_measure(MEASURE) == {"accuracy": 0.5}


def test_only_sound_runs_are_copied_and_only_into_free_folders(folder, tmp_path, capsys):
    fill(folder)
    target = Store(tmp_path / "reference")
    with target.run(ID).locked(), pytest.raises(RunFailed, match="locked folder"):
        folder.copy_to(target)
    (folder.path / "weights.npz").write_text("")
    with pytest.raises(RunFailed, match=r"sound .*weights\.json"):
        folder.copy_to(target)
    assert "weights.npz has another SHA-256" in capsys.readouterr().err
    assert not target.run(ID).finished()


def test_nothing_is_copied_through_a_link(folder, tmp_path):
    fill(folder)
    target, elsewhere = Store(tmp_path / "reference"), tmp_path / "elsewhere"
    target.prepare()
    elsewhere.mkdir()
    (target.root / ID).symlink_to(elsewhere)
    with pytest.raises(RunFailed, match="Received: a link"):
        folder.copy_to(target)
    assert files(elsewhere) == []


# The folder of all runs.


def test_prepare(store):
    for _ in range(2):
        store.prepare()
        assert os.listdir(store.root) == []
    assert store.reports == store.root / "reports"


def test_prepare_names_what_cannot_be_used(store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(BadInput, match=rf"Received: {root} \((Not a dir|File exists)"):
            Store(root).prepare()
    monkeypatch.setattr(os, "fsync", failing_with(errno.ENOSPC))
    with pytest.raises(BadInput, match=rf"Received: {store.root} \(No space left on device\)"):
        store.prepare()
    assert os.listdir(store.root) == []


def test_prepare_removes_old_temporaries_of_reports(store):
    store.reports.mkdir(parents=True)
    for place in (store.root, store.reports):
        for name, age in ((".ftnoise-old.tmp", 7200), (".ftnoise-new.tmp", 0), ("table.md", 7200)):
            (place / name).write_text("x")
            written = (place / name).stat().st_mtime - age
            os.utime(place / name, (written, written))
    store.prepare()
    left = [".ftnoise-new.tmp", "reports/.ftnoise-new.tmp", "reports/table.md", "table.md"]
    assert files(store.root) == left
