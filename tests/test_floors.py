"""Who may know whom: every import of the package, read from its source, is one that is allowed.

A room is a module or a package directly below `ftnoise`. It may import itself, the rooms that
`MAY_IMPORT` names, and the bare package (for its version). Imports inside functions and for type
checkers count like any other. The package's own `__init__` hands out names of some rooms, but
imports them for type checkers only, or when they are asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ftnoise

PACKAGE = Path(ftnoise.__file__).parent

# Floor 0: what everything rests on; only the first two are known to the others of the floor.
GROUND = {
    "errors", "spec", "figures", "seeds", "stats", "checkpointing", "presets",
    "progress", "files",
}  # fmt: skip
FLOOR_1 = {"datasets", "architectures", "layers", "privacy"}
FLOOR_2 = {"attacks", "faults"}
FLOOR_3 = {"training", "measures"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "spec": {"errors"},
    "figures": {"errors", "spec"},
    "seeds": {"errors", "spec"},
    "stats": {"errors", "spec"},
    "checkpointing": {"errors", "spec"},
    "presets": {"errors", "spec"},
    "progress": set(),
    "files": {"errors", "spec"},
    # 1
    "datasets": GROUND,
    "layers": GROUND,
    "architectures": GROUND | {"layers"},
    "privacy": GROUND,
    # 2
    "attacks": GROUND | FLOOR_1,
    "faults": GROUND | FLOOR_1,
    # 3: never each other
    "training": GROUND | FLOOR_1 | FLOOR_2,
    "measures": GROUND | FLOOR_1 | FLOOR_2,
    # 4
    "experiments": GROUND | FLOOR_1 | FLOOR_2 | FLOOR_3,
    "audit": GROUND | FLOOR_1 | {"training"},
    "campaigns": GROUND | {"datasets", "faults", "records", "report"},
    "commands": GROUND | FLOOR_1 | {"audit", "campaigns", "faults", "store"},
    # Beside: these know no member of any floor.
    "arrays": GROUND,
    "records": GROUND | {"arrays"},
    "store": GROUND | {"arrays", "records"},
    "report": GROUND,
    "runner": GROUND | {"records", "store"},
    "plan": GROUND,
    "stored": GROUND | {"plan", "runner", "report", "store"},
    "engine": GROUND | {"plan", "runner", "store", "stored"},
    "words": {"errors", "presets"},
    "cli": GROUND | {"engine", "plan", "runner", "report", "store", "stored", "datasets", "words"},
    "__main__": {"cli"},
}

# What the package hands out.
HANDED_OUT = {"campaigns", "faults"}

# Where a room may take only certain names from another.
ONLY: dict[tuple[str, str], set[str]] = {
    ("cli", "datasets"): {"Sources"},
    ("runner", "store"): {"RunFolder"},
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


def forbidden(package: Path = PACKAGE) -> list[str]:
    """A line for each import that no rule allows, and for each room without a rule."""
    found = []
    for file in sorted(package.rglob("*.py")):
        where = file.relative_to(package)
        here = where.parts[0].removesuffix(".py")
        if here == "__init__":
            allowed = HANDED_OUT
        elif here in MAY_IMPORT:
            allowed = MAY_IMPORT[here] | {here, ""}
        else:
            found.append(f"{where}: add the room {here!r} to MAY_IMPORT in tests/test_floors.py")
            continue
        for line, module, name in imports(file, package):
            there = room(module)
            names = ONLY.get((here, there))
            if there not in allowed and (there or module == "ftnoise"):
                found.append(f"{where}:{line}: {here} must not import {there or module}")
            elif names is not None and name not in names:
                found.append(f"{where}:{line}: {here} may import only {names} from {there}")
    return found


def test_every_import_is_allowed():
    assert forbidden() == []


def test_the_package_itself_imports_nothing():
    body = ast.parse((PACKAGE / "__init__.py").read_text()).body
    at_once = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [getattr(node, "module", None) or node.names[0].name for node in at_once]
    assert names == ["__future__", "importlib", "typing"]


def test_no_module_hides_what_the_package_hands_out():
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & {*ftnoise.__all__}


def test_all_that_is_handed_out_is_there_and_nothing_else():
    for name in ftnoise.__all__:
        assert getattr(ftnoise, name).__name__ == name
    assert {*ftnoise.__all__} <= {*dir(ftnoise)}
    with pytest.raises(AttributeError, match="no attribute 'injekt'"):
        _ = ftnoise.injekt


def test_the_rules_have_no_cycle():
    above: dict[str, set[str]] = {name: set(rooms) for name, rooms in MAY_IMPORT.items()}
    while above:
        free = {name for name, rooms in above.items() if not rooms & above.keys()}
        assert free, f"a cycle among {sorted(above)}"
        above = {name: rooms - free for name, rooms in above.items() if name not in free}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("measures/new.py", "from ftnoise.training.loop import Loop"),
        ("measures/new.py", "def f():\n    import ftnoise.training as t\n    return t"),
        ("measures/new.py", "from ..training import Training"),
        ("training/inputs/new.py", "from ...measures import generalization"),
        ("training/inputs/new.py", "if TYPE_CHECKING:\n    from ftnoise import measures"),
        ("attacks/new.py", "from ftnoise.faults.bits import flip"),
        ("datasets/new.py", "from ftnoise import store"),
        ("spec.py", "import ftnoise.core.seeds"),
        ("store.py", "from ftnoise.datasets import Sources"),
        ("report/new.py", "from ftnoise.engine.executor import stored"),
        ("engine.py", "from ftnoise.experiments.table5 import EXPERIMENT"),
        ("runner.py", "from ftnoise.store.folders import Store"),
        ("cli.py", "from ftnoise.datasets import Data"),
        ("cli.py", "import ftnoise.datasets"),
        ("__init__.py", "from ftnoise import spec"),
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
        (
            "training/inputs/new.py",
            "from ftnoise.training import Training\nimport ftnoise.core.seeds",
        ),
        ("training/inputs/new.py", "from .. import penalties"),
        ("cli.py", "from ftnoise.datasets import Sources"),
        ("runner.py", "import ftnoise\nimport numpy.random, os.path"),
    ],
)
def test_an_allowed_import_is_not(tmp_path, file, source):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(source)
    assert forbidden(tmp_path) == []
