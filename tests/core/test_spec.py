from __future__ import annotations

import dataclasses
import importlib
import json
import math
from dataclasses import field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import run_id
from ftnoise.core.spec import CODE, Spec, canonical, digest, snake_case, spec_id
from tests.core.made import RUN, SCHEDULE, Noise, Pixels

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def later_version(revision: int = 1, **new: Any) -> Spec:
    """`Noise` as a later version of the code may have it."""
    added = [(name, type(value), field(default=value, kw_only=True)) for name, value in new.items()]
    changed = dataclasses.make_dataclass(
        "Noise", added, bases=(Noise,), frozen=True, namespace={"revision": revision}
    )
    return changed()


def test_the_canonical_form_names_the_class_its_revision_and_what_differs_from_the_defaults():
    plain = canonical(Noise())
    assert plain == {"class": "Noise", "revision": 1, CODE: plain[CODE]}
    inner = plain | {"sizes": [1, 2.5]}
    changed = Noise(scale=0.5, inner=Noise(sizes=(1, 2.5)))
    assert canonical(changed) == plain | {"scale": 0.5, "inner": inner}


CLASS = """
from dataclasses import dataclass
from ftnoise.core.spec import Spec

@dataclass(frozen=True, kw_only=True)
class Own(Spec):
    limit: float = 0.01

    def share(self, x):
        return x * self.limit
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("    limit", "    # A comment.\n\n    limit", True),
        ("x):", 'x):\n        """A docstring."""', True),
        ("        return x * self.limit", "        return (x  *  self.limit)", True),
        ("from dataclasses", "import os\nfrom dataclasses", True),
        ("0.01", "0.02", False),
        ("x * self", "2 * x * self", False),
    ],
)
def test_a_class_outside_the_package_is_identified_by_its_code(
    tmp_path, monkeypatch, old, new, same
):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for text in (CLASS, CLASS.replace(old, new)):
        assert text != CLASS or not found
        name = f"own_{digest(text)[:8]}_{len(found)}"
        (tmp_path / f"{name}.py").write_text(text)
        found.append(canonical(importlib.import_module(name).Own()))
    assert (found[0] == found[1]) == same
    assert CODE not in canonical(SCHEDULE)


def test_a_required_field_is_always_written():
    assert canonical(SCHEDULE) == {
        "class": "Schedule",
        "revision": 1,
        "epochs": 100,
        "batch_size": 128,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "drops": [55, 75, 90],
    }


def test_everything_writes_defaults_but_no_places():
    assert canonical(Pixels(), everything=True) == canonical(Pixels()) | {"draw": 0}
    assert "folder" not in canonical(Pixels(), everything=True)
    assert canonical(RUN, everything=True)["schedule"]["drop_factor"] == 0.1


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_is_written_the_same_as_integer_and_as_float(number):
    assert json.dumps(canonical(float(number))) == json.dumps(canonical(number))
    assert spec_id(Noise(scale=float(number))) == spec_id(Noise(scale=number))


@given(FINITE, FINITE)
def test_two_numbers_have_one_id_exactly_if_they_are_equal(one, other):
    assert (digest(canonical(one)) == digest(canonical(other))) == (one == other)


@given(FINITE)
def test_a_canonical_number_keeps_its_value(number):
    assert json.loads(json.dumps(canonical(number))) == number


def test_a_new_field_with_a_default_orphans_nothing():
    grown = later_version(extra=3, other=(1, 2))
    assert {f.name for f in dataclasses.fields(grown)} > {f.name for f in dataclasses.fields(Noise)}
    assert spec_id(grown) == spec_id(Noise())


def test_a_new_field_that_is_set_makes_another_id():
    grown = dataclasses.replace(later_version(extra=3), extra=4)
    assert spec_id(grown) != spec_id(Noise())


def test_a_higher_revision_makes_another_id_with_the_same_slug():
    revised = later_version(revision=2)
    assert spec_id(revised) != spec_id(Noise())
    assert revised.slug == Noise().slug


def test_where_something_lies_is_no_part_of_what_it_is():
    there = Pixels(folder="there")
    assert there != Pixels()
    assert spec_id(there) == spec_id(Pixels())
    assert run_id(dataclasses.replace(RUN, data=there), "d") == run_id(RUN, "d")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_has_no_identity(value):
    with pytest.raises(BadInput, match="finite"):
        spec_id(Noise(scale=value))


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {1}, object(), b"bytes", 1j])
def test_a_field_that_cannot_be_written_as_it_is_has_no_identity(value):
    with pytest.raises(BadInput, match="number, string, tuple or spec"):
        spec_id(Noise(inner=value))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("FashionMNIST", "fashion_mnist"),
        ("FmnistCNN2", "fmnist_cnn2"),
        ("Cifar10CNN", "cifar10_cnn"),
        ("TRADES", "trades"),
        ("L2", "l2"),
        ("ParameterSpread", "parameter_spread"),
    ],
)
def test_a_slug_is_the_class_name_in_snake_case(name, slug):
    assert snake_case(name) == slug
