"""Stored results beside the paper's: on screen, in documents, as data, in pictures.

A report is a pure function of a `Results` value: the same stored numbers give the same bytes, and
nothing is trained or read here. Nothing heavy is imported before something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftnoise.report.documents import latex, markdown
from ftnoise.report.drawing import picture
from ftnoise.report.pictures import plot
from ftnoise.report.records import cells, csv
from ftnoise.report.results import Reading, Results
from ftnoise.report.screen import terminal

__all__ = [
    "Reading",
    "Results",
    "cells",
    "csv",
    "latex",
    "markdown",
    "picture",
    "plot",
    "terminal",
    "write",
]


def write(results: Results, folder: Path, save: Callable[[Path, bytes], None]) -> list[Path]:
    """Writes `<experiment>.<preset>` as .csv, .md, .tex, .png and .pdf; returns the paths.

    The experiment's `pictures` follow, each as `<experiment>.<preset>.<its name>`; see `plot`.
    Everything is drawn before the first file is saved, so that a failure leaves the old files.

    Args:
        results: what is stored.
        folder: where the files go.
        save: writes bytes to a path, whole or not at all.
    """
    contents = {
        "csv": csv(results).encode(),
        "md": markdown(results).encode(),
        "tex": latex(results).encode(),
        **picture(results),
    }
    for one in results.experiment.figures:
        for suffix, content in plot(results, one).items():
            contents[f"{one.name}.{suffix}"] = content
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{results.stem}.{suffix}"
        save(path, content)
        paths.append(path)
    return paths
