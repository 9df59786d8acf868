"""What dask's workers load first in the tests: a TensorFlow that knows its number of threads.

The fake trainings compute nothing with it, and importing the real one takes many seconds.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

from ftnoise.engine import runner

threads = [0]
threading = SimpleNamespace(
    get_intra_op_parallelism_threads=lambda: threads[0],
    set_intra_op_parallelism_threads=lambda count: threads.__setitem__(0, count),
    set_inter_op_parallelism_threads=lambda count: None,
)
config = SimpleNamespace(threading=threading, list_physical_devices=lambda kind: [])
sys.modules["tensorflow"] = SimpleNamespace(config=config)  # type: ignore[assignment]
runner.stored_network = runner._rebuilt
