"""Worker processes on this machine: units of work on dask.distributed's embedded cluster.

The truth is the store, so a worker or the scheduler may die: a unit checks the store first and
resumes from its checkpoint. Workers listen on the loopback interface only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftnoise.core.errors import FtnoiseError, RunFailed, first_line
from ftnoise.engine import runner
from ftnoise.engine.runner import Unit

if TYPE_CHECKING:
    from ftnoise.engine.plan import Task

SETTINGS = {
    # A unit may hold the interpreter lock for long, and must not count as dead.
    "distributed.scheduler.worker-ttl": "1 h",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    # A unit that kills its worker again is not tried a third time.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.admin.tick.limit": "1 h",
    "distributed.comm.timeouts.connect": "60 s",
}


def work(unit: Unit) -> str:
    """Does a unit in a worker with one thread, and returns its run's id.

    It waits where another process works on the run.
    """
    import tensorflow as tf

    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != 1:
        # A RuntimeError in a process that has computed with more, whose bits would differ.
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(1)
    while (id := runner.perform(unit)) is None:
        time.sleep(1.0)
    return id


def outcomes(
    units: list[tuple[Task, Unit]], workers: int
) -> Iterator[tuple[Task, FtnoiseError | str]]:
    """Does units in `workers` processes; gives each task with its run's id or its failure."""
    if not units:
        return
    import dask
    from distributed import Client, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        dask.config.set(SETTINGS),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            # No dashboard, and a port that is free: the default one is the same for all commands.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            # Dask's limit would restart workers over and over without a message.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        tasks = {client.submit(work, unit, key=unit.id, pure=False): task for task, unit in units}
        for future in as_completed(tasks):
            if future.status == "finished":
                yield tasks[future], future.result()
                continue
            failure = future.exception()
            if not isinstance(failure, FtnoiseError):
                failure = RunFailed(first_line(failure))
            yield tasks[future], failure
