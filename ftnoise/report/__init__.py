"""Stored results next to the paper's: in a terminal, as Markdown, LaTeX, CSV and figures.

`results` reads stored runs; every form is a function of its result, so the same stored numbers
give the same bytes. Nothing heavy is imported before something is drawn.
"""

from __future__ import annotations

from pathlib import Path

from ftnoise.core.files import write_bytes
from ftnoise.core.interfaces import Figure
from ftnoise.report.figures import view
from ftnoise.report.latex import latex
from ftnoise.report.markdown import markdown
from ftnoise.report.results import Reading, Results, StoredRun, results
from ftnoise.report.table import csv_of
from ftnoise.report.terminal import terminal

__all__ = [
    "Reading",
    "Results",
    "StoredRun",
    "csv",
    "latex",
    "markdown",
    "picture",
    "plot",
    "results",
    "terminal",
    "write",
]

HEADER = (
    *("experiment", "preset", "row", "measure", "unit"),
    *("paper", "ours", "spread", "low", "high", "seeds", "difference"),
)


def write(results: Results, folder: Path) -> list[Path]:
    """Writes `<experiment>.<preset>` as .csv, .md, .tex, .png and .pdf; returns the paths.

    The files of the experiment's figures follow, `<experiment>.<preset>.<figure>`. Everything is
    drawn before the first file is written, so that a failure leaves the old files.
    """
    contents = {
        "csv": csv(results).encode(),
        "md": markdown(results).encode(),
        "tex": latex(results).encode(),
        **picture(results),
    }
    for figure in results.experiment.figures:
        for suffix, content in plot(results, figure).items():
            contents[f"{figure.name}.{suffix}"] = content
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{results.stem}.{suffix}"
        write_bytes(path, content)
        paths.append(path)
    return paths


def csv(results: Results) -> str:
    """A line for each row and column of the table, missing ones too."""
    lines = []
    for row, column in results.cells():
        cell = results.cell(row, column)
        where = (results.experiment.name, results.preset, row.name, column.name, column.unit)
        ours = cell.ours
        numbers = (ours.mean, ours.spread, ours.low, ours.high) if ours else (None,) * 4
        seeds = ours.count if ours else 0
        lines.append((*where, cell.paper, *numbers, seeds, cell.difference))
    return csv_of(HEADER, lines).decode()


def picture(results: Results) -> dict[str, bytes]:
    """The table as an image: the contents of the files by suffix, `png` and `pdf`."""
    from ftnoise.report.figures.canvas import rendered
    from ftnoise.report.figures.columns import overview

    return rendered(lambda canvas: overview(canvas, results))


def plot(results: Results, figure: Figure) -> dict[str, bytes]:
    """One of the experiment's figures: the contents of its files by suffix."""
    from ftnoise.report.figures.canvas import rendered

    shown = view(results, figure)
    if shown is None:
        return {}
    files = rendered(shown.draw) if shown.draw else {}
    if shown.header:
        where = (results.experiment.name, results.preset)
        lines = ((*where, *line) for line in shown.lines)
        files["csv"] = csv_of(("experiment", "preset", *shown.header), lines)
    return files
