"""All files of a report: names, bytes, what is imported, and how a new kind of figure joins."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftnoise import report
from ftnoise.core.figures import Curves
from ftnoise.core.interfaces import Figure
from ftnoise.report.table import Section
from tests.report.conftest import make, plot

SUFFIXES = ["md", "html", "tex", "csv", "png", "pdf"]
HEADER = "experiment,preset,row,measure,unit,paper,ours,spread,low,high,seeds,difference"
CURVES = Curves(name="curve", title="E", x="error", panels=(("accuracy",),))


def test_writes_all_forms_and_then_the_figures(tmp_path):
    results = make(figures=(CURVES,))
    paths = report.write(results, tmp_path)
    names = [*SUFFIXES, "curve.png", "curve.pdf"]
    assert paths == [tmp_path / f"table0.quick.{name}" for name in names]
    contents = dict(zip(names, [path.read_bytes() for path in paths], strict=True))
    assert contents["csv"].decode() == report.csv(results)
    assert contents["md"].decode() == report.markdown(results)
    assert contents["tex"].decode() == report.latex(results)
    assert contents["png"].startswith(b"\x89PNG")
    assert contents["pdf"].startswith(b"%PDF")
    assert {"png": contents["curve.png"], "pdf": contents["curve.pdf"]} == plot(results)


def test_writes_nothing_where_a_form_fails(results, tmp_path, monkeypatch):
    def fail(results, section):
        raise RuntimeError("no picture")

    monkeypatch.setattr(report, "files", fail)
    with pytest.raises(RuntimeError, match="no picture"):
        report.write(results, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_csv_to_the_letter():
    ours = {"b, c": {"accuracy": [0.1 + 0.2], "spread": [1e-7]}, "d": {"error": [1.0, 3.0]}}
    paper = {"a": {}, "b, c": {"accuracy": 0.3}, "d": {"error": 1.5}}
    lines = report.csv(make(paper=paper, ours=ours)).splitlines()
    assert lines == [
        HEADER,
        "table0,quick,a,accuracy,%,,,,,,0,",
        "table0,quick,a,error,points,,,,,,0,",
        "table0,quick,a,spread,,,,,,,0,",
        'table0,quick,"b, c",accuracy,%,0.3,0.3,,,,1,0',
        'table0,quick,"b, c",error,points,,,,,,0,',
        'table0,quick,"b, c",spread,,,1e-07,,,,1,',
        "table0,quick,d,accuracy,%,,,,,,0,",
        # t of 1 degree of freedom is 12.7062; the standard deviation of 1 and 3 is sqrt(2).
        "table0,quick,d,error,points,1.5,2,1.414213562,-10.70620474,14.70620474,2,0.5",
        "table0,quick,d,spread,,,,,,,0,",
    ]


def test_importing_it_imports_nothing_heavy():
    heavy = {"tensorflow", "numpy", "pandas", "matplotlib", "scipy"}
    code = f"import sys, ftnoise.report, ftnoise.stats; print(sorted({heavy} & set(sys.modules)))"
    root = Path(report.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_new_kind_of_figure_is_a_module_of_its_name(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class MyKind(Figure):
        pass

    def my_kind(results, figure):
        return Section(
            text=figure.title, header=("row",), lines=[(row.name,) for *_, row in results.rows]
        )

    module = types.ModuleType("my_kind")
    module.my_kind = my_kind
    monkeypatch.setitem(sys.modules, "ftnoise.report.figures.my_kind", module)
    figure = MyKind(name="mine", title="My figure")
    made = make(figures=(figure,))
    assert "## My figure\n\nMy figure\n" in report.markdown(made)
    assert plot(made)["csv"].startswith(b"experiment,preset,row\ntable0,quick,dnn ")
