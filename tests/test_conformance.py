"""Every member keeps the contract of its kind; members are found by scanning the package.

A member whose fields all have defaults needs no word here. Any other gets a line in `EXAMPLES`, as
may one whose options are worth a look. The kind of a member follows from its methods.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
import re
import types
import typing
from typing import Any

import numpy as np
import pytest

import ftnoise
from ftnoise import seeds
from ftnoise.architectures import Architecture, FmnistCNN2, FmnistDNN
from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.datasets import Data, DataSet
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.datasets.image_folder import ImageFolder
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.datasets.public import PublicSet
from ftnoise.errors import BadInput
from ftnoise.measures.generalization import Generalization
from ftnoise.spec import Run, Schedule, Spec, canonical, digest, run_id, spec_id
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, Bookkeeping, Engine, Reference
from ftnoise.training.gradients.samplers import Sampler, Shuffled
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L1, L2, Jacobian
from ftnoise.workspace import Answer, Subject, Workspace

SCHEDULE = Schedule(epochs=2, batch_size=4, learning_rate=0.1, momentum=0.9, drops=(2,))
RUN = Run(architecture=FmnistDNN(), data=FashionMNIST(), training=Training(), schedule=SCHEDULE)

# Specs that others are made of; a base is no member, and neither is what begins with "_".
BASES = {Spec, Architecture, Ball, DataSet, Engine, PublicSet, Sampler}

# Members that cannot be made without arguments, and options that behave differently.
EXAMPLES: dict[type[Spec], tuple[Spec, ...]] = {
    FmnistCNN2: (FmnistCNN2(), FmnistCNN2(padding=("same", "valid"), first_stride=2)),
    ImageFolder: (ImageFolder(path="pictures"),),
    DPSGD: (
        DPSGD(noise_multiplier=0.1),
        DPSGD(noise_multiplier=0.1, sampler=Shuffled()),
        DPSGD(noise_multiplier=0.1, sampler=Shuffled(), engine=Reference()),
        DPSGD(noise_multiplier=0.1, secret_key=True),
    ),
    Jacobian: (Jacobian(sigma=0.1),),
    L1: (L1(weight=1e-3), L1(weight=0, biases=True)),
    L2: (L2(weight=1e-3), L2(weight=1, biases=True)),
    NpzFile: (NpzFile(path="own.npz"),),
    Run: (RUN, dataclasses.replace(RUN, train_examples=10, test_examples=5, seed=7)),
    Schedule: (SCHEDULE,),
    Training: (Training(), Training(inputs=TRADES(attack_epsilon=0.1), penalty=L2(weight=1))),
    TRADES: (
        TRADES(attack_epsilon=0.1),
        TRADES(attack_epsilon=0, beta=6, steps=1, step_size=0.01),
        TRADES(attack_epsilon=1.0, steps=2, ball=L2Ball()),
    ),
}

# Specs that are part of others and have no method of their own.
NO_KIND = (Run, Schedule, Training, Bookkeeping, Reference)

# What a member of each kind has; `None` are the specs that hold others.
KINDS: dict[str | None, tuple[str, ...]] = {
    "architecture": ("build", "layers"),
    "data": ("load", "digest", "train_size"),
    "inputs": ("objective",),
    "penalty": ("value",),
    "gradients": ("start",),
    "sampler": ("batch",),
    "weights": ("rebuild", "after_step"),
    "measure": ("evaluate",),
    "ball": ("default_step", "ascend"),
    None: (),
}


def scan() -> list[type[Spec]]:
    """All public specs that the package defines, bases left out."""
    for module in pkgutil.walk_packages(ftnoise.__path__, "ftnoise."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, todo = set(), [Spec]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        if cls.__module__.startswith("ftnoise.") and not cls.__name__.startswith("_"):
            found.add(cls)
    return sorted(found - BASES, key=lambda cls: (cls.__module__, cls.__name__))


MEMBERS = scan()


def examples(cls: type[Spec]) -> tuple[Spec, ...]:
    if cls in EXAMPLES:
        return EXAMPLES[cls]
    try:
        return (cls(),)
    except TypeError:
        return ()


def kind(cls: type[Spec]) -> str | None:
    return next(
        name for name, methods in KINDS.items() if all(hasattr(cls, method) for method in methods)
    )


ALL = [spec for cls in MEMBERS for spec in examples(cls)]
each_member = pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
each_spec = pytest.mark.parametrize("spec", ALL, ids=lambda spec: repr(spec)[:70])


def each(name: str) -> Any:
    """All instances of a kind."""
    specs = [spec for spec in ALL if kind(type(spec)) == name]
    return pytest.mark.parametrize("spec", specs, ids=lambda spec: repr(spec)[:70])


def test_the_scan_finds_members_of_the_kinds_that_there_are():
    found = {kind(cls) for cls in MEMBERS}
    assert {"architecture", "data", "inputs", "penalty", "gradients", "measure"} <= found
    assert {Run, Schedule, Training, FmnistDNN, TRADES, NpzFile, Generalization} <= set(MEMBERS)


def test_names_of_classes_are_unique_since_identity_rests_on_them():
    names = [cls.__name__ for cls in MEMBERS]
    assert sorted(set(names)) == sorted(names)


@each_member
def test_there_is_an_example_of_each_member(cls):
    assert examples(cls), (
        f"{cls.__module__}.{cls.__name__} cannot be made without arguments: add a line "
        f"`{cls.__name__}: ({cls.__name__}(...),)` to EXAMPLES in tests/test_conformance.py"
    )
    assert all(type(spec) is cls for spec in examples(cls))


@each_member
def test_a_member_is_of_one_kind(cls):
    kinds = [
        name
        for name, methods in KINDS.items()
        if name and all(hasattr(cls, method) for method in methods)
    ]
    assert len(kinds) == 1 or cls in NO_KIND, (
        f"{cls.__name__} has the methods of {kinds or 'no kind'}: see KINDS in "
        "tests/test_conformance.py"
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


# The kinds, on a network with 12 inputs.

CLASSES = 3
SHAPE = (2, 2, 3)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.random((8, *SHAPE), np.float32), np.arange(8) % CLASSES


@pytest.fixture
def network() -> Any:
    import keras

    seeds.fix_initialization(0)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            layers.Flatten(),
            layers.Dense(5, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def bits(network: Any) -> list[bytes]:
    return [weight.numpy().tobytes() for weight in network.weights]


@each("architecture")
def test_an_architecture_builds_a_network_that_gives_finite_logits(spec):
    seeds.fix_initialization(0)
    network = spec.build()
    assert network.input_shape == (None, *spec.input_shape)
    logits = network(np.full((2, *spec.input_shape), 0.5, np.float32)).numpy()
    assert logits.shape == (2, spec.classes)
    assert np.isfinite(logits).all()
    seeds.fix_initialization(0)
    assert bits(spec.build()) == bits(network)
    other = dataclasses.replace(spec, classes=7)
    assert other.build().output_shape == (None, 7)


@each("data")
def test_a_data_set_says_what_it_knows_without_reading(spec):
    assert spec.train_size is None or spec.train_size > 0
    assert spec.test_size is None or spec.test_size > 0
    assert spec.class_names is None or len(set(spec.class_names)) == len(spec.class_names) > 1
    assert dataclasses.replace(RUN, data=spec).examples() == spec.train_size


@each("inputs")
def test_an_objective_gives_a_finite_loss_for_each_example_and_is_keyed(spec, network, images):
    import tensorflow as tf

    x, y = tf.constant(images[0]), tf.constant(images[1], tf.int32)
    before = bits(network)
    with tf.GradientTape() as tape:
        losses, logits = spec.objective(network, x, y, tf.constant([1, 2], tf.int64))
    assert losses.shape == (8,)
    assert logits.shape == (8, CLASSES)
    assert np.isfinite(losses.numpy()).all()
    gradients = tape.gradient(losses, network.trainable_variables)
    assert all(g is not None and np.isfinite(g.numpy()).all() for g in gradients)
    again, _ = spec.objective(network, x, y, tf.constant([1, 2], tf.int64))
    np.testing.assert_array_equal(losses, again)
    np.testing.assert_array_equal(x, images[0])
    assert bits(network) == before


@each("penalty")
def test_a_penalty_is_a_finite_scalar_with_a_gradient(spec, network, images):
    import tensorflow as tf

    x, before = tf.constant(images[0]), bits(network)
    with tf.GradientTape() as tape:
        value = spec.value(network, x)
    assert value.shape == ()
    assert np.isfinite(value.numpy())
    assert value.numpy() >= 0
    gradients = tape.gradient(value, network.trainable_variables)
    found = [tf.convert_to_tensor(g).numpy() for g in gradients if g is not None]
    assert found
    assert all(np.isfinite(g).all() for g in found)
    assert spec.value(network, x).numpy() == value.numpy()
    assert bits(network) == before


@each("gradients")
def test_gradients_draw_every_example_and_take_a_step_against_the_loss(spec, network, images):
    import tensorflow as tf

    x, y = tf.constant(images[0]), tf.constant(images[1], tf.int32)
    updater = spec.start(network, RUN, len(y), xla=False)
    updater.resume(None, 0, True)
    order = tf.constant([5, 1, 0, 3, 2, 4, 7, 6])
    drawn: set[int] = set()
    for step in range(30):
        indices, present = updater.batch(order, tf.constant(step, tf.int64))
        drawn |= {*(indices if present is None else indices[present]).numpy().tolist()}
    assert drawn == set(range(8))

    def objective() -> tuple[Any, Any]:
        logits = network(x, training=True)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits

    steps = [updater.update(objective, None, None) for _ in range(20)]
    assert steps[0][1].shape == (8, CLASSES)
    values = [float(loss) for loss, _ in steps]
    assert np.isfinite(values).all()
    assert values[-1] < values[0]


@each("measure")
def test_a_measure_is_deterministic_and_leaves_the_network_as_it_is(
    spec, network, images, tmp_path
):
    x, y = images
    data = Data(x, y, x[:5], y[:5], classes=CLASSES, digest="0" * 64, source="memory")
    answers, before = [], bits(network)
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        answers.append(
            spec.evaluate(
                Subject(
                    network=network,
                    data=data,
                    run=RUN,
                    partial=tmp_path / attempt,
                    workspace=Workspace(),
                )
            )
        )
        assert bits(network) == before
        np.testing.assert_array_equal(x, images[0])
    one, two = answers
    assert isinstance(one, Answer)
    assert one.scalars
    for name, value in one.scalars.items():
        assert type(value) is float
        assert math.isfinite(value)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name in type(spec).__doc__, f"{name} is not in the docstring"
    assert two.scalars == one.scalars
    assert two.arrays.keys() == one.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], values)
