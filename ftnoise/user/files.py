"""A user's own files: the function that builds the model, its weights, and examples as `.npz`.

Nothing pickled is read.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import re
import sys
from pathlib import Path
from typing import Any

from ftnoise.core.checks import expect, listed
from ftnoise.core.data import finite
from ftnoise.core.errors import BadInput, one_line
from ftnoise.core.lazy import keras, np
from ftnoise.datasets.npz_file import opened
from ftnoise.user import hdf5

PAIRS = (("x", "y"), ("x_test", "y_test"))


def check_name(name: str) -> None:
    """Raises `BadInput` unless a name has the form `package.module:function`."""
    if not re.fullmatch(r"(?!\d)\w+(\.(?!\d)\w+)*:(?!\d)\w+", name) or ".py:" in name:
        raise BadInput(
            "Expected a model as package.module:function, such as own:build for the function "
            f"build of own.py. Received: {name!r}."
        )


def build(name: str) -> keras.Model:
    """The model that `package.module:function` returns; the current folder is searched first.

    Raises `BadInput` unless it returns a Sequential or functional model that is built.
    """
    from ftnoise.layers.graph import unfold

    module, _, function = name.partition(":")
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for results alone
            model = getattr(importlib.import_module(module), function)()
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"Expected {name} to be a function in the current folder or an installed package that "
            f"returns a model without arguments. Received: {one_line(error)}"
        ) from error
    finally:
        # Last from now on, so that it shadows no other module.
        sys.path[:] = [*(one for one in sys.path if one != folder), folder]
    unfold(model)  # raises BadInput for other models
    return model


def read_examples(path: Path) -> tuple[Any, np.ndarray]:
    """The examples and the labels, as they are; `datasets/content.py` has the rule for uint8.

    The `.npz` has `x` and `y`, or `x_test` and `y_test`; for a model with several inputs `x_0`,
    `x_1`, ... in its order, and `y`. The examples are a list of arrays then. `BadInput` names a
    file without these.
    """
    with opened(path) as archive:
        numbered = map("x_{}".format, itertools.count())
        several = list(itertools.takewhile(archive.files.__contains__, numbered))
        for *inputs, labels in (*PAIRS, (*several, "y")):
            if inputs and {*inputs, labels} <= {*archive.files}:
                break
        else:
            raise BadInput(
                "Expected arrays x and y, or x_test and y_test, or x_0, x_1, ... and y. "
                f"Received: {listed(sorted(archive.files))}."
            )
        x = [archive[name] for name in inputs]
        return (x if inputs == several else x[0]), archive[labels]


def read_weights(path: Path, model: keras.Model) -> list[np.ndarray]:
    """The weights in a file, in the order and types of `model.weights`; the model is left as it is.

    The file is `.weights.h5`, `.h5` or `.keras` as Keras writes them, or the `.npz` of
    `numpy.savez(path, *model.get_weights())` or a stored run. `BadInput` names it, and the first
    array that differs or is not finite in the model's type.
    """
    read = hdf5.read if path.suffix in hdf5.SUFFIXES else read_arrays
    return [
        finite(array, variable.dtype.as_numpy_dtype, f"{variable.name} in {path}")
        for array, variable in zip(read(path, model), model.weights, strict=True)
    ]


def read_arrays(path: Path, model: keras.Model) -> list[np.ndarray]:
    """The arrays of an `.npz`; see `read_weights`."""
    with opened(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
        given = {name: array.shape for name, array in arrays.items()}
        wanted = {f"arr_{n}": tuple(variable.shape) for n, variable in enumerate(model.weights)}
        for name in wanted | given:
            expect(
                given.get(name) == wanted.get(name),
                f"{path} to hold the weights of {model.name} as numpy.savez(path, "
                f"*model.get_weights()) writes them, {name} of shape {wanted.get(name)}",
                shape=given.get(name),
            )
        for name in wanted:
            expect(
                arrays[name].dtype.kind in "fiub",
                f"numbers in {name} of {path}",
                dtype=str(arrays[name].dtype),
            )
        return [arrays[name] for name in wanted]
