"""Which room draws which kind of picture, and which files it makes of it."""

from __future__ import annotations

from types import ModuleType

from ftnoise.core.figures import Contrasts, Curves, HeatMap, Levels, Pairs, Plane, Scatter, Series
from ftnoise.core.interfaces import Figure
from ftnoise.report import contrasts, curves, heatmap, levels, pairs, plane, scatter, series
from ftnoise.report.results import Results

ROOMS: dict[type[Figure], ModuleType] = {
    Curves: curves,
    Series: series,
    HeatMap: heatmap,
    Plane: plane,
    Scatter: scatter,
}
# Those that are tables have data and no picture.
TABLES: dict[type[Figure], ModuleType] = {Contrasts: contrasts, Levels: levels, Pairs: pairs}


def plot(results: Results, picture: Figure) -> dict[str, bytes]:
    """One of the experiment's `pictures`.

    Returns:
        The files' contents by suffix: `png` and `pdf`, and `csv` where it shows arrays; of tables
        the last alone. The same results give the same bytes.
    """
    if type(picture) in TABLES:
        return TABLES[type(picture)].files(results, picture)
    return ROOMS[type(picture)].plot(results, picture)


def caption(results: Results, picture: Figure) -> tuple[str, str]:
    """What stands in the place of a picture, and below it."""
    return ROOMS[type(picture)].caption(results, picture)
