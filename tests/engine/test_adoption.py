"""Published models are copied where a table only looks at them and nobody has trained them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.cli import main as cli
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.engine import executor as engine
from ftnoise.engine import plan, stored
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.black_box_accuracy import BlackBoxAccuracy
from ftnoise.measures.fault_tolerance import FaultTolerance, columns, figures
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.store.folders import Store
from ftnoise.training import Training
from tests import fake

PAPER, QUICK, SMOKE = (PRESETS[name] for name in ("paper", "quick", "smoke"))
LOOKING = dataclasses.replace(fake.TABLE, adopts=True)
ROWS = [row.name for row in fake.TABLE.rows]
pytestmark = pytest.mark.usefixtures("fake_environment")


def work(store: Store, references: list[Store], preset: Any = PAPER, seeds: int = 1) -> Any:
    todo = plan.tasks(LOOKING, preset, seeds, None)
    return engine.Engine(LOOKING, todo, store, None, references=references)


@pytest.fixture
def published(store, tmp_path) -> Store:
    """A store with all runs of the table, trained elsewhere."""
    target = Store(tmp_path / "published")
    engine.Engine(fake.TABLE, plan.tasks(fake.TABLE, PAPER, 1, None), store, None).run()
    stored.publish(fake.TABLE, PAPER, None, store, target)
    return target


def test_what_was_published_is_copied_and_not_trained(published, tmp_path):
    here = Store(tmp_path / "here")
    here.prepare()
    one = work(here, [published])
    (tmp_path / "log").unlink()
    assert one.adopt() == ROWS
    assert one.adopt() == []
    assert one.run() == []
    assert not (tmp_path / "log").exists()
    here_is = stored.results(LOOKING, PAPER, None, here).values
    assert here_is == stored.results(LOOKING, PAPER, None, published).values


def test_other_seeds_and_presets_are_trained(published, tmp_path):
    here = Store(tmp_path / "here")
    here.prepare()
    assert work(here, [published], seeds=2).adopt() == ROWS
    assert work(here, [published], preset=SMOKE).adopt() == []
    assert work(here, []).adopt() == []


def test_what_somebody_has_begun_here_is_not_replaced(published, tmp_path):
    here = Store(tmp_path / "here")
    here.prepare()
    one = work(here, [published])
    first = one.folder(one.tasks[0])
    with first.locked():
        first.write_spec({"run": {}, "started": "now"})
    assert one.adopt() == ROWS[1:]
    assert first.spec() == {"run": {}, "started": "now"}


def test_a_damaged_model_is_trained_instead(published, tmp_path, capsys):
    here = Store(tmp_path / "here")
    here.prepare()
    one = work(here, [published])
    weights = published.run(one.folder(one.tasks[0]).id).path / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert one.adopt() == ROWS[1:]
    assert one.run() == []
    assert len(stored.runs_of(LOOKING, PAPER, None, here)) == len(ROWS)
    assert "weights.npz" in capsys.readouterr().err


def test_what_could_be_copied_counts_as_trained_before(published, tmp_path):
    todo = plan.tasks(LOOKING, PAPER, 1, None)
    store = Store(tmp_path / "here")
    alone = engine.foreseen(LOOKING, PAPER, todo, store)
    with_them = engine.foreseen(LOOKING, PAPER, todo, store, [published])
    assert not any(status.trained for status in alone)
    assert all(status.trained for status in with_them)
    assert plan.cost(todo, adopts=True) < plan.cost(todo, adopts=False)


def test_the_command_says_what_it_copied(published, ftnoise, monkeypatch):
    monkeypatch.setattr(cli, "REFERENCES", published.root)
    monkeypatch.setattr(cli, "experiment", lambda name: LOOKING)
    code, out, err = ftnoise("tiny", "--dry-run", at="here")
    assert code == 0
    assert out.count("there already") == len(ROWS) + 1
    code, out, err = ftnoise("tiny", at="here")
    assert code == 0
    assert f"Copied instead of trained: {', '.join(ROWS)}." in err
    assert "0 to train" in err


def test_publishing_keeps_what_was_published_there_before(published, store):
    file = published.root / "environment.json"
    before = json.loads(file.read_text())
    file.write_text(json.dumps({"another": {"threads": 1}} | before))
    stored.publish(fake.TABLE, PAPER, None, store, published)
    assert json.loads(file.read_text()) == dict(
        sorted({"another": {"threads": 1}, **before}.items())
    )
    file.write_text("{")
    stored.publish(fake.TABLE, PAPER, None, store, published)
    assert json.loads(file.read_text()) == before


def faulty(adopts: bool) -> Any:
    measure = FaultTolerance()
    return dataclasses.replace(
        fake.TABLE,
        rows=tuple(dataclasses.replace(row, paper={}) for row in fake.TABLE.rows),
        columns=columns(measure),
        figures=figures(measure),
        adopts=adopts,
    )


def test_a_preset_draws_fewer_masks_in_every_column_and_picture():
    for preset, masks in ((PAPER, 100), (QUICK, 8), (SMOKE, 2)):
        made = preset.of(faulty(False))
        assert {measure.masks for measure in made.measures()} == {masks}
        assert len(made.measures()) == 1
        assert [column.name for column in made.columns] == [c.name for c in faulty(False).columns]
    assert spec_id(QUICK.of(faulty(False)).measures()[0]) != spec_id(FaultTolerance())


def test_a_preset_attacks_fewer_examples():
    attack = PGD(attack_epsilon=0.1)
    asked = (
        RobustAccuracy(attack=attack),
        BlackBoxAccuracy(attack=attack, surrogate=Training()),
        AttackRedFlags(attack=attack),
    )
    column = faulty(False).columns[0]
    table = dataclasses.replace(
        fake.TABLE,
        rows=tuple(dataclasses.replace(row, paper={}) for row in fake.TABLE.rows),
        figures=(),
        columns=tuple(
            dataclasses.replace(column, name=f"column_{n}", measure=measure)
            for n, measure in enumerate(asked)
        ),
    )
    assert PAPER.of(table).measures() == asked
    assert [measure.examples for measure in SMOKE.of(table).measures()] == [32, 32, 32]
    assert [measure.examples for measure in QUICK.of(table).measures()] == [200, 200, 200]
    flags = (SMOKE.of(table).measures()[2], QUICK.of(table).measures()[2])
    assert [measure.queried for measure in flags] == [6, 40]
    few = dataclasses.replace(asked[2], examples=None, queried=7).with_examples(3)
    assert (few.examples, few.queried) == (3, 7)


def test_quick_looks_at_models_of_the_whole_protocol_and_says_so():
    (row, *_) = fake.TABLE.rows
    assert QUICK.run(faulty(True), row) == row.run
    assert QUICK.run(faulty(False), row) == QUICK.apply(row.run)
    assert SMOKE.run(faulty(True), row) == SMOKE.apply(row.run)
    assert "8 masks" in QUICK.says(faulty(True))
    assert "whole protocol" in QUICK.says(faulty(True))
    assert QUICK.says(faulty(False)) == QUICK.summary


def test_the_estimate_counts_the_passes_of_the_measures():
    todo = plan.tasks(faulty(True), PAPER, 1, None)
    assert todo[0].passes == FaultTolerance().passes >= 1000
    whole = plan.Status(todo[0], trained=True).seconds
    few = dataclasses.replace(todo[0], run=dataclasses.replace(todo[0].run, test_examples=100))
    assert whole > 1000 * todo[0].row.pass_seconds
    assert plan.Status(few, trained=True).seconds < whole / 10
