"""A user's own model, weights and examples: code that the user names, and arrays that are read.

A model is what a function of the user's returns; weights and examples are `.npz` files, of which
nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.datasets.npz_file import array_names, one_line, opened, read_arrays

if TYPE_CHECKING:
    import keras
    from numpy import ndarray

PAIRS = (("x", "y"), ("x_test", "y_test"))


def check_name(name: str) -> None:
    """Raises `BadInput` unless a name has the form `package.module:function`."""
    module, colon, function = name.partition(":")
    is_file = module.endswith(".py")
    if is_file or not (colon and all(map(str.isidentifier, [*module.split("."), function]))):
        hint = f", such as {Path(module).stem}:{function or 'build'}" if is_file else ""
        raise BadInput(f"Expected a model as package.module:function{hint}. Received: {name!r}.")


def read_examples(path: Path) -> tuple[Any, ndarray]:
    """`x` and `y` of an `.npz`, as they are.

    Args:
        path: with `x` and `y`, or `x_test` and `y_test`; for a model with several inputs `x_0`,
            `x_1`, ... in its order, and `y`.

    Returns:
        The examples, a list of arrays for several inputs, and the labels.

    Raises:
        BadInput: naming the file, if it is not a sound `.npz` with these arrays.
    """
    with opened(path) as archive:
        there = array_names(archive)
        numbered = map("x_{}".format, itertools.count())
        several = list(itertools.takewhile(there.__contains__, numbered))
        for *inputs, labels in (*PAIRS, (*several, "y")):
            if inputs and {*inputs, labels} <= {*there}:
                found = read_arrays(archive, [*inputs, labels])
                x = [found[name] for name in inputs]
                return (x if inputs == several else x[0]), found[labels]
        raise BadInput(
            "Expected arrays x and y, or x_test and y_test, or x_0, x_1, ... and y. "
            f"Received: {', '.join(sorted(there)) or 'none'}."
        )


def read_weights(path: Path) -> list[ndarray]:
    """Weights as `numpy.savez(path, *model.get_weights())` or a stored run writes them, in order.

    Raises:
        BadInput: naming the file, if it is not a sound `.npz` of arrays without names.
    """
    with opened(path) as archive:
        there = array_names(archive)
        names = [f"arr_{number}" for number in range(len(there))]
        expect(
            bool(there) and set(there) == set(names),
            "arrays arr_0, arr_1, ..., as numpy.savez(path, *model.get_weights()) writes them",
            arrays=sorted(there)[:5],
        )
        found = read_arrays(archive, names)
        for name, array in found.items():
            expect(array.dtype.kind in "fiub", f"numbers in {name}", dtype=str(array.dtype))
        return [found[name] for name in names]


def build(name: str) -> keras.Model:
    """The model that `package.module:function` returns; the current folder is looked into first.

    Raises:
        BadInput: there is no such function, it fails, or it returns no built model.
    """
    import keras

    from ftnoise.faults.graph import is_functional

    module, _, function = name.partition(":")
    # What the user's code prints is no result of ours.
    with _current_folder_first(), contextlib.redirect_stdout(sys.stderr):
        with _blamed(f"{module} to be a module that can be imported"):
            if not _is_there(module):
                raise BadInput(
                    f"Expected a module {module} in the current folder or installed. "
                    "Received: none."
                )
            found = getattr(importlib.import_module(module), function, None)
        if not callable(found):
            kind = "nothing of that name" if found is None else type(found).__name__
            raise BadInput(f"Expected a function {function} in {module}. Received: {kind}.")
        with _blamed(f"{name} to return a model when it is called without arguments"):
            model = found()
    if not is_functional(model):
        kind = type(model).__name__
        received = f"{kind} that is not built" if isinstance(model, keras.Sequential) else kind
        raise BadInput(
            f"Expected {name} to return a Sequential or functional keras.Model that is built (with "
            f"an input shape). Received: {received}."
        )
    return model


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        # A package of the name, or else what such a package imports.
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return False
        raise


@contextlib.contextmanager
def _blamed(expected: str) -> Iterator[None]:
    """Whatever the user's code raises in the block, `sys.exit` too, is a `BadInput`."""
    try:
        yield
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(f"Expected {expected}. Received: {one_line(error)}") from error


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    """As with `python -m`; after the block it is looked into last, so that it hides nothing."""
    folder = os.getcwd()
    before = list(sys.path)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = [*before, *[folder] * (folder not in before)]


def load_weights(model: keras.Model, arrays: Sequence[ndarray], path: Path) -> None:
    """Gives a model the weights of a file.

    Raises:
        BadInput: they are another model's; says which is the first that differs.
    """
    wanted = [(variable.name, tuple(variable.shape)) for variable in model.weights]
    for number, (array, (name, shape)) in enumerate(zip(arrays, wanted, strict=False)):
        if array.shape != shape:
            raise BadInput(
                f"Expected {path} to hold the weights of {model.name}, arr_{number} being {name} "
                f"of shape {list(shape)}. Received: shape {list(array.shape)}, so they are "
                "another model's."
            )
    if len(arrays) != len(wanted):
        raise BadInput(
            f"Expected {path} to hold the {len(wanted)} weights of {model.name}. Received: "
            f"{len(arrays)} arrays, so they are another model's."
        )
    model.set_weights(list(arrays))
