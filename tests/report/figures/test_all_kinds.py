"""All drawings: nothing is covered or cut, and the bytes are the same each time."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from ftnoise import report
from ftnoise.report.figures.fault_curve import fault_curve
from tests.report.conftest import (
    check_layout,
    drawn,
    seen,
    shown,
)
from tests.report.figures.test_heat_map import FIRST, HEAT_MAP, INFO, cells, heat
from tests.report.figures.test_plane import PLANE, plane
from tests.report.figures.test_series import BAND, SERIES, found, series


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize(
    "name", ["{}", "net{} natural", "same natural with a long word about its weights {}"]
)
def test_nothing_overlaps_and_nothing_is_cut(count, name):
    names = [name.format(i) for i in range(count)]
    check_layout(series(SERIES, {name: [found(90, 80, 70)] for name in names}))
    check_layout(heat({name: [cells(np.array(FIRST).repeat(3, axis=1))] for name in names})[0])
    check_layout(drawn(seen(shown(PLANE, {name: [plane()] for name in names})).draw))


FIGURES = [(SERIES, found(1, 2, 3)), (HEAT_MAP, cells()), (PLANE, plane())]


@pytest.mark.parametrize(("figure", "arrays"), FIGURES, ids=lambda one: getattr(one, "name", ""))
def test_the_same_bytes_each_time_whatever_the_users_settings(figure, arrays):
    # Names are not taken for mathematics.
    made = shown(figure, {r"a_b $\nonsense{$": [arrays]}, INFO)
    first = report.plot(made, figure)
    assert [*first] == ["png", "pdf", "csv"]
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "image.cmap": "jet"}):
        assert report.plot(made, figure) == first
    assert b"CreationDate" not in first["pdf"]
    assert Image.open(io.BytesIO(first["png"])).width == 1400


@pytest.mark.parametrize("figure", [SERIES, HEAT_MAP, PLANE], ids=lambda figure: figure.name)
def test_nothing_stored_is_a_figure_and_a_header(figure):
    empty = shown(figure, {"natural": [], "trades": [{"rates": [0.0]}]})
    files = report.plot(empty, figure)
    assert files["png"].startswith(b"\x89PNG")
    assert files["csv"].count(b"\n") == 1
    assert "No result yet." in report.markdown(empty)


def test_a_fault_curve_begins_at_the_fault_free_accuracy():
    given = {"golden": 99.0, "x_title": "Faulty sites (%)", "band": BAND}
    first = fault_curve([20.0, 10.0, 0.0], [70, 90, 99], [66, 89, 99], [74, 91, 99], **given)
    assert first["pdf"].startswith(b"%PDF")
    assert Image.open(io.BytesIO(first["png"])).width == 1400
    # In any order, and with or without the point at 0.
    assert fault_curve([10.0, 20.0], [90, 70], [89, 66], [91, 74], **given) == first
    long = {**given, "x_title": "Faulty sites: neurons of " + ", ".join(["a_layer"] * 30)}
    assert fault_curve([1.0], [95.0], [94.0], [96.0], **long)["png"]
