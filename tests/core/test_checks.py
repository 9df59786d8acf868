from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core import checks
from ftnoise.core.checks import expect, is_count, is_name, is_number, several
from ftnoise.core.errors import BadInput

MANY = [f"name {n}" for n in range(30_000)]
NO_NUMBERS = (math.nan, math.inf, -math.inf, True, "1", None, 10**400)


def test_expect_gives_the_expectation_and_the_values_in_one_line():
    expect(True, "anything", scale=-1)
    with pytest.raises(BadInput) as failure:
        expect(False, "scale >= 0", scale=-1, text="two\nlines")
    assert str(failure.value) == "Expected scale >= 0. Received: scale=-1, text='two\\nlines'."
    assert isinstance(failure.value, ValueError)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**19, "1" + 19 * "0"),
        (10**30, "1.00e+30"),
        (-(10**30), "-1.00e+30"),
        (0.1, "0.1"),
        ("\x1b[31m", "'\\x1b[31m'"),
        (MANY, repr(MANY)[: checks.LONGEST] + "..."),
    ],
)
def test_a_value_is_shown_as_it_was_given_unless_that_is_long(value, shown):
    with pytest.raises(BadInput) as failure:
        expect(False, "another", x=value)
    assert str(failure.value) == f"Expected another. Received: x={shown}."


def test_listed_names_are_few():
    assert checks.listed([]) == "none"
    assert checks.listed(["b", "a"]) == "b, a"
    assert checks.listed(MANY).endswith(", name 9, and 29,990 more")
    assert checks.listed(["x" * 100]) == "x" * 60 + "..."


@pytest.mark.parametrize("value", ["", "a/b", Path("a")])
def test_paths(value):
    checks.path(x=value)


@pytest.mark.parametrize("value", [None, 5, b"a", ["a"], "a\0b"])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(BadInput, match="Expected x to be a path"):
        checks.path(x=value)


ACCEPTED = [
    (checks.positive, {}, (1, 1e-300, 3.5)),
    (checks.non_negative, {}, (0, 0.0, 2)),
    (checks.fraction, {}, (0, 0.5, 1)),
    (checks.fraction, {"zero": False, "one": False}, (1e-9, 0.5)),
    (checks.count, {}, (1, 7)),
    (checks.count, {"least": 0, "optional": True}, (0, None)),
    (checks.count, {"least": 2, "limit": 9}, (2, 9)),
    (checks.boolean, {}, (True, False)),
    (lambda **values: checks.instance(str, "a name", **values), {}, ("a",)),
    (lambda **values: checks.instance(str, "a name", optional=True, **values), {}, ("a", None)),
]
REFUSED = [
    (checks.positive, {}, (0, -1, *NO_NUMBERS), "x > 0"),
    (checks.non_negative, {}, (-1e-9, *NO_NUMBERS), "x >= 0"),
    (checks.fraction, {}, (-0.1, 1.1, *NO_NUMBERS), "x in [0, 1]"),
    (checks.fraction, {"zero": False}, (0,), "x in (0, 1]"),
    (checks.fraction, {"one": False}, (1,), "x in [0, 1)"),
    (checks.count, {}, (0, -1, 1.0, *NO_NUMBERS[:-1]), "x to be an integer >= 1"),
    (checks.count, {"least": 0}, (-1, None), "x to be an integer >= 0"),
    (checks.count, {"optional": True}, (0, "1"), "x to be an integer >= 1 or None"),
    (checks.count, {"limit": 1000}, (0, 1001, 10**30), "x to be an integer in 1 to 1,000"),
    (checks.boolean, {}, (0, 1, None, "True"), "x to be a bool"),
    (lambda **values: checks.instance(str, "a name", **values), {}, (1, None), "x to be a name"),
    (
        lambda **values: checks.instance(str, "a name", optional=True, **values),
        {},
        (1,),
        "x to be a name or None",
    ),
]


@pytest.mark.parametrize(("check", "options", "values"), ACCEPTED)
def test_values_that_fit_pass(check, options, values):
    for value in values:
        check(**options, x=value)


@pytest.mark.parametrize(("check", "options", "values", "expected"), REFUSED)
def test_values_that_do_not_fit_are_refused_under_their_name(check, options, values, expected):
    for value in values:
        with pytest.raises(BadInput) as failure:
            check(**options, x=value)
        assert str(failure.value) == f"Expected {expected}. Received: x={checks.shown(value)}."


def test_a_check_of_several_values_names_the_wrong_one():
    with pytest.raises(BadInput, match=r"Expected b > 0\. Received: b=0\."):
        checks.positive(a=1, b=0)


@pytest.mark.parametrize(
    ("value", "number", "count"),
    [(1, True, True), (0, True, False), (0.5, True, False), (1.0, True, False)]
    + [(value, False, False) for value in NO_NUMBERS[:-1]]
    + [(10**400, False, True)],
)
def test_is_number_and_is_count(value, number, count):
    assert (is_number(value), is_count(value)) == (number, count)


def test_is_name():
    assert all(map(is_name, ("a", "a_1", "abc")))
    assert not any(map(is_name, ("", "A", "1", "_a", "a b", "a.b", "ä", 3, None)))


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (0.5, (0.5,)),
        ("0.1", ("0.1",)),
        ((1, 2), (1, 2)),
        ([], ()),
        (np.array([0.5, 0.25]), (0.5, 0.25)),
        (np.float32(0.5), (0.5,)),
        ([np.float32(0.5), 1], (0.5, 1)),
    ],
)
def test_several_values_or_one(value, values):
    found = several(value)
    assert found == values
    assert {type(one) for one in found} <= {int, float, str}
