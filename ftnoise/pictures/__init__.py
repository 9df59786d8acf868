"""What is shown of a table beside it: some columns against another, or arrays of a measure.

A picture is a description, which `report/` draws and which is no part of any run's identity. Of the
table's columns `Curves` and a `Scatter` are drawn and `Contrasts` compared. The others show arrays
of one measure, which is asked of every row: `Series` are lines, a `HeatMap` has cells, a `Plane`
has points, and `Pairs` and `Levels` are tables. Nothing here imports NumPy.
"""

from __future__ import annotations

from ftnoise.pictures.arrays import ArrayPicture, HeatMap, Plane, Series
from ftnoise.pictures.base import Picture
from ftnoise.pictures.columns import Contrasts, Curves, Scatter
from ftnoise.pictures.compared import Levels, Pairs

__all__ = [
    "ArrayPicture",
    "Contrasts",
    "Curves",
    "HeatMap",
    "Levels",
    "Pairs",
    "Picture",
    "Plane",
    "Scatter",
    "Series",
]
