"""Tables made of a measure's arrays: rows on the same draws, and where uncertainty comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, is_count
from ftnoise.core.figures.arrays import ArrayFigure
from ftnoise.core.spec import JSON


@dataclass(frozen=True, kw_only=True)
class Pairs(ArrayFigure):
    """Rows compared pair by pair on the same draws: a table instead of a picture.

    For every pair of rows of a group, at each x: the mean over draws of the first row's value minus
    the second's, which is first averaged over the seeds that both rows have, its 95 % t interval,
    and the p-value of a two-sided paired t test, corrected by Holm's method for all comparisons of
    the table. What is tested are these trained networks: the spread over draws says nothing of
    other trainings.

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayFigure`.
        values: the name of an array [x, draws], of at least two draws, which are the same in all
            rows; an x with a value that is not finite is left out. No x comes twice.
        value_title, value_unit: what the values are, and "%" or the like.
        draws: what is drawn, in the plural.
        digits: of differences, after the point.
        alone: each row stands by itself too, with its mean over draws and the interval.
    """

    values: str
    value_title: str
    value_unit: str = ""
    rows: tuple[str, ...] = ()
    draws: str = "draws"
    digits: int = 2
    alone: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.rows, tuple) and all(isinstance(row, str) for row in self.rows),
            f"rows of {self.name} to be names",
            rows=self.rows,
        )
        expect(is_count(self.digits, least=0), "digits >= 0", digits=self.digits)

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.values)

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        expect(len(rows) > 1, f"at least two rows of the table for {self.name}", rows=rows)
        unknown = [
            one for one in self.rows if not any(f" {row}".endswith(f" {one}") for row in rows)
        ]
        expect(not unknown, f"rows of the table for {self.name}", rows=unknown)

    def check_found(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> None:
        super().check_found(arrays, info)
        x = arrays[self.x].tolist()
        expect(len(set(x)) == len(x), f"different {self.x} for {self.name}", x=x)

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [super().same(arrays, info), list(arrays[self.values].shape)]

    @property
    def _expected(self) -> str:
        return "x [x] and values [x, draws], of at least two draws,"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, values = shapes[self.x], shapes[self.values]
        return len(x) == 1 and len(values) == 2 and values[:1] == x and values[1] > 1


@dataclass(frozen=True, kw_only=True)
class Levels(ArrayFigure):
    """Where the uncertainty of a share comes from: seeds, draws or images; a table.

    For each row, at one x: the standard error of the mean over its seeds, all draws and all images,
    what each of these levels adds to it, and of which more would help most (`stats/levels.py`).

    Args:
        name, title, measure, x, x_title, x_unit: see `ArrayFigure`.
        at: the x.
        bits: the name of a uint8 array [x, draws, images / 8], as `numpy.packbits` packs bits along
            the last axis; all seeds of a row have the same draws.
        images: the name of the number of images in the `info` of what the measure found.
        draws: what is drawn, in the plural.
    """

    at: float
    bits: str
    images: str
    draws: str = "draws"

    @property
    def arrays(self) -> tuple[str, ...]:
        return (self.x, self.bits)

    def is_in(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> bool:
        return super().is_in(arrays, info) and is_count(info.get(self.images))

    def same(self, arrays: Mapping[str, Any], info: Mapping[str, JSON]) -> JSON:
        return [super().same(arrays, info), list(arrays[self.bits].shape), info[self.images]]

    @property
    def _expected(self) -> str:
        return "x [x] and bits [x, draws, images / 8]"

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        x, bits = shapes[self.x], shapes[self.bits]
        return len(x) == 1 and len(bits) == 3 and bits[:1] == x
