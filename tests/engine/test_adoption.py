"""Published runs are copied where a table only evaluates them and their training has not begun."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.core.preset import PRESETS
from ftnoise.engine.executor import foreseen
from ftnoise.engine.publish import publish
from ftnoise.store.folders import Store
from ftnoise.store.lookup import runs_of
from tests import fake
from tests.disk import spec
from tests.engine.running import ROWS, engine, run, values

TABLE = dataclasses.replace(fake.TABLE, adopts=True)
pytestmark = pytest.mark.usefixtures("fake_environment")


@pytest.fixture
def published(store, tmp_path) -> Store:
    """A store with all runs of the table, trained elsewhere."""
    target = Store(tmp_path / "published")
    run(store)
    publish(fake.TABLE, None, store, target)
    return target


@pytest.fixture
def here(tmp_path) -> Store:
    store = Store(tmp_path / "here")
    store.prepare()
    return store


def test_published_runs_are_copied_and_not_trained(published, here, log):
    work = engine(here, TABLE, references=[published])
    assert all(
        status.trained
        for status in foreseen(TABLE, work.tasks, here, [published], keep_weights=True)
    )
    assert not any(
        status.trained for status in foreseen(TABLE, work.tasks, here, keep_weights=True)
    )
    log()
    assert work.adopt() == ROWS
    assert work.adopt() == []
    assert work.run() == []
    assert log() == []
    assert values(here, TABLE) == values(published, TABLE)


def test_other_seeds_and_presets_are_trained(published, here):
    smoke = TABLE.scaled(PRESETS["smoke"])
    assert engine(here, TABLE, seeds=2, references=[published]).adopt() == ROWS
    assert engine(here, smoke, references=[published]).adopt() == []
    assert engine(here, TABLE).adopt() == []


def test_a_training_that_has_begun_here_is_not_replaced(published, here):
    work = engine(here, TABLE, references=[published])
    first = work.folder(work.tasks[0])
    with first.locked():
        first.write_spec(spec(started="now"))
    assert work.adopt() == ROWS[1:]
    assert first.spec() == spec(started="now")


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: b"x" + content[1:]]
)
def test_a_damaged_run_is_trained_instead(published, here, capsys, damage):
    work = engine(here, TABLE, references=[published])
    weights = published.run(work.folder(work.tasks[0]).id).path / "weights.npz"
    weights.write_bytes(damage(weights.read_bytes()))
    assert work.adopt() == ROWS[1:]
    assert work.run() == []
    assert len(runs_of(TABLE, None, here)) == len(ROWS)
    assert "weights.npz" in capsys.readouterr().err


def test_a_run_that_another_command_copies_is_left_to_it(published, here, capsys):
    work = engine(here, TABLE, references=[published])
    with Store(here.root).run(work.folder(work.tasks[0]).id).locked():
        assert work.adopt() == ROWS[1:]
    assert "small natural is not copied. Expected" in capsys.readouterr().err
    assert work.run() == []
