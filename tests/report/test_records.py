"""The data frame and the CSV file: every cell once, the same bytes from the same numbers."""

from __future__ import annotations

import io

import pandas
import pytest

from ftnoise import report

HEADER = "experiment,preset,row,measure,unit,paper,ours,spread,low,high,seeds,difference"


def test_one_line_for_each_cell_in_the_order_of_the_table(results):
    frame = report.cells(results)
    assert ",".join(frame.columns) == HEADER
    assert list(zip(frame.row, frame.measure, strict=True)) == [
        (row.name, column.name)
        for row in results.experiment.rows
        for column in results.experiment.columns
    ]


def test_numbers_of_a_cell(results):
    line = report.cells(results).iloc[0]
    texts = ["table0", "quick", "dnn natural", "accuracy", "%"]
    assert list(line[:5]) == texts
    # t of 2 degrees of freedom is 4.302653; the standard deviation of 98.9, 99.0, 99.1 is 0.1.
    half = 4.302653 * 0.1 / 3**0.5
    numbers = [98.83, 99.0, 0.1, 99.0 - half, 99.0 + half, 3, 0.17]
    assert list(line[5:]) == pytest.approx(numbers, rel=1e-6)


def test_missing_cells_are_nan_with_no_seeds(results):
    line = report.cells(results).set_index(["row", "measure"]).loc["cnn tikhonov", "error"]
    assert line.paper == 4.90
    assert line.seeds == 0
    assert line[["ours", "spread", "low", "high", "difference"]].isna().all()


def test_a_table_without_numbers_keeps_the_types(make_results):
    frame = report.cells(make_results(paper={"a": {}}, ours={}))
    numbers = ["paper", "ours", "spread", "low", "high", "difference"]
    assert (frame[numbers].dtypes == "float64").all()
    assert frame.seeds.dtype == "int64"


def test_csv_to_the_letter(make_results):
    ours = {"b, c": {"accuracy": [0.1 + 0.2], "spread": [1e-7]}}
    text = report.csv(make_results(paper={"a": {}, "b, c": {"accuracy": 0.3}}, ours=ours))
    assert text == (
        f"{HEADER}\n"
        "table0,quick,a,accuracy,%,,,,,,0,\n"
        "table0,quick,a,error,points,,,,,,0,\n"
        "table0,quick,a,spread,,,,,,,0,\n"
        'table0,quick,"b, c",accuracy,%,0.3,0.3,,,,1,0\n'
        'table0,quick,"b, c",error,points,,,,,,0,\n'
        'table0,quick,"b, c",spread,,,1e-07,,,,1,\n'
    )


def test_csv_reads_back_as_the_cells(results):
    frame = report.cells(results)
    read = pandas.read_csv(io.StringIO(report.csv(results)), keep_default_na=True)
    read["unit"] = read["unit"].fillna("")
    pandas.testing.assert_frame_equal(read, frame, check_dtype=False, rtol=1e-9)
