from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, Experiment, Row, run_id
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import Spec, canonical, digest, snake_case, spec_id

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True, kw_only=True)
class Noise(Spec):
    scale: float = 1.0
    sizes: tuple[float, ...] = ()
    inner: Any = None


@dataclass(frozen=True, kw_only=True)
class Pixels(Spec):
    train_size: ClassVar[int | None] = 1000

    folder: str = field(default="here", metadata={"identity": False})


@dataclass(frozen=True, kw_only=True)
class Unread(Spec):
    train_size: ClassVar[int | None] = None


SCHEDULE = Schedule(epochs=100, batch_size=128, learning_rate=0.1)
RUN = Run(architecture=Noise(), data=Pixels(), training=Noise(scale=2), schedule=SCHEDULE)


def later_version(revision: int = 1, **new: Any) -> Spec:
    """`Noise` as a later version of the code may have it."""
    added = [(name, type(value), field(default=value, kw_only=True)) for name, value in new.items()]
    changed = dataclasses.make_dataclass(
        "Noise", added, bases=(Noise,), frozen=True, namespace={"revision": revision}
    )
    return changed()


def test_the_canonical_form_names_the_class_its_revision_and_what_differs_from_the_defaults():
    assert canonical(Noise()) == {"class": "Noise", "revision": 1}
    assert canonical(Noise(scale=0.5, inner=Noise(sizes=(1, 2.5)))) == {
        "class": "Noise",
        "revision": 1,
        "scale": 0.5,
        "inner": {"class": "Noise", "revision": 1, "sizes": [1, 2.5]},
    }


def test_a_required_field_is_always_written():
    assert canonical(SCHEDULE) == {
        "class": "Schedule",
        "revision": 1,
        "epochs": 100,
        "batch_size": 128,
        "learning_rate": 0.1,
    }


def test_everything_writes_defaults_but_no_places():
    assert "folder" not in canonical(Pixels(), everything=True)
    assert canonical(RUN, everything=True)["schedule"]["momentum"] == 0


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
    assert run_id(dataclasses.replace(RUN, architecture=grown), "d") == run_id(RUN, "d")


def test_a_new_field_that_is_set_makes_another_id():
    grown = dataclasses.replace(later_version(extra=3), extra=4)
    assert spec_id(grown) != spec_id(Noise())


def test_a_higher_revision_makes_another_id_with_the_same_slug():
    revised = later_version(revision=2)
    assert spec_id(revised) != spec_id(Noise())
    assert revised.slug == Noise().slug
    assert run_id(dataclasses.replace(RUN, training=revised), "d") != run_id(RUN, "d")


def test_where_something_lies_is_no_part_of_what_it_is():
    there = Pixels(folder="there")
    assert there != Pixels()
    assert spec_id(there) == spec_id(Pixels())
    assert run_id(dataclasses.replace(RUN, data=there), "d") == run_id(RUN, "d")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"train_examples": 10},
        {"test_examples": 10},
        {"architecture": Noise(scale=3)},
        {"data": Unread()},
        {"training": Noise(scale=3)},
        {"schedule": dataclasses.replace(SCHEDULE, drops=(55,))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_run_changes_its_id(change):
    assert run_id(dataclasses.replace(RUN, **change), "d") != run_id(RUN, "d")


def test_the_content_of_the_data_is_part_of_a_runs_id():
    assert run_id(RUN, "a" * 64) != run_id(RUN, "b" * 64)


def test_ids_are_a_slug_and_a_hash_that_a_file_system_takes():
    assert re.fullmatch(r"noise-[0-9a-f]{8}", spec_id(Noise()))
    assert re.fullmatch(r"pixels-noise-noise-100e-s0-[0-9a-f]{10}", run_id(RUN, "d"))
    small = dataclasses.replace(RUN, train_examples=50, seed=3)
    assert run_id(small, "d").startswith("pixels-noise-noise-50x100e-s3-")


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


def test_expect_says_what_was_expected_and_received_in_one_line():
    expect(True, "anything", scale=-1)
    with pytest.raises(BadInput) as failure:
        expect(False, "scale >= 0", scale=-1, text="two\nlines")
    assert str(failure.value) == ("Expected scale >= 0. Received: scale=-1, text='two\\nlines'.")
    assert isinstance(failure.value, ValueError)


@pytest.mark.parametrize(
    ("value", "number", "count"),
    [
        (1, True, True),
        (0, True, False),
        (0.5, True, False),
        (1.0, True, False),
        (True, False, False),
        (math.nan, False, False),
        (math.inf, False, False),
        ("1", False, False),
        (None, False, False),
    ],
)
def test_is_number_and_is_count(value, number, count):
    assert (is_number(value), is_count(value)) == (number, count)


BAD = [
    *[(SCHEDULE, {"epochs": bad}) for bad in (0, -1, 1.0, True, "1", None)],
    *[(SCHEDULE, {"batch_size": bad}) for bad in (0, 2.5, "128")],
    *[(SCHEDULE, {"learning_rate": bad}) for bad in (0, -0.1, math.nan, math.inf, "0.1", True)],
    *[(SCHEDULE, {"momentum": bad}) for bad in (-0.1, 1, math.nan)],
    *[(SCHEDULE, {"drops": bad}) for bad in ([5], (0,), (9, 5), (2.5,), 5)],
    *[(SCHEDULE, {"drop_factor": bad}) for bad in (0, 1.1, math.nan)],
    *[
        (RUN, {name: bad})
        for name in ("architecture", "data", "training", "schedule")
        for bad in (None, "natural", Noise)
    ],
    *[(RUN, {"train_examples": bad}) for bad in (0, 1.5, True)],
    *[(RUN, {"test_examples": bad}) for bad in (0, -3, "all")],
    *[(RUN, {"seed": bad}) for bad in (-1, 0.0, True, None)],
]


@pytest.mark.parametrize(("spec", "change"), BAD, ids=str)
def test_a_spec_that_cannot_be_right_is_refused_in_one_line(spec, change):
    (name,) = change
    with pytest.raises(BadInput) as failure:
        dataclasses.replace(spec, **change)
    line = str(failure.value)
    assert re.fullmatch(r"Expected .*\. Received: .*\.", line)
    assert "\n" not in line
    assert f"{name}=" in line


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Schedule(100, 128, 0.1)


def test_the_last_batch_of_an_epoch_may_be_smaller():
    assert [SCHEDULE.steps_per_epoch(n) for n in (1, 128, 129, 60_000)] == [1, 1, 2, 469]


@pytest.mark.parametrize(
    ("drops", "epochs", "expected"),
    [
        ((55, 75, 90), 100, (55, 75, 90)),
        ((55, 75, 90), 200, (109, 149, 179)),
        ((51, 76), 20, (11, 16)),
        ((), 7, ()),
        ((1,), 10, (1,)),
    ],
)
def test_a_resized_schedule_keeps_the_places_of_its_drops(drops, epochs, expected):
    schedule = dataclasses.replace(SCHEDULE, drops=drops, momentum=0.9)
    assert schedule.resized(epochs) == dataclasses.replace(schedule, epochs=epochs, drops=expected)


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.lists(st.integers(1, 300), unique=True, max_size=5).map(sorted).map(tuple),
)
def test_any_schedule_can_be_resized(epochs, other, drops):
    schedule = dataclasses.replace(SCHEDULE, epochs=epochs, drops=drops)
    resized = schedule.resized(other)
    assert resized.epochs == other
    assert len(resized.drops) <= len(drops)
    assert schedule.resized(epochs) == schedule


@pytest.mark.parametrize(
    ("data", "taken", "examples", "steps"),
    [
        (Pixels(), None, 1000, 800),
        (Pixels(), 200, 200, 200),
        (Pixels(), 5000, 1000, 800),
        (Unread(), None, None, None),
        (Unread(), 200, 200, 200),
    ],
)
def test_examples_and_steps_of_a_run(data, taken, examples, steps):
    run = dataclasses.replace(RUN, data=data, train_examples=taken)
    assert (run.examples(), run.steps()) == (examples, steps)


ROW = Row(name="a", run=RUN, paper={"x": 1.0})
COLUMN = Column(name="x", measure=Noise(), title="X")


def changed(**changes: Any) -> Row:
    """A second row."""
    return Row(name="b", run=dataclasses.replace(RUN, **changes))


@pytest.mark.parametrize(
    ("rows", "columns", "names"),
    [
        ((), (COLUMN,), "rows"),
        ((ROW,), (), "columns"),
        ((ROW, ROW), (COLUMN,), "rows with different names"),
        ((ROW, dataclasses.replace(ROW, name="b")), (COLUMN,), r"different runs .*\['a', 'b'\]"),
        ((ROW, changed(seed=1)), (COLUMN,), r"different runs .*\['a', 'b'\]"),
        ((ROW, changed(data=Pixels(folder="there"))), (COLUMN,), r"different runs .*\['a', 'b'\]"),
        ((ROW,), (COLUMN, COLUMN), "columns with different names"),
        ((dataclasses.replace(ROW, paper={"y": 1.0}),), (COLUMN,), "known columns in a"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_in_one_line(rows, columns, names):
    with pytest.raises(BadInput, match=names) as failure:
        Experiment(name="t", title="T", source="S", rows=rows, columns=columns)
    assert re.fullmatch(r"Expected .*\. Received: .*\.", str(failure.value))
