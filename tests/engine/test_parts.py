"""A procedure of several trainings: each part has its own checkpoint, ledger and summary."""

from __future__ import annotations

import pytest

from ftnoise.core.spec import JSON
from ftnoise.engine.resuming import FolderCheckpointing
from tests import fake
from tests.engine.running import digests, engine, run, stopped
from tests.fake.parts import PARTS, RUN, TABLE, InParts

pytestmark = pytest.mark.usefixtures("fake_environment")
EPOCHS = RUN.schedule.epochs


@pytest.fixture
def folder(store):
    work = engine(store, TABLE)
    return work.folder(work.tasks[0])


def trained(log) -> list[str]:
    """Where each part began."""
    return [line.split(" from ")[1] for line in log("train")]


def test_an_interrupted_procedure_resumes_in_its_part(store, folder, log, tmp_path):
    whole = type(store)(tmp_path / "whole")
    run(whole, TABLE)
    log()
    with stopped(after=EPOCHS + 2):
        run(store, TABLE)
    assert trained(log) == ["0", "0"]
    kept = [record.folder.name for record in folder.checkpoints()]
    assert kept == ["round-1", "round-2"]
    (status,) = map(engine(store, TABLE).status, engine(store, TABLE).tasks)
    assert str(status) == "resumes after round-2, epoch 1"
    assert run(store, TABLE) == []
    # A part that is finished gives its result at once.
    assert trained(log) == [str(EPOCHS), "2", "0"]
    assert digests(store) == digests(whole)
    assert not list(folder.path.rglob("checkpoint*"))


def test_the_record_has_a_summary_of_each_part(store, folder):
    run(store, TABLE)
    spec = folder.spec()
    assert list(spec["parts"]) == list(PARTS)
    assert [len(part["history"]) for part in spec["parts"].values()] == [EPOCHS] * 3
    assert {part["seconds"] for part in spec["parts"].values()} == {float(EPOCHS)}
    assert spec["history"] == []


def test_a_part_that_resumes_elsewhere_keeps_where_it_was_before(store, folder, monkeypatch):
    with stopped(after=EPOCHS + 2):
        run(store, TABLE)
    there = fake.ENVIRONMENT | {"threads": 8}
    monkeypatch.setattr("ftnoise.engine.resuming.environment", lambda: there)
    run(store, TABLE)
    parts = folder.spec()["parts"]
    assert [parts[name]["earlier_environments"] for name in PARTS] == [
        [fake.ENVIRONMENT],
        [fake.ENVIRONMENT],
        [],
    ]


def test_progress_and_failures_name_the_part(store, folder):
    said: list[str] = []
    checkpointing = FolderCheckpointing(folder, lambda done, total, text: said.append(text))
    part = checkpointing.part("round-1")
    part.progress(1, 4, "epoch 1 of 4")
    part.part("teacher").progress(1, 2, "epoch 1 of 2")
    assert said == ["round-1, epoch 1 of 4", "round-1, teacher, epoch 1 of 2"]
    assert checkpointing.part("round-1") is part
    assert list(checkpointing.parts) == ["round-1", "round-1.teacher"]
    assert part.log_dir == folder.path / "parts" / "round-1"


def test_what_a_part_announced_counts_in_every_later_attempt(store, folder, monkeypatch):
    """Also where no checkpoint of the part is left."""
    heard: list[JSON] = []

    def train(self, run, data, checkpointing, network=None):
        for name in PARTS[len(heard) == 2 :]:
            part = checkpointing.part(name)
            part.load()
            heard.append((name, part.announced, part.repeats))
            part.announce({"steps": len(heard)})
            if len(heard) in (1, 2):
                raise KeyboardInterrupt
        return self.build(run)

    monkeypatch.setattr(InParts, "train", train)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(store, TABLE)
    assert run(store, TABLE) == []
    assert heard[:3] == [
        ("round-1", None, True),
        ("round-1", {"steps": 1}, False),
        ("round-2", None, True),
    ]
    # A part that the last attempt did not need keeps its ledger.
    gradients = {name: part["gradients"] for name, part in folder.spec()["parts"].items()}
    assert gradients == {"round-1": {"steps": 2}, "round-2": {"steps": 3}, "round-3": {"steps": 4}}
