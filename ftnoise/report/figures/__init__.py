"""The figures of a report.

A new kind is its description, a subclass of `core.interfaces.Figure`, and a function here that
turns results and description into what the report shows. For the kind `HeatMap` it is `heat_map` in
the file `<module>.py`, by default `heat_map.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ftnoise.core.interfaces import Figure
from ftnoise.report.results import Results
from ftnoise.report.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Shown:
    """The contributions of a figure to a report.

    Args:
        text: a few sentences.
        tables: the tables of a figure that is one.
        draw: draws onto an empty canvas, and gives it the size that it needs.
        header: names of the columns of the CSV file after experiment and preset; no file if empty.
        lines: lines of the CSV file.
    """

    text: str
    tables: Sequence[Table] = ()
    draw: Callable[[Canvas], None] | None = None
    header: Sequence[str] = ()
    lines: Sequence[Sequence[Any]] = ()


@lru_cache(maxsize=16)  # every form of a report shows the same
def view(results: Results, figure: Figure) -> Shown | None:
    """What one of the experiment's figures shows; None if there is no result yet."""
    module = import_module(f"{__name__}.{figure.module or figure.slug}")
    return getattr(module, figure.slug)(results, figure)
