"""The architecture: which room may import which, read from the source, and no circle of files.

A room is a module or a package directly below `ftnoise`. It may import itself, all rooms of lower
floors, and the neighbors that `ALSO` names. Imports inside functions and for type checkers count
like any other.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ftnoise

PACKAGE = Path(ftnoise.__file__).parent

FLOORS = {
    "core": 0, "stats": 0,
    "datasets": 1, "architectures": 1, "layers": 1, "privacy": 1,
    "attacks": 2, "faults": 2, "verify": 2,
    "training": 3, "measures": 3,
    "experiments": 4,
    "user": 5, "audit": 5, "cli": 5,
    "__main__": 6,
}  # fmt: skip
# These know no member: they import floor 0, and only floor 5 imports them.
ASIDE = {"store", "engine", "report"}
# Neighbors on one floor, and what floor 5 takes from aside.
ALSO = {
    "stats": {"core"},
    "architectures": {"layers"},
    "engine": {"store"},
    "report": {"store"},
    "user": {"engine", "report", "store"},
    "cli": {"audit", "engine", "report", "store", "user"},
}
# Names that the package itself hands out, imported on first use.
HANDED_OUT = {
    "architectures",
    "attacks",
    "core",
    "datasets",
    "faults",
    "measures",
    "training",
    "user",
}


def imports(file: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of each import of the package; name is "" for `import module`."""
    inside = ["ftnoise", *file.relative_to(package).parent.parts]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if module == "ftnoise":
                    yield node.lineno, f"ftnoise.{alias.name}", ""
                else:
                    yield node.lineno, module, alias.name


def room(module: str) -> str:
    """The part after `ftnoise`, "" for the bare package and for everything outside it."""
    parts = module.split(".")
    return parts[1] if parts[0] == "ftnoise" and len(parts) > 1 else ""


def may_import(here: str) -> set[str]:
    """The rooms that a room may import."""
    floor = 1 if here in ASIDE else FLOORS[here]
    lower = {name for name, other in FLOORS.items() if other < floor}
    return {here, ""} | lower | ALSO.get(here, set())


def forbidden(package: Path = PACKAGE) -> list[str]:
    """A line for each import that no rule allows, and for each room without a floor."""
    found = []
    for file in sorted(package.rglob("*.py")):
        where = file.relative_to(package)
        here = where.parts[0].removesuffix(".py")
        if here != "__init__" and here not in FLOORS.keys() | ASIDE:
            found.append(f"{where}: give the room {here!r} a floor in tests/test_floors.py")
            continue
        allowed = HANDED_OUT if here == "__init__" else may_import(here)
        for line, module, _ in imports(file, package):
            there = room(module)
            if there not in allowed and (there or module == "ftnoise"):
                found.append(f"{where}:{line}: {here} must not import {there or module}")
    return found


def graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """The files that each file imports, as module names.

    The package's own file is left out: it imports nothing but names that are handed out.
    """
    files = {}
    for file in package.rglob("*.py"):
        parts = file.relative_to(package).with_suffix("").parts
        files[".".join(["ftnoise", *parts]).removesuffix(".__init__")] = file
    return {
        name: {
            there
            for _, module, member in imports(file, package)
            for there in [f"{module}.{member}" if f"{module}.{member}" in files else module]
            if there in files and there != name
        }
        for name, file in files.items()
        if name != "ftnoise"
    }


def circle(package: Path = PACKAGE) -> list[str]:
    """The files of one import circle, or none."""
    try:
        graphlib.TopologicalSorter(graph(package)).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_every_import_is_allowed():
    assert forbidden() == []


def test_no_files_import_each_other():
    assert circle() == []


def test_the_package_itself_imports_nothing():
    body = ast.parse((PACKAGE / "__init__.py").read_text()).body
    at_once = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [getattr(node, "module", None) or node.names[0].name for node in at_once]
    assert names == ["__future__", "importlib", "os", "sys", "typing"]


def test_no_module_hides_what_the_package_hands_out():
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & {*ftnoise.__all__}


def test_all_that_is_handed_out_is_there_and_nothing_else():
    for name in ftnoise.__all__:
        assert getattr(ftnoise, name).__name__ == name
    assert {*ftnoise.__all__} <= {*dir(ftnoise)}
    with pytest.raises(AttributeError, match="no attribute 'injekt'"):
        _ = ftnoise.injekt


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("measures/new.py", "from ftnoise.training.loop import Loop"),
        ("measures/new.py", "def f():\n    import ftnoise.training as t\n    return t"),
        ("measures/new.py", "from ..training import Training"),
        ("measures/new.py", "from ftnoise.store.folders import Store"),
        ("training/inputs/new.py", "from ...measures import generalization"),
        ("training/inputs/new.py", "if TYPE_CHECKING:\n    from ftnoise import measures"),
        ("attacks/new.py", "from ftnoise.faults.effects import BitFlip"),
        ("datasets/new.py", "from ftnoise import store"),
        ("core/new.py", "import ftnoise.stats"),
        ("core/new.py", "from ftnoise.datasets import cache"),
        ("store/new.py", "from ftnoise.datasets import cache"),
        ("store/new.py", "from ftnoise.engine import plan"),
        ("report/new.py", "from ftnoise.engine import stored"),
        ("engine/new.py", "from ftnoise.report import results"),
        ("engine/new.py", "from ftnoise.experiments.table5 import EXPERIMENT"),
        ("user.py", "from ftnoise.cli import main"),
        ("__init__.py", "from ftnoise import engine"),
        ("new_room.py", "import os"),
    ],
)
def test_a_planted_import_is_caught(tmp_path, file, source):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(source)
    (line,) = forbidden(tmp_path)
    assert line.startswith(file)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("experiments/new.py", "from ftnoise.measures.generalization import Generalization"),
        ("training/inputs/new.py", "from ftnoise.training import Training\nimport ftnoise.core"),
        ("training/inputs/new.py", "from .. import penalties"),
        ("cli/new.py", "from ftnoise.engine import plan\nfrom ftnoise import audit, user"),
        ("report/new.py", "from ftnoise.store.folders import Store"),
        ("engine/runner.py", "import ftnoise\nimport numpy.random, os.path"),
    ],
)
def test_an_allowed_import_is_not(tmp_path, file, source):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(source)
    assert forbidden(tmp_path) == []


@pytest.mark.parametrize(
    "files",
    [
        {"core/a.py": "from ftnoise.core.b import x", "core/b.py": "from ftnoise.core import a"},
        {"core/a.py": "from .b import x", "core/b.py": "def f():\n    from .a import y"},
        {"core/__init__.py": "from .b import x", "core/b.py": "from ftnoise.core import y"},
        {
            "core/a.py": "import ftnoise.core.b",
            "core/b.py": "if TYPE_CHECKING:\n    from ftnoise.core.c import x",
            "core/c.py": "from ftnoise.core.a import x",
        },
    ],
)
def test_a_planted_circle_is_found(tmp_path, files):
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    assert len(set(circle(tmp_path))) == len(files)


def test_files_of_one_package_that_import_in_one_direction_are_no_circle(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("from ftnoise.core.a import x")
    (tmp_path / "core" / "a.py").write_text("from ftnoise.core.b import x")
    (tmp_path / "core" / "b.py").write_text("import ftnoise.core.other, os")
    assert circle(tmp_path) == []
