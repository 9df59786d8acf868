"""A table for TensorBoard: the curves of its runs, and its columns as metrics of HParams."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftnoise.core.events import curves, write
from ftnoise.core.files import failing
from ftnoise.core.spec import flat
from ftnoise.report.results import Results
from ftnoise.store.lookup import StoredRun

ABSENT = "none"  # a hyper-parameter that a run does not have


def tensorboard(results: Results, runs: Sequence[StoredRun], folder: Path) -> None:
    """Writes event files, `<row>/train` and `<row>/test`, and HParams; replaces the folder.

    Curves are at the number of completed epochs, columns at the end of the training. Of the
    hyper-parameters, those are written that differ between the rows.

    Args:
        results: the table.
        runs: the runs of the table.
        folder: where to write.

    Raises:
        RunFailed: it cannot be written.
    """
    from tensorboard.plugins.hparams import api
    from tensorboard.plugins.scalar.summary import scalar_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    def events(place: str, steps: dict[int, list[Any]]) -> None:
        writer = EventFileWriter(str(folder / place))
        for step, summaries in steps.items():
            write(writer, step, summaries)
        writer.close()

    with failing("write", folder):
        shutil.rmtree(folder, ignore_errors=True)
        fields = [flat(stored.run) for stored in runs]
        names = sorted({name for one in fields for name in one})
        values = {name: [one.get(name, ABSENT) for one in fields] for name in names}
        shown = [name for name in names if len({*map(str, values[name])}) > 1]
        columns = results.columns
        metrics = [api.Metric(one.name, display_name=one.title) for one in columns]
        hparams = [api.HParam(name) for name in shown]
        events("", {0: [api.hparams_config_pb(hparams=hparams, metrics=metrics)]})
        for number, stored in enumerate(runs):
            place = f"{stored.name} (draw {stored.draw})" if stored.draw else stored.name
            steps: dict[str, dict[int, list[Any]]] = {"train": {}, "test": {}}
            for entry, logged in enumerate(stored.spec.get("history", []), 1):
                epoch = entry * stored.spec.get("epochs_per_entry", 1)
                numbers = {n: x for n, x in logged.items() if isinstance(x, int | float)}
                for part, summaries in curves(numbers).items():
                    steps[part][epoch] = summaries
            for part, found in steps.items():
                events(f"{place}/{part}", found)
            own = {name: values[name][number] for name in shown}
            last: list[Any] = []
            for column in columns:
                value = results.by_run(stored.row, column).get((stored.draw, stored.run.seed))
                last += [scalar_pb(column.name, value)] if value is not None else []
            start = api.hparams_pb(own, trial_id=place)
            events(place, {0: [start], stored.run.schedule.epochs: last})
