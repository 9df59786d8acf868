"""The files of a report, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ftnoise import report
from ftnoise.core.figures import Curves

SUFFIXES = ["csv", "md", "tex", "png", "pdf"]


def test_writes_all_forms(results, tmp_path):
    paths = report.write(results, tmp_path, Path.write_bytes)
    assert paths == [tmp_path / f"table0.quick.{suffix}" for suffix in SUFFIXES]
    contents = dict(zip(SUFFIXES, [path.read_bytes() for path in paths], strict=True))
    assert contents["csv"].decode() == report.csv(results)
    assert contents["md"].decode() == report.markdown(results)
    assert contents["tex"].decode() == report.latex(results)
    assert contents["png"].startswith(b"\x89PNG")
    assert contents["pdf"].startswith(b"%PDF")


def test_writes_curves_after_them(make_results, tmp_path):
    curves = [
        Curves(name=name, title="E", x="error", panels=((name,),))
        for name in ("accuracy", "spread")
    ]
    results = make_results(figures=tuple(curves))
    paths = report.write(results, tmp_path, Path.write_bytes)[len(SUFFIXES) :]
    assert [path.name for path in paths] == [
        f"table0.quick.{curve.name}.{suffix}" for curve in curves for suffix in ("png", "pdf")
    ]
    for curve in curves:
        png, pdf = (path.read_bytes() for path in paths if f".{curve.name}." in path.name)
        assert {"png": png, "pdf": pdf} == report.plot(results, curve)


def test_saves_nothing_where_a_form_fails(results, tmp_path, monkeypatch):
    def fail(results):
        raise RuntimeError("no picture")

    monkeypatch.setattr(report, "picture", fail)
    with pytest.raises(RuntimeError, match="no picture"):
        report.write(results, tmp_path, Path.write_bytes)
    assert list(tmp_path.iterdir()) == []


def test_importing_it_imports_nothing_heavy():
    heavy = {"tensorflow", "numpy", "pandas", "matplotlib", "scipy", "rich"}
    code = f"import sys, ftnoise.report, ftnoise.stats; print(sorted({heavy} & set(sys.modules)))"
    root = Path(report.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
