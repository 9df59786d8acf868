"""A user's own files: the function that builds the model, weights and examples as `.npz`.

Nothing pickled is read. uint8 examples are divided by 255, as in the data set `NpzFile`.
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
from ftnoise.core.errors import BadInput, one_line
from ftnoise.datasets.npz_file import opened

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


def build(name: str) -> keras.Model:
    """The model that `package.module:function` returns; the current folder is searched first.

    Raises:
        BadInput: there is no such function, it fails, or it returns no built model.
    """
    import keras

    from ftnoise.faults.graph import is_functional

    module, _, function = name.partition(":")
    # stdout is for results alone.
    with _current_folder_first(), contextlib.redirect_stdout(sys.stderr):
        with _bad_input(f"{module} to be a module that can be imported"):
            if not _exists(module):
                raise BadInput(
                    f"Expected a module {module} in the current folder or installed. "
                    "Received: none."
                )
            found = getattr(importlib.import_module(module), function, None)
        if not callable(found):
            kind = "nothing of that name" if found is None else type(found).__name__
            raise BadInput(f"Expected a function {function} in {module}. Received: {kind}.")
        with _bad_input(f"{name} to return a model when it is called without arguments"):
            model = found()
    if not is_functional(model):
        kind = type(model).__name__
        received = f"{kind} that is not built" if isinstance(model, keras.Sequential) else kind
        raise BadInput(
            f"Expected {name} to return a Sequential or functional keras.Model that is built (with "
            f"an input shape). Received: {received}."
        )
    return model


def read_examples(path: Path) -> tuple[Any, ndarray, bool]:
    """The examples and labels of an `.npz`.

    Args:
        path: with `x` and `y`, or `x_test` and `y_test`; for a model with several inputs `x_0`,
            `x_1`, ... in its order, and `y`.

    Returns:
        The examples (a list of arrays for several inputs), the labels, and whether uint8 examples
        were divided by 255.

    Raises:
        BadInput: naming the file, if it is no readable `.npz` with these arrays.
    """
    import numpy as np

    with opened(path) as archive:
        numbered = map("x_{}".format, itertools.count())
        several = list(itertools.takewhile(archive.files.__contains__, numbered))
        for *inputs, labels in (*PAIRS, (*several, "y")):
            if inputs and {*inputs, labels} <= {*archive.files}:
                break
        else:
            raise BadInput(
                "Expected arrays x and y, or x_test and y_test, or x_0, x_1, ... and y. "
                f"Received: {', '.join(sorted(archive.files)) or 'none'}."
            )
        given = [archive[name] for name in inputs]
        y = archive[labels]
    x = [np.divide(one, 255, dtype=np.float32) if one.dtype == np.uint8 else one for one in given]
    scaled = any(one.dtype == np.uint8 for one in given)
    return (x if inputs == several else x[0]), y, scaled


def read_weights(path: Path) -> list[ndarray]:
    """The weights that `numpy.savez(path, *model.get_weights())` or a stored run holds, in order.

    Raises:
        BadInput: naming the file, if it is no readable `.npz` of arrays without names.
    """
    with opened(path) as archive:
        names = [f"arr_{number}" for number in range(len(archive.files))]
        expect(
            bool(names) and {*archive.files} == {*names},
            "arrays arr_0, arr_1, ..., as numpy.savez(path, *model.get_weights()) writes them",
            arrays=sorted(archive.files)[:5],
        )
        arrays = [archive[name] for name in names]
        for name, array in zip(names, arrays, strict=True):
            expect(array.dtype.kind in "fiub", f"numbers in {name}", dtype=str(array.dtype))
        return arrays


def load_weights(model: keras.Model, arrays: Sequence[ndarray], path: Path) -> None:
    """Assigns the weights of a file to a model.

    Raises:
        BadInput: they do not fit; names the first that differs.
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


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        # The package itself is missing, and not something that it imports.
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return False
        raise


@contextlib.contextmanager
def _bad_input(expected: str) -> Iterator[None]:
    """Turns any failure of the user's code, `sys.exit` too, into a `BadInput`."""
    try:
        yield
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(f"Expected {expected}. Received: {one_line(error)}") from error


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    """As with `python -m`; after the block the folder comes last, so that it hides nothing."""
    folder, before = os.getcwd(), list(sys.path)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = [*before, *[folder] * (folder not in before)]
