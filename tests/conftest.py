"""What every test shares: a quiet TensorFlow, repeatable hypotheses, a few small images."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import ftnoise as package  # noqa: F401 - it switches oneDNN on, before TensorFlow is imported
from tests.disk import ID

if TYPE_CHECKING:
    import numpy as np

    from ftnoise.store.folders import RunFolder, Store

# TensorFlow reads this when it is imported, so it is set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# `./reproduce.sh test` sets these for its own commands; each test sets what it needs.
for name in ("FTNOISE_PROGRAM", "FTNOISE_RUNS"):
    os.environ.pop(name, None)

# A slow machine is no failure, and the gate says the same of the same code each time.
settings.register_profile("ftnoise", deadline=None, derandomize=True, database=None)
settings.load_profile("ftnoise")


def pytest_collection_finish(session) -> None:
    """Leaves what is imported out of the garbage collections of the runner, one for each run."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def ftnoise(monkeypatch, capsys, tmp_path) -> Callable[..., tuple[int, str, str]]:
    """Runs a command on the fake table: its exit code, stdout and stderr.

    Its runs folder is `tmp_path / "runs"` where it takes one.
    """
    from ftnoise.cli import main as cli
    from tests import fake

    fake.install(monkeypatch.setattr)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FTNOISE_DATA", raising=False)
    monkeypatch.setenv("FTNOISE_RUNS", str(tmp_path / "runs"))

    def run(*words: str, at: str = "runs") -> tuple[int, str, str]:
        folder = ["--runs", str(tmp_path / at)] if {"tiny", "report", "publish"} & {*words} else []
        code = cli.main([*words, *folder])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def signals(monkeypatch) -> Iterator[None]:
    """Signals are neither ignored, as whoever runs the tests may do, nor left handled."""
    from ftnoise.core import stopping

    monkeypatch.setattr(stopping, "_received", None)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in stopping.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def fake_environment(monkeypatch, tmp_path) -> None:
    """The fake table trains, and logs what it does to `tmp_path / "log"`."""
    from tests import fake

    fake.install(monkeypatch.setattr)
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))


@pytest.fixture
def quick_disk(monkeypatch) -> None:
    """Writing does not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path) -> Store:
    """In `tmp_path / "runs"`, which is not made."""
    from ftnoise.store.folders import Store

    return Store(tmp_path / "runs")


@pytest.fixture
def folder(store) -> RunFolder:
    """That of a run in `store`."""
    return store.run(ID)


@pytest.fixture
def tiny_images() -> tuple[np.ndarray, np.ndarray]:
    """64 random images: x float32 [64, 28, 28, 1] in [0, 1), y int64 [64] with all 10 classes."""
    import numpy as np

    generator = np.random.default_rng(0)
    x = generator.random((64, 28, 28, 1), dtype=np.float32)
    return x, generator.permutation(np.arange(64) % 10)
