"""Committed reports are drawn from the committed runs; the numbers of the paper's figures."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from ftnoise import report
from ftnoise.report.figures import canvas
from ftnoise.store.folders import Store
from ftnoise.store.lookup import runs_of
from ftnoise.user.catalog import experiment
from ftnoise.user.reproduce import REFERENCES

PUBLISHED = sorted(path.name.split(".")[:2] for path in REFERENCES.glob("*.*.md"))


def drawn(draw, title=""):
    """Draws, and leaves out the files, which have other bytes on another machine."""
    draw(Figure())
    return {"png": b"", "pdf": b""}


@pytest.mark.parametrize(("name", "preset"), PUBLISHED, ids=map(".".join, PUBLISHED))
def test_tables_and_data_are_those_of_the_committed_runs(name, preset, tmp_path, monkeypatch):
    monkeypatch.setattr(canvas, "rendered", drawn)
    own, draws = re.fullmatch(r"(\w+)(?:-(\d+)-data-seeds)?", preset).groups()
    chosen = experiment(name).preset(own).with_data_seeds(int(draws or 1))
    table = experiment(name).scaled(chosen)
    # Other draws are trained with one seed each.
    runs = runs_of(table, 1 if draws else None, Store(REFERENCES))
    results = report.results(table, chosen, runs)
    written = {path.name: path for path in report.write(results, tmp_path)}
    committed = {path.name for path in REFERENCES.glob(f"{name}.{preset}.*")}
    assert written.keys() == committed
    for file, path in written.items():
        if path.suffix not in (".png", ".pdf"):
            assert path.read_bytes() == (REFERENCES / file).read_bytes(), file


@pytest.mark.parametrize(
    ("name", "column", "paper"),
    [
        ("figure2", "parameter_std", {"tikhonov": 0.023772, "trades": 0.17901}),
        ("figure2", "parameter_spread_eq10", {"tikhonov": 0.023772, "trades": 0.17901}),
        ("figure3", "drop_from_50_to_90", {"tikhonov": 1.14, "trades": 26.93}),
    ],
)
def test_the_numbers_of_the_papers_figures(name, column, paper):
    for row in experiment(name).rows:
        known = paper.get(row.name.split()[-1])
        assert row.paper.get(column) == known, row.name
