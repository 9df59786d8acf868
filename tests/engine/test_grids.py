"""Networks of grids: one training for all stages, measures without weights, shards, groups."""

from __future__ import annotations

import dataclasses
import gzip
import re
import shutil
from dataclasses import dataclass

import pytest

from ftnoise.core.errors import RunFailed
from ftnoise.core.experiment import Column, Experiment
from ftnoise.core.grid import Grid
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.engine import plan, resuming, runner
from ftnoise.engine.executor import foreseen, safe_scheduler
from ftnoise.engine.publish import publish
from ftnoise.measures.generalization import COLUMNS
from ftnoise.measures.parameters import ParameterSpread
from ftnoise.store.folders import Store
from ftnoise.training import Training
from ftnoise.training.procedures.pruning import IterativePruning
from tests.engine.running import RUN, csv, engine, run

STAGES, RATES = (2, 4, 6), (0.1, 0.2)


def stage(epochs: int, rate: float, training=None):
    schedule = dataclasses.replace(RUN.schedule, epochs=epochs, learning_rate=rate, drops=())
    return dataclasses.replace(RUN, training=training or Training(), schedule=schedule)


def pruned(epochs: int, rate: float):
    return stage(epochs, rate, IterativePruning(training=Training(), reduction=0.5))


def table(*, make=stage, rates=RATES, epochs=STAGES, columns=COLUMNS, keeps=False):
    axes = {"rate": rates, "epochs": epochs}
    whole = Experiment(
        name="grids",
        title="T",
        source="S",
        columns=columns,
        grids=(Grid(name="g", run=make, axes=axes, along="epochs"),),
        keeps_weights=keeps,
    )
    return whole.scaled(PRESETS["paper"])


@pytest.fixture(autouse=True)
def nothing_remembered():
    resuming.ENDS.clear()


@pytest.fixture
def steps(monkeypatch):
    """Counts the epochs that are trained."""
    from ftnoise.training.loop import Shuffle

    seen, begin = [], Shuffle.on_epoch_begin

    def counted(self, epoch, logs=None):
        seen.append(epoch)
        begin(self, epoch, logs)

    monkeypatch.setattr(Shuffle, "on_epoch_begin", counted)
    return seen


def done(store, experiment, **more):
    return run(store, experiment, keep_weights=experiment.keeps_weights, **more)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The folder of the trained table, and what its process remembers."""
    resuming.ENDS.clear()
    store = Store(tmp_path_factory.mktemp("grids") / "runs")
    store.prepare()
    assert done(store, table()) == []
    return store.root, dict(resuming.ENDS)


@pytest.fixture
def trained(once, tmp_path):
    """A store with the trained table, as the process that trained it goes on."""
    root, ends = once
    resuming.ENDS.update(ends)
    return Store(shutil.copytree(root, tmp_path / "trained"))


@pytest.mark.parametrize("make", [stage, pruned])
def test_stages_share_their_training_and_are_those_of_trainings_alone(make, tmp_path, steps):
    rates = RATES if make is stage else RATES[:1]
    together, alone = (Store(tmp_path / name) for name in ("together", "alone"))
    together.prepare(), alone.prepare()
    assert done(together, table(make=make, rates=rates, keeps=True)) == []
    shared = len(steps)
    for epochs in STAGES:
        resuming.ENDS.clear()
        part = table(make=make, rates=rates, epochs=(epochs,), keeps=True)
        assert done(alone, part) == []
    single = len(steps) - shared
    rounds = 1 if make is pruned else 0
    assert shared == len(rates) * (STAGES[-1] + rounds * sum(STAGES))
    assert single == len(rates) * (1 + rounds) * sum(STAGES)
    assert len([*together.finished()]) == 3 * len(rates)
    for folder, spec in together.finished():
        other = alone.run(folder.id)
        assert folder.weights_digest() == other.weights_digest()
        assert spec["history"] == (other.spec() or {})["history"]
        assert spec.get("parts", {}).keys() == (other.spec() or {}).get("parts", {}).keys()


def test_an_interrupted_stage_ends_the_same(trained, tmp_path):
    from tests.engine.running import stopped

    broken, one = Store(tmp_path / "broken"), table(rates=RATES[:1])
    broken.prepare()
    # Within the first stage, at its end, in the second (trained anew) and in the third (resumed).
    for after in (1, 1, 3, 3):
        resuming.ENDS.clear()
        with stopped(after):
            done(broken, one)
    resuming.ENDS.clear()
    assert done(broken, one) == []
    assert csv(broken, one) == csv(trained, one)


def test_measures_are_kept_without_weights_logs_and_checkpoints(trained, steps):
    files = {file.name for file in trained.root.rglob("*") if file.is_file()}
    assert files == {"spec.json", "result.json", ".lock"}
    assert done(trained, table()) == []
    assert len(steps) == 0
    more = (*COLUMNS, Column(name="std", measure=ParameterSpread(), title="S"))
    assert done(trained, table(columns=more)) == []
    # All of it: the remembered ends are those of the last stages.
    assert len(steps) == 2 * STAGES[-1]
    for folder, _ in trained.finished():
        assert folder.measured(spec_id(ParameterSpread()))


SPREAD = (Column(name="std", measure=ParameterSpread(), title="S"),)


def test_tables_of_the_same_networks_leave_each_other_their_results(trained, steps):
    assert done(trained, table(columns=SPREAD)) == []
    assert len(steps) == 2 * STAGES[-1]
    assert done(trained, table()) == []
    assert len(steps) == 2 * STAGES[-1]
    for folder, _ in trained.finished():
        assert folder.measured(spec_id(COLUMNS[0].measure))


@pytest.mark.parametrize("known", ["0" * 64, None])
def test_results_of_other_weights_are_dropped(trained, known):
    """As those of a training elsewhere, or of an earlier version."""
    for folder, spec in trained.finished():
        folder.write_spec(spec | {"weights_sha256": known})
    assert done(trained, table(columns=SPREAD)) == []
    for folder, _ in trained.finished():
        assert not folder.measured(spec_id(COLUMNS[0].measure))


STOPS: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Stopping(Measure):
    """Stops the process at its first evaluation, or notes its name."""

    name: str

    def evaluate(self, trained: MeasureInput) -> Measurement:
        STOPS.append(self.name)
        if STOPS == ["first", "second"]:
            raise KeyboardInterrupt
        return Measurement(scalars={"value": 1.0})


def test_measures_before_an_interruption_are_not_repeated(tmp_path, steps):
    store = Store(tmp_path)
    store.prepare()
    columns = tuple(
        Column(name=name, scalar="value", measure=Stopping(name=name), title=name)
        for name in ("first", "second")
    )
    both = table(rates=RATES[:1], epochs=STAGES[:1], columns=columns)
    STOPS.clear()
    with pytest.raises(KeyboardInterrupt):
        done(store, both)
    resuming.ENDS.clear()
    assert done(store, both) == []
    assert STOPS == ["first", "second", "second"]
    assert len(steps) == STAGES[0]


def test_runs_without_weights_are_stored_for_what_is_measured_alone(trained):
    for more in ({"keep_weights": True}, {"keep_weights": False, "columns": SPREAD}):
        asked = table(columns=more.pop("columns", COLUMNS))
        work = engine(trained, asked, **more)
        assert {str(work.status(task)) for task in work.tasks} == {f"{n} epochs" for n in STAGES}
        found = foreseen(asked, work.tasks, trained, **more)
        assert found == [work.status(task) for task in work.tasks]
    work = engine(trained, table(), keep_weights=False)
    assert {str(work.status(task)) for task in work.tasks} == {"stored"}
    assert foreseen(table(), work.tasks, trained, keep_weights=False) == [
        work.status(task) for task in work.tasks
    ]


@dataclass(frozen=True, kw_only=True)
class Logged(Measure):
    """The number of entries in the log of the training."""

    def evaluate(self, trained: MeasureInput) -> Measurement:
        return Measurement(scalars={"entries": float(len(trained.record["history"]))})


def test_measures_see_the_log_of_the_training(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    logged = table(columns=(Column(name="entries", measure=Logged(), title="E"),))
    assert done(store, logged) == []
    found = {
        spec["run"]["schedule"]["epochs"]: folder.read_measure(spec_id(Logged()))
        for folder, spec in store.finished()
    }
    assert found == {epochs: {"entries": float(epochs)} for epochs in STAGES}


def test_weights_can_be_kept(trained):
    assert [*trained.finished()]
    assert not any(folder.weights_digest() for folder, _ in trained.finished())
    assert run(trained, table(), keep_weights=True) == []
    assert len([*trained.finished()]) == 6
    assert all(folder.weights_digest() for folder, _ in trained.finished())


def test_a_network_without_weights_is_no_other_network(trained):
    folder, _ = next(trained.finished())
    assert folder.finished() is not None
    assert folder.finished(weights=True) is None
    row = table().rows[0].run
    assert runner.stored_network(row, folder) is None


def test_shards_are_all_of_the_tasks_once_and_do_not_split_a_training():
    tasks = plan.tasks(table(), 2)
    for of in (1, 2, 3, 7):
        parts = [plan.shard(table(), tasks, number, of) for number in range(1, of + 1)]
        assert sorted(task.name for part in parts for task in part) == sorted(t.name for t in tasks)
        groups = [{task.group for task in part} for part in parts]
        assert len(set.union(*groups)) == sum(map(len, groups)) == 4


def test_shards_make_the_results_of_one_command(trained, tmp_path):
    two = Store(tmp_path / "two")
    two.prepare()
    for number in (2, 1):
        part = engine(two, table(), keep_weights=False)
        part.tasks = plan.shard(table(), part.tasks, number, 2)
        assert part.run() == []
    assert csv(trained, table()) == csv(two, table())


def test_the_status_is_that_of_the_store(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    tasks = plan.tasks(table(), 1)
    assert not any(
        status.complete for status in foreseen(table(), tasks, store, keep_weights=False)
    )
    assert done(store, table(epochs=(2,))) == []
    statuses = foreseen(table(), tasks, store, keep_weights=False)
    assert [status.complete for status in statuses] == [True, False, False] * 2
    assert all(status.finished for status in statuses if status.complete)
    unfinished = engine(store, table()).folder(tasks[1])
    with unfinished.locked():
        again = Store(tmp_path)  # as another process sees it
        assert [
            status.running for status in foreseen(table(), tasks, again, keep_weights=False)
        ].count(True) <= 1
    unfinished.write_spec({"run": {}, "data": {"digest": "", "source": ""}, "environment": {}})


def test_published_networks_are_packed_and_redraw_the_same_bytes(tmp_path, capsys):
    store, target = Store(tmp_path / "store"), Store(tmp_path / "published")
    store.prepare()
    assert done(store, table(epochs=(2,))) == []
    publish(table(epochs=(2,)), None, store, target)
    assert done(store, table(epochs=(4,))) == []
    publish(table(), None, store, target)
    (file,) = (file for file in target.root.rglob("*") if file.suffix == ".gz")
    assert not [one for one in target.root.iterdir() if one.is_dir()]
    statuses = foreseen(table(), plan.tasks(table(), 1), target, keep_weights=False)
    assert [status.complete for status in statuses] == [True, True, False] * 2
    read = Store(target.root)
    assert csv(read, table()) == csv(target, table()) == csv(store, table())
    before = file.read_bytes()
    publish(table(), None, Store(store.root), Store(target.root))
    assert file.read_bytes() == before
    # Packed runs are published again whole, and keep measures that another store lacks.
    further = Store(tmp_path / "further")
    publish(table(), None, read, further)
    assert csv(Store(further.root), table()) == csv(store, table())
    only = Store(tmp_path / "only")
    only.prepare()
    assert done(only, table(epochs=(2,), columns=COLUMNS[:1])) == []
    for file_ in only.root.glob("*/measures/*/result.json"):
        file_.unlink()
    publish(table(epochs=(2,)), None, only, Store(further.root))
    assert csv(Store(further.root), table()) == csv(store, table())
    # Whoever locks a packed run gets a folder with all of it.
    (first, second, *_) = (folder.id for folder, _ in read.finished())
    other = Store(target.root)
    assert other.run(first).spec() == read.run(first).spec()  # both see it packed
    with read.run(first).locked():
        assert csv(Store(target.root), table()) == csv(store, table())
        read.run(first).write_spec((read.run(first).spec() or {}) | {"finished": "later"})
    with other.run(first).locked():  # which unpacks nothing over what was written meanwhile
        assert (other.run(first).spec() or {})["finished"] == "later"
    assert (Store(target.root).run(first).spec() or {})["finished"] == "later"
    assert csv(Store(target.root), table()) == csv(store, table())
    with read.run(first).locked():
        read.run(first).drop_measures()
    assert not read.run(first).measured(spec_id(COLUMNS[0].measure))
    # A copy to where a run is packed has what was packed; measures reach a folder that is there.
    Store(store.root).run(second).copy_to(target, weights=False)
    assert csv(Store(target.root), table()) != csv(store, table())
    publish(table(), None, Store(store.root), Store(target.root))
    assert csv(Store(target.root), table()) == csv(store, table())
    assert {one.name for one in target.root.iterdir() if one.is_dir()} == {first, second}
    assert "packed" not in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"nonsense", gzip.compress(b'[1]\n{"a": 2}', mtime=0)])
def test_a_damaged_pack_is_named_and_not_used(content, tmp_path, capsys):
    store = Store(tmp_path)
    store.prepare()
    file = tmp_path / "packed.jsonl.gz"
    file.write_bytes(content)
    assert [*store.finished()] == []
    assert str(file) in capsys.readouterr().err
    with pytest.raises(RunFailed, match="to be sound, to add to it"):
        store.pack([])
    assert file.read_bytes() == content


def test_a_truncated_pack_is_named_and_not_used(tmp_path, capsys):
    store, target = Store(tmp_path / "store"), Store(tmp_path / "published")
    store.prepare()
    assert done(store, table(epochs=(2,))) == []
    publish(table(epochs=(2,)), None, store, target)
    (file,) = target.root.rglob("*.gz")
    file.write_bytes(file.read_bytes()[:-20])
    assert [*Store(target.root).finished()] == []
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "localhost:8786", "tls://far.away:8786", "tcp://[::1]:8786"]
)
def test_schedulers_here_and_behind_certificates_are_safe(address):
    safe_scheduler(address)


@pytest.mark.parametrize(
    "address",
    ["tcp://far.away:8786", "far.away:8786", "ucx://10.0.0.1:1", "tcp://127.far.away:8786", ""],
)
def test_any_other_scheduler_is_refused(address):
    from ftnoise.core.errors import BadInput

    with pytest.raises(BadInput, match=re.escape("--cluster to be tls://HOST:PORT")):
        safe_scheduler(address)
