"""Stored results next to the paper's: in a terminal, as Markdown, HTML, LaTeX, CSV and figures.

`results` reads stored runs; every form is a function of its result, so the same stored numbers
give the same bytes. Nothing heavy is imported before something is drawn.
"""

from __future__ import annotations

from pathlib import Path

from ftnoise.core.files import write_bytes
from ftnoise.report.html import html
from ftnoise.report.latex import latex
from ftnoise.report.markdown import markdown
from ftnoise.report.page import sections
from ftnoise.report.results import Reading, Results, StoredRun, results
from ftnoise.report.table import Section, csv_of
from ftnoise.report.terminal import terminal

__all__ = [
    "Reading",
    "Results",
    "StoredRun",
    "csv",
    "files",
    "html",
    "latex",
    "markdown",
    "results",
    "terminal",
    "write",
]


def write(results: Results, folder: Path) -> list[Path]:
    """Writes `<experiment>.<preset>` as .md, .html, .tex, .csv, .png, .pdf; returns the paths.

    The files of the experiment's figures follow, `<experiment>.<preset>.<figure>`. Everything is
    drawn before the first file is written, so that a failure leaves the old files.
    """
    stem = f"{results.experiment.name}.{results.preset}"
    forms = {"md": markdown, "html": html, "tex": latex}
    contents = {f"{stem}.{suffix}": form(results).encode() for suffix, form in forms.items()}
    for section in sections(results):
        for suffix, content in files(results, section).items():
            contents[f"{section.name}.{suffix}"] = content
    for name, content in contents.items():
        write_bytes(folder / name, content)
    return [folder / name for name in contents]


def csv(results: Results) -> str:
    """A line for each row and column of the table, missing ones too.

    The field `measure` holds the name of the column.
    """
    return files(results, sections(results)[0], draw=False)["csv"].decode()


def files(results: Results, section: Section, draw: bool = True) -> dict[str, bytes]:
    """The contents of a section's files by suffix: csv, png, pdf; without `draw` only the first."""
    from ftnoise.report.figures.canvas import rendered

    found = {}
    if section.header:
        where = (results.experiment.name, results.preset)
        lines = ((*where, *line) for line in section.lines)
        found["csv"] = csv_of(("experiment", "preset", *section.header), lines)
    return found | (rendered(section.draw, section.title) if draw and section.draw else {})
