"""Which room draws which kind of picture, and which files it makes of it."""

from __future__ import annotations

from types import ModuleType

from ftnoise.pictures import Curves, HeatMap, Levels, Pairs, Picture, Series
from ftnoise.report import curves, heatmap, levels, pairs, series
from ftnoise.report.results import Results

ROOMS: dict[type[Picture], ModuleType] = {Curves: curves, Series: series, HeatMap: heatmap}


def plot(results: Results, picture: Picture) -> dict[str, bytes]:
    """One of the experiment's `pictures`.

    Returns:
        The files' contents by suffix: `png` and `pdf`, and `csv` where it shows arrays; of `Pairs`
        and `Levels` the last alone. The same results give the same bytes.
    """
    if isinstance(picture, Levels):
        return levels.files(results, picture)
    if isinstance(picture, Pairs):
        return pairs.files(results, picture)
    return ROOMS[type(picture)].plot(results, picture)


def caption(results: Results, picture: Picture) -> tuple[str, str]:
    """What stands in the place of a picture, and below it."""
    return ROOMS[type(picture)].caption(results, picture)
