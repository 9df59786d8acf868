"""What the tests of stored files share."""

from __future__ import annotations

import os
from pathlib import Path

# Of the run that the fixture `folder` is for.
ID = "fmnist-dnn-natural-1e-s0-0123456789"
ENVIRONMENT = {"processor": "abacus", "gpus": [], "threads": 2, "tensorflow": "2.15.1"}
MEASURE = "test_accuracy-01234567"


def spec(run: dict | None = None, **more: object) -> dict[str, object]:
    """The least that a spec.json holds."""
    data = {"digest": "0" * 64, "source": "memory"}
    return {"run": run or {}, "data": data, "environment": ENVIRONMENT, **more}


def files(root: Path) -> list[str]:
    """The paths of all files below `root`, sorted."""
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


def failing_with(number: int):
    """A function that fails as the system does with this error number."""

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail
