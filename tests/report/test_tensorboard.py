"""A table for TensorBoard: curves at their epochs, columns as metrics, hyper-parameters."""

from __future__ import annotations

import pytest

from ftnoise.report.tensorboard import tensorboard
from ftnoise.store.folders import Store
from ftnoise.store.lookup import runs_of
from tests.engine.running import results
from tests.engine.test_grids import done, table
from tests.event_files import events, hparams, scalars


def test_runs_have_their_curves_their_columns_and_what_differs_between_them(tmp_path):
    store, folder = Store(tmp_path / "runs"), tmp_path / "events"
    store.prepare()
    grid = table(epochs=(2, 4))
    assert done(store, grid) == []
    made, runs = results(store, grid), runs_of(grid, None, store)
    tensorboard(made, runs, folder)
    (folder / "old").mkdir()
    tensorboard(made, runs, folder)
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {one.name for one in runs}
    for one in runs:
        history = one.spec["history"]
        for part, prefix in (("train", ""), ("test", "val_")):
            known = {epoch: entry[f"{prefix}loss"] for epoch, entry in enumerate(history, 1)}
            found = scalars(events(folder / one.name / part), "loss")
            assert found == pytest.approx(known, rel=1e-6)
        own = events(folder / one.name)
        for column in grid.columns:
            number = made.values[one.row.name][column.name][0, 0]
            epochs = one.run.schedule.epochs
            assert scalars(own, column.name) == pytest.approx({epochs: number}, rel=1e-6)
        start = hparams(own, "session_start_info").session_start_info
        assert {*start.hparams} == {"schedule.epochs", "schedule.learning_rate"}
        assert start.hparams["schedule.epochs"].number_value == one.run.schedule.epochs
        assert start.group_name == one.name
    metrics = hparams(events(folder), "experiment").experiment.metric_infos
    assert [one.name.tag for one in metrics] == [column.name for column in grid.columns]
