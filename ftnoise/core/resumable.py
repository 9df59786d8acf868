"""Long measurements that resume after a kill.

The work is in numbered units, such as examples, trials or layers, that form one or several named
series. Each series has arrays whose first axis counts its units; they grow at the end only, so
their length is the number of completed units.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.lazy import np

SAVE_SECONDS = 5.0


class Resumable:
    """Arrays of completed units, kept in a checkpointing at most every `SAVE_SECONDS`.

    Args:
        checkpointing: where they are kept, and progress is reported.
        identity: everything that the arrays depend on. What an earlier process kept is used if its
            identity is the same, and discarded otherwise.
    """

    def __init__(self, checkpointing: Checkpointing, identity: str) -> None:
        self.checkpointing, self.identity = checkpointing, identity
        self._arrays: dict[str, np.ndarray] = {}
        self._saved = time.monotonic()
        stored = checkpointing.load()
        if stored is not None and stored[1].get("identity") == identity:
            self._arrays = dict(stored[0])
        elif stored is not None:
            checkpointing.discard("belongs to other work")

    def arrays(self, series: str = "") -> dict[str, np.ndarray]:
        """The arrays of a series by name, `[units completed, ...]`; none before the first unit."""
        start = f"{series}/"
        return {n.removeprefix(start): a for n, a in self._arrays.items() if n.startswith(start)}

    def completed(self, series: str = "") -> int:
        """How many units of a series are completed."""
        return next((len(array) for array in self.arrays(series).values()), 0)

    def extend(self, arrays: Mapping[str, Any], series: str = "") -> None:
        """Appends the results of the next units of a series.

        Args:
            arrays: `[units, ...]` by name; the same names, dtypes and other axes at each call.
            series: letters, digits, - and _.
        """
        for name, array in arrays.items():
            key = f"{series}/{name}"
            before = self._arrays.get(key)
            array = np.asarray(array)
            self._arrays[key] = array if before is None else np.concatenate([before, array])
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.checkpointing.save(dict(self._arrays), {"identity": self.identity})
            self._saved = time.monotonic()

    def batches(
        self,
        work: Callable[[int, int], Mapping[str, Any]],
        units: int,
        size: int,
        *,
        series: str = "",
        text: str = "",
    ) -> dict[str, np.ndarray]:
        """Works through units 0, ..., units - 1 of a series in batches.

        Args:
            work: `(start, stop)` -> arrays `[stop - start, ...]` by name; what it gives for a
                batch depends on nothing else.
            units: how many there are.
            size: of a batch, >= 1; batches start at multiples of it, interrupted or not.
            series: see `extend`.
            text: shown with the progress.

        Returns:
            The arrays of all units, `[units, ...]` by name.
        """
        completed = self.completed(series)
        if completed < units and completed % size:
            # Kept by a process with batches of another size.
            for name, array in self.arrays(series).items():
                self._arrays[f"{series}/{name}"] = array[: completed - completed % size]
        for start in range(0, units, size):
            stop = min(start + size, units)
            if stop > completed:
                self.extend(work(start, stop), series)
                self.checkpointing.progress(stop, units, text)
        return self.arrays(series)
