"""Experiments by name, and those of a user's own files."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.user import catalog
from tests import fake

NUMBERS = itertools.count()
MINE = """
import dataclasses
from tests.fake import TABLE
EXPERIMENT = dataclasses.replace(TABLE, name="mine", title="My own table")
"""


@pytest.fixture
def mine(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Writes a source into a file with a name that no module has."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(source: str) -> Path:
        path = tmp_path / f"mine_{next(NUMBERS)}.py"
        path.write_text(source)
        return path

    return write


def test_an_experiment_by_name_and_by_the_path_of_its_file():
    assert "table5" in catalog.names()
    assert catalog.names() == sorted(catalog.names())
    table5 = catalog.experiment("table5")
    assert table5.name == "table5"
    file = sys.modules["ftnoise.experiments.table5"].__file__
    assert catalog.experiment(file) is table5


def test_an_own_file_is_an_experiment(mine):
    path = mine(MINE)
    found = catalog.experiment(str(path))
    assert (found.name, found.rows) == ("mine", fake.TABLE.rows)
    # Worker processes import it under its own name.
    assert sys.modules[path.stem].EXPERIMENT is found
    assert str(path.parent) in sys.path


def test_an_own_file_is_found_in_the_current_folder_and_may_import_its_neighbors(mine, monkeypatch):
    neighbor = mine("TITLE = 'From a neighbor'\n")
    path = mine(f"from {neighbor.stem} import TITLE\n" + MINE.replace("'My own table'", "TITLE"))
    monkeypatch.chdir(path.parent)
    assert catalog.experiment(path.name).name == "mine"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("", "to be an Experiment. Received: none."),
        ("EXPERIMENT = 3", "to be an Experiment. Received: int."),
        ("x = 1\n\ny = 1 / 0\n", "Received: ZeroDivisionError: division by zero (line 3)"),
        ("def f():\n    raise KeyError('a\\nb')\n\nf()", "Received: KeyError: 'a\\nb' (line 2)"),
        ("x = 1\nif\n", "Received: SyntaxError: invalid syntax"),
        ("import no_such_module", "No module named 'no_such_module' (line 1)"),
        (
            "from ftnoise.core.schedule import Schedule\n"
            "S = Schedule(epochs=0, batch_size=1, learning_rate=1)",
            "BadInput: Expected epochs to be an integer in 1 to 1,000,000. Received: epochs=0. "
            "(line 2)",
        ),
        (MINE.replace('"mine"', '"table5"'), "a name of its own"),
        (MINE.replace('"mine"', '"../mine"'), "named in letters, digits"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_with_its_name_and_place(mine, source, line):
    path = mine(source)
    with pytest.raises(BadInput) as failure:
        catalog.experiment(str(path))
    text = str(failure.value)
    assert line in text
    assert str(path) in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["json.py", "a-b.py", "__main__.py", "a.b.py"])
def test_a_file_whose_name_cannot_be_imported_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / name).write_text(MINE)
    with pytest.raises(BadInput, match="a name that can be imported and no other module has"):
        catalog.experiment(str(tmp_path / name))


@pytest.mark.parametrize("name", ["nowhere.py", "there/nowhere", "."])
def test_no_such_file_is_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="Expected a"):
        catalog.experiment(name)


def test_the_command_trains_and_redraws_an_own_experiment(ftnoise, mine, tmp_path):
    path = str(mine(MINE))
    runs = ["--runs", str(tmp_path / "runs")]
    code, out, err = ftnoise(path, *runs)
    assert code == 0
    assert out.startswith("mine: My own table\nNobody (paper preset).\n")
    assert "3 runs: 0 stored, 3 to train." in err
    assert (tmp_path / "runs/reports/mine.paper.csv").is_file()
    assert ftnoise("report", path)[:2] == (0, out)
    code, _, err = ftnoise("publish", path, "--to", str(tmp_path / "there"))
    assert (code, err) == (0, "")
    # The runs are those of the table that it was made from.
    assert "3 runs: 3 stored, 0 to train." in ftnoise("tiny")[2]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_a_pipe_is_no_experiment_and_is_not_waited_for(tmp_path, make):
    make(tmp_path / "mine.py")
    with pytest.raises(BadInput, match="Expected a Python file"):
        catalog.experiment(str(tmp_path / "mine.py"))
