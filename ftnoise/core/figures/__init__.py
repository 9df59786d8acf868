"""What is shown of a table beside it: some columns against another, or arrays of a measure.

A picture is a description, which `report/` draws and which is no part of any run's identity. Of the
table's columns `Curves` and a `Scatter` are drawn and `Contrasts` compared. The others show arrays
of one measure, which is asked of every row: `Series` are lines, a `HeatMap` has cells, a `Plane`
has points, and `Pairs` and `Levels` are tables. Nothing here imports NumPy.
"""

from __future__ import annotations

from ftnoise.core.figures.arrays import ArrayFigure, HeatMap, Plane, Series
from ftnoise.core.figures.columns import Contrasts, Curves, Scatter
from ftnoise.core.figures.compared import Levels, Pairs
from ftnoise.core.interfaces import Figure

__all__ = [
    "ArrayFigure",
    "Contrasts",
    "Curves",
    "Figure",
    "HeatMap",
    "Levels",
    "Pairs",
    "Plane",
    "Scatter",
    "Series",
]
