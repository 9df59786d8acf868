"""Specs, experiments and the command line work where nothing heavy can be imported.

So reading an experiment, `--help`, the list and a wrong word are instant.
"""

from __future__ import annotations

import importlib
import json
import platform
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


RUN_ALL = """
import json, os, tempfile
from ftnoise.cli.main import main
ends = []
for words in json.loads(sys.argv[1]):
    streams = [tempfile.TemporaryFile("w+") for _ in range(2)]
    if os.fork() == 0:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        sys.exit(main(words))
    ends.append([os.waitstatus_to_exitcode(os.wait()[1])])
    for stream in streams:
        stream.seek(0)
        ends[-1].append(stream.read())
print(json.dumps(ends))
"""
HELP = [["--help"], ["table5", "--help"], ["report", "--help"], ["inject", "--help"]]
LIST = [[], ["list"]]
INJECTION = ["inject", "--model=own:build", f"--data={__file__}", "--fault=weights:drift=1:1"]
WRONG = [
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
]
COMMANDS = [*HELP, INJECTION, *LIST, *WRONG]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[int, str, str]]:
    """Exit code, stdout and stderr of each of `COMMANDS` without the heavy packages.

    One process imports the entry, and forks for each: none sees what another has imported.
    """
    done = python("-c", BLOCK + RUN_ALL, json.dumps(COMMANDS))
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    return {" ".join(words): tuple(end) for words, end in zip(COMMANDS, ends, strict=True)}


def test_importing_the_package_imports_nothing_of_it():
    said = python("-c", "import ftnoise, sys; print([m for m in sys.modules if 'ftnoise.' in m])")
    assert (said.stdout, said.stderr) == ("[]\n", "")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN is of the builds for x86-64")
def test_importing_the_package_first_switches_onednn_on():
    port = "from tensorflow.python.util import _pywrap_util_port as port"
    said = python("-c", f"import ftnoise, tensorflow; {port}; print(port.IsMklEnabled())")
    assert said.stdout == "True\n", said.stderr


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


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help(said, words):
    code, out, err = said[" ".join(words)]
    assert (code, err) == (0, "")
    assert out.startswith("usage: ftnoise")


def test_an_injection_shows_progress_before_anything_heavy_is_imported(said):
    _, _, err = said[" ".join(INJECTION)]
    assert err.startswith("inject: reading ")
    assert "numpy" in err.splitlines()[-1]


@pytest.mark.parametrize("words", LIST)
def test_the_list(said, words):
    code, out, err = said[" ".join(words)]
    assert (code, err) == (0, "")
    assert "table5" in out


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_word_is_one_line(said, words):
    code, out, err = said[" ".join(words)]
    assert (code, out) == (2, "")
    assert err.startswith("ftnoise: error: ")
    assert err.count("\n") == 1
