"""Every member is a spec as it should be: frozen, checked, with a form of its own."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
import types
import typing
from typing import Any

import pytest

from ftnoise.architectures import FmnistDNN
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import run_id
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import PRESETS
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import canonical, digest, spec_id
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.measures.generalization import Generalization
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from tests.members import (
    ALL,
    KINDS,
    MEMBERS,
    NO_KIND,
    RUN,
    each_member,
    each_spec,
    examples,
    kinds,
)


def test_the_scan_finds_members_of_the_kinds_that_there_are():
    found = {name for cls in MEMBERS for name in kinds(cls)}
    missing = KINDS.keys() - found
    assert not missing, f"the scan finds no member of the kinds {sorted(missing)}"
    assert {Run, Schedule, Training, FmnistDNN, TRADES, NpzFile, Generalization} <= set(MEMBERS)


def test_names_of_classes_are_unique_since_identity_rests_on_them():
    names = [cls.__name__ for cls in MEMBERS]
    assert sorted(set(names)) == sorted(names)


@each_member
def test_there_is_an_example_of_each_member(cls):
    assert examples(cls), (
        f"{cls.__module__}.{cls.__name__} cannot be made without arguments: add a line "
        f"`{cls.__name__}: ({cls.__name__}(...),)` to EXAMPLES in tests/members.py"
    )
    assert all(type(spec) is cls for spec in examples(cls))


@each_member
def test_a_member_is_of_one_kind(cls):
    assert len(kinds(cls)) == 1 or (kinds(cls) == [] and cls in NO_KIND), (
        f"{cls.__name__} is a {kinds(cls) or 'member of no kind'}: see KINDS in tests/members.py"
    )


@each_member
def test_a_member_is_a_frozen_dataclass_whose_fields_are_all_named(cls):
    assert "__dataclass_params__" in vars(cls), f"{cls.__name__} lacks its @dataclass line"
    assert vars(cls)["__dataclass_params__"].frozen
    assert all(f.kw_only for f in dataclasses.fields(cls))
    assert isinstance(cls.revision, int)
    assert cls.revision >= 1


@each_member
def test_a_member_says_what_it_is(cls):
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}("), f"{cls.__name__} has no docstring"
    for name, method in vars(cls).items():
        if isinstance(method, types.FunctionType) and not name.startswith("_"):
            assert any(getattr(base, name, None).__doc__ for base in cls.__mro__[:-1]), (
                f"{cls.__name__}.{name} has no docstring"
            )
    assert importlib.import_module(cls.__module__).__doc__


@each_spec
def test_equal_values_are_equal_specs_with_equal_hashes(spec):
    copy = dataclasses.replace(spec)
    assert copy == spec
    assert hash(copy) == hash(spec)
    assert copy is not spec
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.revision = 2


def test_different_specs_are_different_and_have_different_forms():
    assert len(set(ALL)) == len(ALL)
    forms = [json.dumps(canonical(spec, everything=True)) for spec in ALL]
    assert len(set(forms)) == len(forms)


@each_spec
def test_a_spec_is_what_its_repr_says(spec):
    names = {cls.__name__: cls for cls in MEMBERS}
    assert eval(repr(spec), names) == spec
    assert "\n" not in repr(spec)


@each_spec
def test_a_spec_has_a_canonical_form_that_is_json(spec):
    for everything in (False, True):
        form = canonical(spec, everything=everything)
        assert json.loads(json.dumps(form, allow_nan=False)) == form
        assert form["class"] == type(spec).__name__
    assert digest(canonical(spec)) == digest(canonical(dataclasses.replace(spec)))


@each_spec
def test_a_slug_fits_in_a_file_name(spec):
    composed = isinstance(spec, Run | Training)
    assert re.fullmatch(r"[a-z0-9_+-]+" if composed else r"[a-z0-9_]+", spec.slug)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_+-]*", spec_id(spec))


@each_spec
def test_a_preset_gives_a_smaller_spec_of_the_same_class(spec):
    assert spec.scaled(PRESETS["paper"]) == spec
    for preset in PRESETS.values():
        assert type(spec.scaled(preset)) is type(spec)


@each_spec
def test_where_something_lies_is_no_part_of_its_form(spec):
    places = [f.name for f in dataclasses.fields(spec) if not f.metadata.get("identity", True)]
    for name in places:
        moved = dataclasses.replace(spec, **{name: "elsewhere/another.name"})
        assert canonical(moved) == canonical(spec)
        ids = {run_id(dataclasses.replace(RUN, data=data), "d") for data in (spec, moved)}
        assert len(ids) == 1


def bad_values(annotation: Any) -> list[Any]:
    """What a field of this type must not take: NaN and text for numbers, and so on."""
    if annotation in (int, float):
        return [math.nan, math.inf, "1", True]
    if annotation is bool:
        return ["yes", 2]
    if typing.get_origin(annotation) is tuple:
        return [5, *((bad,) * 2 for bad in bad_values(typing.get_args(annotation)[0]))]
    if isinstance(annotation, types.UnionType):
        inner = [bad_values(part) for part in typing.get_args(annotation) if part is not type(None)]
        return inner[0] if len(inner) == 1 else []
    return []


BAD = [
    pytest.param(spec, name, value, id=f"{cls.__name__}.{name}={value}")
    for cls in MEMBERS
    for spec in examples(cls)[:1]
    for name, annotation in typing.get_type_hints(cls).items()
    if name in {f.name for f in dataclasses.fields(cls)}
    for value in bad_values(annotation)
]


@pytest.mark.parametrize(("spec", "name", "value"), BAD)
def test_a_number_that_cannot_be_right_is_refused_in_one_line(spec, name, value):
    with pytest.raises(BadInput) as failure:
        dataclasses.replace(spec, **{name: value})
    line = str(failure.value)
    assert re.fullmatch(r"Expected .+\. Received: .+\.", line)
    assert f"{name}=" in line
