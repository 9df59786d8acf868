"""What tables cost: their minutes on two cores, scaled to this machine once it has trained a table.

`runs/speed.json` holds, for each machine and table, the time taken here over the measured one.
"""

from __future__ import annotations

import contextlib
import os
import statistics
from typing import TYPE_CHECKING

from ftnoise.core.errors import RunFailed
from ftnoise.core.progress import duration
from ftnoise.engine.environment import processor
from ftnoise.store.records import Record

if TYPE_CHECKING:
    from ftnoise.core.experiment import Experiment
    from ftnoise.core.preset import Preset
    from ftnoise.store.folders import Store


class Costs:
    """The cost of tables on this machine, as far as it is known; the store keeps measured costs."""

    def __init__(self, store: Store) -> None:
        self._record = Record(store.root, "speed", held=lambda: False, shape={"*": {"*": float}})
        self.machine = f"{processor()}, {os.cpu_count()} cores"
        self._known = (self._record.content() or {}).get(self.machine, {})

    @property
    def where(self) -> str:
        """Where the costs were measured."""
        return "on this machine" if self._known else "on two cores"

    def of(self, experiment: Experiment) -> dict[str, str]:
        """The duration of each preset whose cost was measured."""
        speed = statistics.median(self._known.values()) if self._known else 1.0
        return {name: duration(60 * speed * cost) for name, cost in experiment.minutes.items()}

    def listed(self, experiment: Experiment) -> str:
        """`paper 2 h 05 min, quick 2 min`; empty if no cost was measured."""
        return ", ".join(" ".join(cost) for cost in self.of(experiment).items())

    def remember(self, experiment: Experiment, preset: Preset, seconds: float) -> None:
        """Keeps how long a whole table took here."""
        machines = self._record.content() or {}
        ratio = seconds / (60 * experiment.minutes[preset.name])
        known = machines.get(self.machine, {}) | {f"{experiment.name} {preset.name}": ratio}
        with contextlib.suppress(RunFailed):  # such as a full disk; it is no result
            self._record.save(machines | {self.machine: known})
