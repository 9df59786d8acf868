"""Downloads: a command in a temporary folder, with a time limit and one line if it fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ftnoise.core import files
from ftnoise.datasets.origins import Unavailable


@contextlib.contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """A folder for the time of a download, in the cache if that can be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for abandoned in files.abandoned(cache.glob("fetch-*")):
            shutil.rmtree(abandoned, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix="fetch-", dir=cache)
    except OSError:
        folder = tempfile.TemporaryDirectory(prefix="ftnoise-")
    with folder as name:
        yield Path(name).resolve()


def run(folder: Path, command: list[str], seconds: float, **environment: str) -> None:
    """Runs a command in `folder`.

    Raises:
        Unavailable: it does not start, takes too long or fails; with the last line that it wrote.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} took more than {seconds} s") from None
    except OSError as error:
        raise Unavailable(f"{name} does not start: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise Unavailable(f"{name} failed: {lines[-1].strip()[:200]}")
