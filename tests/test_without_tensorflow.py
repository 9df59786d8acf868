"""Specs, experiments and the command line work where nothing heavy can be imported.

So reading an experiment, `--help`, the list and a wrong word are instant.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ftnoise
from ftnoise.core.spec import Spec

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "scipy", "PIL")

# Only these rooms have modules that import something heavy at once, for functions to import.
COMPUTE = {"datasets", "faults", "layers", "training", "verify"}

PACKAGE = Path(ftnoise.__file__).parent
INJECT = ("inject", "--model", "own:build", "--data", "/nowhere.npz")
BLOCK = f"import sys\nfor name in {HEAVY}:\n    sys.modules[name] = None\n"
IMPORT_ALL = """
import importlib, json, pkgutil, traceback
import ftnoise
failures = {}
for module in pkgutil.walk_packages(ftnoise.__path__, "ftnoise."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        failures[module.name] = str(error)
print(json.dumps(failures))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """`ftnoise` with these words and without the heavy packages."""
    run = f"from ftnoise.cli.main import main\nsys.exit(main({list(words)!r}))"
    return python("-c", BLOCK + run)


def test_importing_the_package_imports_nothing_of_it():
    said = python("-c", "import ftnoise, sys; print([m for m in sys.modules if 'ftnoise.' in m])")
    assert (said.stdout, said.stderr) == ("[]\n", "")


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    """The modules that cannot be imported without the heavy packages."""
    said = python("-W", "error", "-c", BLOCK + IMPORT_ALL)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_every_module_but_those_that_compute_is_imported_without_anything_heavy(failures):
    assert [name for name in failures if name.split(".")[1] not in COMPUTE] == []
    assert [name for name in failures if (PACKAGE.parent / name.replace(".", "/")).is_dir()] == []
    # The block works: modules that compute cannot be imported.
    assert {"ftnoise.training.loop", "ftnoise.layers.convolution"} <= failures.keys()


def test_no_spec_stands_in_a_module_that_computes(failures):
    for name in failures:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, Spec):
                assert value.__module__ != name, f"{name} defines {value.__name__}"


@pytest.mark.parametrize(
    "words",
    [["--help"], ["table5", "--help"], ["report", "--help"], ["inject", "--help"]],
)
def test_help(words):
    said = command(*words)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("usage: ftnoise")


def test_an_injection_shows_progress_before_anything_heavy_is_imported():
    said = command("inject", "--model=own:build", f"--data={__file__}", "--fault=weights:drift=1:1")
    assert said.stderr.startswith("inject: reading ")
    assert "numpy" in said.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [[], ["list"]])
def test_the_list(words):
    said = command(*words)
    assert (said.returncode, said.stderr) == (0, "")
    assert "table5" in said.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["tabel5"],
        ["table5", "--preset", "fast"],
        ["table5", "--seeds", "0"],
        ["table5", "--rows", "none"],
        ["table5", "--rows", "natural", "--secret-key"],
        ["table5", "--set", "schedule.epoch=1"],
        ["table5", "--workers", "0"],
        ["nowhere/mine.py"],
        ["report", "table5", "--runs", "/nowhere"],
        ["publish", "table5", "--to", "/nowhere", "--runs", "/nowhere"],
        ["inject"],
        [*INJECT, "--fault", "weights:stuck_at_zero:2"],
        [*INJECT, "--fault", "weights:stuck_at_zero:0.5"],
        [*INJECT, "--fault", "weights:stuck_at_zero:0.5", "--masks", "1"],
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_one_line(words):
    said = command(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("ftnoise: error: ")
    assert said.stderr.count("\n") == 1
