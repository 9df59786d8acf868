"""Every name that the package hands out: its documentation, and what type checkers see of it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from pathlib import Path

import pytest

import ftnoise

SOURCES = ("attacks", "architectures", "measures", "training")
# Bases and parts, whose members have the sources.
WITHOUT = {"LayerFaults", "LearningCurves", "ParameterSpread", "SequentialNetwork", "Training"}


def value(name):
    return getattr(ftnoise, name)


def text(cls) -> str:
    """The documentation of a class and of those whose fields it inherits."""
    kinds = [kind for kind in inspect.getmro(cls) if kind.__module__.startswith("ftnoise.")]
    return "\n".join(kind.__doc__ or "" for kind in kinds)


def missing(name: str) -> list[str]:
    """What the documentation of a public name lacks."""
    found = value(name)
    own = inspect.getdoc(found) or ""
    if not re.match(r"[A-Z`].*[.:]$", own.replace("\n", " ").split("  ")[0], re.DOTALL):
        return ["a first sentence"]
    if inspect.isfunction(found):
        lacks = [n for n in inspect.signature(found).parameters if not re.search(rf"\b{n}: ", own)]
        return lacks + ([] if "Raises:" in own else ["Raises:"])
    if dataclasses.is_dataclass(found):
        described = text(found)
        names = [field.name for field in dataclasses.fields(found)]
        return [n for n in names if not re.search(rf"\b{n}\b", described)]
    return []


@pytest.mark.parametrize("name", ftnoise.__all__)
def test_it_is_documented(name):
    assert missing(name) == []


@pytest.mark.parametrize("name", ftnoise.__all__)
def test_a_method_of_a_paper_names_its_source(name):
    found = value(name)
    room = found.__module__.split(".")[1]
    if room in SOURCES and name not in WITHOUT:
        module = sys.modules[found.__module__].__doc__ or ""
        assert re.search(r"Source|et al\.|equation", module + text(found)), found.__module__


def test_a_missing_description_is_noticed(monkeypatch):
    def undescribed(model, x):
        """Does something.

        Args:
            model: a model.
        """

    monkeypatch.setattr(ftnoise, "undescribed", undescribed, raising=False)
    assert missing("undescribed") == ["x", "Raises:"]


def test_type_checkers_see_what_is_handed_out():
    body = ast.parse(Path(ftnoise.__file__).read_text()).body
    branches = [node for node in body if isinstance(node, ast.If)]
    (seen,) = (node for node in branches if ast.unparse(node.test) == "TYPE_CHECKING")
    imports = {
        alias.asname: node.module.removeprefix("ftnoise.")
        for node in seen.body
        for alias in node.names
    }
    assert imports == ftnoise._MODULES
