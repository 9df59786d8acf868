"""Where the uncertainty of a share comes from: a line for each row, in print and as data.

Source: `ftnoise/stats/levels.py`, a random-effects analysis of variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Levels
from ftnoise.report.records import csv_of
from ftnoise.report.results import MISSING, Results
from ftnoise.stats.levels import COMPONENTS

if TYPE_CHECKING:
    from ftnoise.stats import levels

HEADER = (
    *("experiment", "preset", "row", "x", "seeds", "draws", "images", "mean", "standard_error"),
    *("seed", "draw", "image", "seed_draw", "seed_image", "draw_image", "residual", "enlarge"),
)
PARTS = tuple(COMPONENTS)


@dataclass(frozen=True)
class Found:
    """A row and what its spread is made of."""

    row: Row
    levels: levels.Levels


def analyze(results: Results, picture: Levels) -> list[Found]:
    """The rows for which there are bits at the x that is meant."""
    import numpy as np

    from ftnoise.stats.levels import variance_components

    found = []
    for row in results.experiment.rows:
        bits = [one for one in _bits(results, row, picture) if one is not None]
        if bits and len(bits) == len(results.shown(row, picture)):
            found.append(Found(row, variance_components(np.stack(bits))))
    return found


def _bits(results: Results, row: Row, picture: Levels) -> Iterator[Any]:
    """For each seed the bits at the x that is meant, bool [draws, images]; None without."""
    import numpy as np

    for reading in results.shown(row, picture):
        xs = reading.arrays[picture.x].tolist()
        packed = reading.arrays[picture.bits]
        if picture.at not in xs or packed.shape[1] < 2:
            yield None
            continue
        count = int(reading.info[picture.images])
        yield np.unpackbits(packed[xs.index(picture.at)], axis=1, count=count).astype(bool)


def files(results: Results, picture: Levels) -> dict[str, bytes]:
    """Its `csv`: a line for each row; the mean and its standard errors are in percent."""
    lines = []
    for one in analyze(results, picture):
        said = one.levels
        sizes = tuple(said.sizes[name] for name in ("seed", "mask", "image"))
        where = (results.experiment.name, results.preset, one.row.name, float(picture.at))
        errors = tuple(_percent(said.standard_errors[part]) for part in PARTS)
        numbers = (100 * said.mean, 100 * said.standard_error, *errors)
        lines.append((*where, *sizes, *numbers, _level(said.enlarge, picture)))
    return {"csv": csv_of(HEADER, lines)}


def table(found: Sequence[Found], picture: Levels) -> list[list[str]]:
    """The table as text, its heading first."""
    head = ["", "seeds", picture.draws, "images", "mean (%)", "standard error (points)"]
    head += ["of seeds", f"of {picture.draws}", "of images", "of their interactions", "enlarge"]
    lines = [head]
    for one in found:
        said = one.levels
        main = [said.standard_errors[part] for part in PARTS[:3]]
        rest = sum((said.standard_errors[part] or 0.0) ** 2 for part in PARTS[3:]) ** 0.5
        lines.append(
            [
                one.row.name,
                *(f"{said.sizes[name]:,}" for name in ("seed", "mask", "image")),
                f"{100 * said.mean:.2f}",
                f"{100 * said.standard_error:.2f}",
                *(MISSING if part is None else f"{100 * part:.2f}" for part in main),
                f"{100 * rest:.2f}",
                _level(said.enlarge, picture) or MISSING,
            ]
        )
    return lines


def sentence(one: Found, picture: Levels) -> str:
    """A row's line of the table in words."""
    head, line = table([one], picture)
    cells = dict(zip(head, line, strict=True))
    parts = [f"{cells[name]} {name}" for name in head[6:-1] if cells[name] != MISSING]
    text = (
        f"{line[0]}: {cells['mean (%)']} %, standard error {cells['standard error (points)']} "
        f"points ({', '.join(parts)})"
    )
    return text + (f"; more {cells['enlarge']} would help most" if one.levels.enlarge else "")


def caption(found: Sequence[Found], picture: Levels) -> str:
    """What the table says."""
    at = f"{picture.x_title[:1].lower()}{picture.x_title[1:]} {picture.at:g}"
    text = f"At {at}{' ' + picture.x_unit if picture.x_unit else ''}"
    if not found:
        return f"{text}: no result yet."
    return (
        f"{text}: the standard error of the mean over new seeds, {picture.draws} and images, what "
        "each level adds to it (their squares add up), and of which level more would help most. "
        "With one seed nothing is known of others: what they would add is missing."
    )


def _level(name: str | None, picture: Levels) -> str:
    return {"seed": "seeds", "mask": picture.draws, "image": "images"}.get(name or "", "")


def _percent(value: float | None) -> Any:
    return None if value is None else 100 * value
