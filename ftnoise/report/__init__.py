"""Stored results beside the paper's: on screen, in documents, as data, in pictures.

A report is a pure function of a `Results` value: the same stored numbers give the same bytes, and
nothing is trained or read here. Nothing heavy is imported before something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftnoise.report.curves import plot
from ftnoise.report.documents import latex, markdown
from ftnoise.report.drawing import picture
from ftnoise.report.records import cells, csv
from ftnoise.report.results import Results
from ftnoise.report.screen import terminal

__all__ = [
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

    The experiment's `curves` follow, each as `<experiment>.<preset>.<its name>` .png and .pdf.
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
    for curves in results.experiment.curves:
        for suffix, content in plot(results, curves).items():
            contents[f"{curves.name}.{suffix}"] = content
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{results.stem}.{suffix}"
        save(path, content)
        paths.append(path)
    return paths
