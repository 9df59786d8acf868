"""The figures of a report, a module for each kind: `HeatMap` is shown by `heat_map.py`.

A module defines the class `<Kind>View`. So a new kind is its description, a subclass of
`core.interfaces.Figure`, and a module here with its name in snake case.
"""

from __future__ import annotations

from functools import lru_cache

from ftnoise.core.interfaces import Figure
from ftnoise.report.figures.view import View
from ftnoise.report.results import Results

__all__ = ["View", "view"]


@lru_cache(maxsize=16)  # every form of a report shows the same views
def view(results: Results, figure: Figure) -> View:
    """The view of one of the experiment's figures."""
    from importlib import import_module

    module = import_module(f"{__name__}.{figure.slug}")
    return getattr(module, f"{type(figure).__name__}View")(results, figure)
