"""What an answer says to a reader and to a program."""

from __future__ import annotations

import json

import pytest

from ftnoise.campaigns.injection import Injection
from ftnoise.core.errors import BadInput
from ftnoise.faults.fault import parse
from ftnoise.stats.bounded import SEQUENCE
from ftnoise.stats.interval import STUDENT
from tests.campaigns.made import injection, line

SEQUENTIAL = {"method": SEQUENCE}


def said(found: Injection) -> dict[str, str]:
    """The summaries of the text by their labels."""
    rows = [row.split("  ") for row in str(found).splitlines() if "  " in row]
    return {row[0]: row[-1].strip() for row in rows if row[0] not in ("", "faults")}


def test_the_text():
    text = str(injection()).splitlines()
    assert text[0] == "own, weights stuck at 0: 40 places, 1,000 examples, seed 0."
    assert text[2].split() == [
        *("faults", "places", "masks", "accuracy", "%", "sd", "95", "%", "interval"),
        *("for", "any", "law", "silent", "%", "distance"),
    ]
    assert text[4].split() == ["none", "0", "90.00"]
    assert text[5].split() == [
        "25",
        "%",
        "10",
        "100",
        "80.00",
        "5.00",
        "79.00",
        "to",
        "81.00",
        "75.00",
        "to",
        "85.00",
        "12.50",
        "1.25",
    ]
    assert {len(row.rstrip()) for row in text[5:7]} == {len(text[3])}


def test_summaries_are_what_an_engineer_would_write():
    assert said(injection()) == {
        "Mean accuracy from no faults to 50 % (area under the curve)": "84.50 %",
        "Share of faulty places at which 1 point of accuracy is lost": (
            "2.50 %, below the lowest tested"
        ),
        "Share of faulty places at which 5 points of accuracy are lost": "not up to 50 %",
        "Largest tested share that costs less than 1 point, with 95 % confidence": "none of them",
        "Largest tested share that costs less than 5 points, with 95 % confidence": "25 %",
    }


def test_without_summaries_there_is_no_empty_paragraph():
    assert "\n\n\n" not in str(injection(summaries={}))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (STUDENT, "a number of masks that was fixed beforehand"),
        (SEQUENCE, "holds whenever one stops (and is 2 to 20 times as wide as"),
    ],
)
def test_the_text_says_which_interval_it_is(method, words):
    text = str(injection(lines=(line(method=method),)))
    (found,) = [row for row in text.splitlines() if row.startswith("Intervals of the mean")]
    assert method in found
    assert words in found


def test_the_text_says_where_the_uncertainty_comes_from():
    assert (
        "Standard error at 50 %: 0.50 points of the masks, 1.25 of the examples, which no interval "
        "here counts; more examples would help most."
    ) in str(injection()).splitlines()
    unknown = line(mask_error=None, example_error=None, enlarge=None)
    assert "Standard error" not in str(injection(lines=(unknown,)))


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"lines": (line(), line())}, None),
        (
            {"lines": (line(amount="1 %", unclear=True), line())},
            "The interval is wider than the drop at 1 %: draw more masks.",
        ),
        (
            {
                "lines": (line(unclear=True, **SEQUENTIAL), line(**SEQUENTIAL)),
                "half_width": 2.0,
                "reached": (True, True),
            },
            "The interval is wider than the drop at 50 %: draw more masks, "
            "by a smaller half-width.",
        ),
        (
            {
                "lines": (line(amount="1 %", **SEQUENTIAL), line(masks=30, **SEQUENTIAL)),
                "half_width": 1.0,
                "reached": (True, False),
            },
            "The half-width of 1 point was not reached at 50 % (30 masks): allow more masks.",
        ),
    ],
)
def test_warnings(changes, warning):
    found = injection(**changes)
    assert found.warnings == ([] if warning is None else [warning])
    assert found.to_json()["warnings"] == found.warnings
    assert ("WARNING: " in str(found)) == (warning is not None)
    assert str(found).endswith(warning or "(0123456789ab).")


def test_a_share_that_rounds_to_no_place_is_said():
    found = injection(lines=(line(amount="0.1 %", share=0.001, faults=0.0), line()))
    assert found.warnings == ["No place was hit at 0.1 %, of 40 places: ask for more faults."]
    assert injection(lines=(line(amount="0 %", share=0.0, faults=0.0), line())).warnings == []


def test_outputs_that_are_not_finite_are_said():
    found = injection(lines=(line(not_finite=2.5), line(amount="75 %", not_finite=1000.0)))
    assert (
        "Outputs that are not finite, which no distance counts, of 1,000 examples on average over "
        "masks: 2.5 at 50 %, 1,000.0 at 75 %."
    ) in str(found).splitlines()
    assert "not finite" not in str(injection())
    assert "not finite" in str(injection(lines=(line(distance_mean=None),)))


def test_the_words_of_the_field_stand_in_the_text():
    assert "Places: the fault sites. Silent %: " in str(injection())
    assert "(the SDC rate)" in str(injection())


def test_a_half_width_that_was_reached_is_said():
    words = "The half-width of 0.5 points was reached at every amount."
    assert words in str(injection(half_width=0.5, reached=(True, True)))
    assert words not in str(injection(half_width=0.5, reached=(True, False)))


@pytest.mark.parametrize(
    "found",
    [
        injection(),
        injection(half_width=1.5, reached=(True, False), summaries={}),
        injection(lines=(line(share=None, spread=None, distance_mean=None),)),
        *(
            injection(fault=parse(text))
            for text in (
                "neurons@dense,2:bit_flip:n=3:transient",
                "parameters:random_value=-2..0.5:p=0.25",
                "biases:drift=0.1:1",
                "filters:sign_flip:50%",
            )
        ),
    ],
)
def test_json_and_back(found):
    form = json.loads(json.dumps(found.to_json(), allow_nan=False))
    again = Injection.from_json({**form, "another": 1})
    assert again == found
    assert str(again) == str(found)
    assert again.to_json() == form


@pytest.mark.parametrize(
    "change",
    [
        lambda form: form.pop("lines"),
        lambda form: form["lines"][0].pop("low"),
        lambda form: form["fault"].update({"class": "Fall"}),
        lambda form: form["fault"]["where"].update(revision=99),
        lambda form: form.update(lines=3),
    ],
)
def test_other_json_is_refused(change):
    form = json.loads(json.dumps(injection().to_json()))
    change(form)
    with pytest.raises(BadInput, match=r"Expected .*Received"):
        Injection.from_json(form)
