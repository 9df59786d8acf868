"""What is committed is what the code draws of the committed runs; printed numbers of figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftnoise import report
from ftnoise.cli import main as cli
from ftnoise.core import preset as presets
from ftnoise.engine import stored
from ftnoise.store.folders import Store

REFERENCES = cli.REFERENCES
PUBLISHED = sorted(path.name.split(".")[:2] for path in REFERENCES.glob("*.*.md"))


@pytest.mark.parametrize(("name", "preset"), PUBLISHED, ids=map(".".join, PUBLISHED))
def test_tables_and_data_are_those_of_the_committed_runs(name, preset):
    chosen = presets.named(preset, cli.experiment(name))
    found = stored.results(chosen.of(cli.experiment(name)), chosen, None, Store(REFERENCES))
    stem = REFERENCES / f"{name}.{preset}"
    drawn = {
        ".md": report.markdown(found),
        ".tex": report.latex(found),
        ".csv": report.csv(found),
    }
    for suffix, text in drawn.items():
        assert Path(f"{stem}{suffix}").read_text() == text
    for picture in found.experiment.figures:
        assert Path(f"{stem}.{picture.name}.md").exists() is False
        data = Path(f"{stem}.{picture.name}.csv")
        if data.exists():
            # Pictures have other bytes on another machine; what they show has not.
            assert data.read_bytes() == report.plot(found, picture)["csv"]


def test_all_pictures_of_a_published_table_are_there():
    for name, preset in PUBLISHED:
        chosen = presets.named(preset, cli.experiment(name))
        for picture in chosen.of(cli.experiment(name)).pictures:
            assert list(REFERENCES.glob(f"{name}.{preset}.{picture.name}.*"))


@pytest.mark.parametrize(
    ("name", "column", "paper"),
    [
        ("figure2", "parameter_std", {"tikhonov": 0.023772, "trades": 0.17901}),
        ("figure2", "parameter_spread_eq10", {"tikhonov": 0.023772, "trades": 0.17901}),
        ("figure3", "drop_from_50_to_90", {"tikhonov": 1.14, "trades": 26.93}),
    ],
)
def test_the_numbers_of_the_papers_figures(name, column, paper):
    for row in cli.experiment(name).rows:
        known = paper.get(row.name.split()[-1])
        assert row.paper.get(column) == known, row.name
