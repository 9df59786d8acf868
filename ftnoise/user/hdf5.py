"""Weights from the files that Keras writes, as arrays alone: `.weights.h5`, `.h5` and `.keras`.

Nothing in such a file is run: no configuration is read, nothing is unpickled, and no layer is made
from it. Before any value is read, every link has to lead to an object of the same file, and the
arrays have to have the shapes of the model's own.

A `.keras` file is a zip archive with a `.weights.h5`, which has the arrays of each object that
Keras tracks by the path to it (in Keras 3 the names of a model's layers and of attributes differ).
An `.h5` file of `save_weights`, or of a whole model, names its layers and their arrays in order.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ftnoise.core.checks import expect
from ftnoise.core.files import regular
from ftnoise.core.lazy import keras, np
from ftnoise.datasets.origins import reading

SUFFIXES = (".h5", ".hdf5", ".keras")
MEMBER = "model.weights.h5"  # of a .keras archive
MOST_TIMES = 10  # the model's weights: an optimizer stores some for each
OVERHEAD = 2**24  # bytes
LAYERS = ("layers", "_layer_checkpoint_dependencies")
NO_WEIGHTS = "seed_generator"  # of Keras 3's Dropout
# Of HDF5 itself (deflate, shuffle, checksum), and LZF of h5py; another filter is a plugin: code.
FILTERS = {1, 2, 3, 32000}


def read(path: Path, model: keras.Model) -> list[np.ndarray]:
    """The arrays of a file, in the order of `model.weights`; the model is as before."""
    import h5py

    with contextlib.ExitStack() as stack:
        stack.enter_context(reading(path, f"a readable file of the weights of {model.name}"))
        stream: BinaryIO = stack.enter_context(open(path, "rb", opener=regular))
        if path.suffix == ".keras":
            stream = _member(stream, model)
        file = stack.enter_context(h5py.File(stream, "r"))
        root = _plain(file, "model_weights") if "model_weights" in file else file
        if any(name.startswith("layer_names") for name in root.attrs):
            _check(root, model)
            return _by_order(root, model)
        known = next((name for name in LAYERS if name in file), "")
        expect(known != "", f"one of {', '.join(LAYERS)}, as Keras writes it", groups=[*file][:9])
        root = _plain(file, known)
        _check(root, model)
        return _by_path(root, model)


def _member(stream: BinaryIO, model: keras.Model) -> BinaryIO:
    """The `.weights.h5` in a `.keras` archive."""
    size = sum(variable.numpy().nbytes for variable in model.weights)
    most = MOST_TIMES * size + OVERHEAD
    with zipfile.ZipFile(stream) as archive:
        member = archive.getinfo(MEMBER)
        expect(member.file_size <= most, f"{MEMBER} of up to {most:,} bytes", size=member.file_size)
        return io.BytesIO(archive.read(member))


def _plain(group: Any, name: str) -> Any:
    """The object of that name in a group, which is part of the same file."""
    import h5py

    link = group.get(name, getlink=True)
    kind = type(link).__name__
    expect(isinstance(link, h5py.HardLink), f"no links to other objects: {name!r}", kind=kind)
    return group[name]


def _arrays(group: Any, seen: set[int]) -> Iterator[Any]:
    """All arrays in a group."""
    import h5py

    for name in group:
        found = _plain(group, name)
        address = h5py.h5o.get_info(found.id).addr
        expect(address not in seen, "every object once", name=found.name)
        seen.add(address)
        if isinstance(found, h5py.Group):
            if name != NO_WEIGHTS:
                yield from _arrays(found, seen)
        else:
            expect(isinstance(found, h5py.Dataset), "groups and arrays", name=found.name)
            yield found


def _check(root: Any, model: keras.Model) -> None:
    """Raises `BadInput` unless the arrays below `root` are as many as the model's, and as large."""
    missing = Counter(tuple(variable.shape) for variable in model.weights)
    for array in _arrays(root, set()):
        plist = array.id.get_create_plist()
        filters = {plist.get_filter(n)[0] for n in range(plist.get_nfilters())}
        expect(
            not array.is_virtual and not array.external and filters <= FILTERS,
            "arrays whose values are in the file itself, without plugins",
            name=array.name,
        )
        expect(array.dtype.kind in "fiub", "numbers", name=array.name, dtype=str(array.dtype))
        expect(
            missing[array.shape] > 0,
            f"the weights of {model.name}, and no more of a shape than it has",
            name=array.name,
            shape=array.shape,
        )
        missing[array.shape] -= 1
    lacking = [*missing.elements()]
    expect(not lacking, f"all {len(model.weights)} weights of {model.name}", missing=lacking[:3])


def _by_order(root: Any, model: keras.Model) -> list[np.ndarray]:
    """The arrays of a file that names its layers and their arrays in the model's order."""
    pairs = [(name, _names(root[name], "weight_names")) for name in _names(root, "layer_names")]
    stored = [(name, arrays) for name, arrays in pairs if arrays]
    layers = [layer for layer in model.layers if layer.weights]
    expect(len(stored) == len(layers), f"{len(layers)} layers with weights", layers=len(stored))
    values: dict[int, np.ndarray] = {}
    for layer, (name, arrays) in zip(layers, stored, strict=True):
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        count = len(variables)
        expect(len(arrays) == count, f"{count} weights of {layer.name}", weights=len(arrays))
        for variable, array in zip(variables, arrays, strict=True):
            found, shape = root[name][array], tuple(variable.shape)
            expect(found.shape == shape, f"{variable.name} of shape {shape}", shape=found.shape)
            values[id(variable)] = np.asarray(found)
    return [values[id(variable)] for variable in model.weights]


def _names(group: Any, attribute: str) -> list[str]:
    """The names in an attribute, or in its parts `attribute0`, `attribute1`, ... if it is long."""
    numbered = (f"{attribute}{n}" for n in itertools.count())
    parts = [attribute, *itertools.takewhile(group.attrs.__contains__, numbered)]
    names = [name for part in parts for name in group.attrs.get(part, ())]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    for name in names:  # an absolute one would leave what was checked
        expect(not name.startswith("/"), "names of layers and weights", name=name)
    return names


def _by_path(root: Any, model: keras.Model) -> list[np.ndarray]:
    """The arrays of a file that has them by the path to the object that holds them.

    Only Keras knows these paths: it loads them into the model, whose own values are then restored.
    """
    from keras.src.saving import saving_lib

    before = model.get_weights()
    try:
        saving_lib._load_container_state(
            model.layers, _Store(root), None, inner_path="", skip_mismatch=False,
            visited_trackables=set(),
        )  # fmt: skip
        return model.get_weights()
    finally:
        model.set_weights(before)


class _Store:
    """The arrays of an object by its path, as Keras reads them."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def get(self, path: str) -> Any:
        group = self.root
        for part in (*path.split("/"), "vars"):
            names = LAYERS if part in LAYERS else (part, part.lstrip("_"))
            known = next((name for name in names if name in group), None)
            if known is None:
                return {}
            group = group[known]
        return group
