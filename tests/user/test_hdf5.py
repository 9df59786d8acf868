"""Weights that Keras wrote are read as it reads them, and files that could do harm are refused."""

from __future__ import annotations

import itertools
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.user.files import read_weights
from tests.user.made import model


def normalized():
    return keras.Sequential(
        [
            layers.InputLayer((8, 8, 2)),
            layers.Conv2D(3, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dense(4),
        ]
    )


def recurrent():
    inputs = keras.Input((6,))
    x = layers.Embedding(9, 4)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    x = layers.MultiHeadAttention(2, 3)(x, x) + x
    x = layers.GRU(5)(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(2)(x))


def nested():
    inner = keras.Sequential(
        [layers.InputLayer((4,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(4)]
    )
    shared, inputs = layers.Dense(4), keras.Input((4,))
    outputs = layers.Dense(2)(shared(inner(shared(inputs))))
    return keras.Model(inputs, outputs)


def frozen():
    network = normalized()
    network.layers[1].trainable = network.layers[-1].trainable = False
    return network


def drawn(network, seed=0):
    """Other weights for a network."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=w.shape).astype(np.float32) for w in network.get_weights()]


def with_slots(network):
    """The network with the variables of an optimizer, which is stored with it."""
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    return network


SAVES = {
    "w.weights.h5": "save_weights",
    "w.h5": "save_weights",
    "w.hdf5": "save_weights",
    "whole.h5": "save",
    "m.keras": "save",
}


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("made", [normalized, recurrent, nested, frozen, model])
def test_arrays_are_those_that_were_saved(tmp_path, made):
    networks, other = [made(), with_slots(made())], made()
    before = other.get_weights()
    for seed, (network, (name, save)) in enumerate(itertools.product(networks, SAVES.items())):
        network.set_weights(drawn(network, seed))
        getattr(network, save)(tmp_path / name)
        found = read_weights(tmp_path / name, other)
        for one, same in zip(found, network.get_weights(), strict=True):
            np.testing.assert_array_equal(one, same)
        for one, same in zip(other.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras"])
def test_a_pipe_is_no_file_of_weights(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(BadInput, match=r"is no file, but a folder, pipe or device"):
        read_weights(tmp_path / name, model())


@pytest.mark.parametrize("made", [nested, recurrent])
def test_keras_3_has_other_names_and_keys_of_dropout(tmp_path, made):
    network = made()
    network.set_weights(drawn(network))
    network.save_weights(tmp_path / "w.weights.h5")

    def renamed(group):
        for name in list(group):
            if isinstance(group[name], h5py.Group):
                renamed(group[name])
            if name == "_layer_checkpoint_dependencies":
                group.move(name, "layers")
            elif name.startswith("_"):  # as in MultiHeadAttention
                group.move(name, name[1:])

    with h5py.File(tmp_path / "w.weights.h5", "a") as file:
        renamed(file)
        assert "layers" in file
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
    found = read_weights(tmp_path / "w.weights.h5", made())
    for one, same in zip(found, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def refused(path, network=None):
    with pytest.raises(BadInput) as found:
        read_weights(path, network or model())
    text = str(found.value)
    assert str(path) in text
    assert "Expected" in text
    assert "Received" in text
    assert "\n" not in text
    return text


@pytest.fixture(params=["w.h5", "w.weights.h5"])
def file(request, tmp_path):
    """The weights of `model`, in both forms."""
    path = tmp_path / request.param
    model().save_weights(path)
    return path


def kernel(file):
    """The group and the name of the first kernel in an open file."""
    found = []
    file.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
    )
    group, _, name = next(one for one in found if file[one].shape == (5, 8)).rpartition("/")
    return file[group], name


@pytest.mark.parametrize("made", ["external", "soft", "absolute"])
def test_links_are_refused_before_they_are_followed(file, tmp_path, made):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros((5, 8), np.float32)
    with h5py.File(file, "a") as changed:
        group, name = kernel(changed)
        group.move(name, "aside")
        links = {
            "external": h5py.ExternalLink(str(tmp_path / "other.h5"), "secret"),
            "soft": h5py.SoftLink("aside"),
            "absolute": h5py.SoftLink(f"{group.name}/aside"),
        }
        group[name] = links[made]
        if made != "external":
            del group["aside"]
    text = refused(file)
    assert "no links to other objects" in text
    assert ("ExternalLink" if made == "external" else "SoftLink") in text


def test_a_link_in_place_of_all_layers_is_refused(tmp_path):
    path = tmp_path / "w.weights.h5"
    model().save_weights(path)
    with h5py.File(path, "a") as changed:
        name = "layers"
        changed.move(name, "aside")
        changed[name] = h5py.SoftLink("/aside")
    assert "no links to other objects" in refused(path)


def test_groups_that_hold_themselves_end(file):
    with h5py.File(file, "a") as changed:
        group, _ = kernel(changed)
        group["again"] = group
    assert "every object once" in refused(file)


def test_absolute_names_do_not_leave_the_layers(tmp_path):
    path = tmp_path / "w.h5"
    model().save_weights(path)
    with h5py.File(path, "a") as changed:
        names = changed.attrs["layer_names"]
        changed.attrs["layer_names"] = [f"/{name}" for name in names.tolist()]
    assert "Expected names of layers" in refused(path)


def virtual(group, name, tmp_path):
    with h5py.File(tmp_path / "source.h5", "w") as source:
        source["x"] = np.zeros((5, 8), np.float32)
    layout = h5py.VirtualLayout((5, 8), np.float32)
    layout[:] = h5py.VirtualSource(str(tmp_path / "source.h5"), "x", (5, 8))
    group.create_virtual_dataset(name, layout)


def external(group, name, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(160))
    group.create_dataset(
        name, (5, 8), np.float32, external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
    )


def szip_like(group, name, tmp_path):
    # A filter of that number is a plugin, which HDF5 would load from a folder.
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((5, 8))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    space, kind = h5py.h5s.create_simple((5, 8)), h5py.h5t.NATIVE_FLOAT
    h5py.h5d.create(group.id, name.encode(), kind, space, plist)


@pytest.mark.parametrize("made", [virtual, external, szip_like])
def test_arrays_that_are_elsewhere_or_take_plugins_are_refused(file, tmp_path, made):
    with h5py.File(file, "a") as changed:
        group, name = kernel(changed)
        del group[name]
        made(group, name, tmp_path)
    assert "in the file itself, without plugins" in refused(file)


def huge(group, name):
    group.create_dataset(name, (10**9, 10**3), np.float32, chunks=(10, 10))


def texts(group, name):
    group.create_dataset(name, (5, 8), h5py.string_dtype())


def references(group, name):
    group.create_dataset(name, (5, 8), h5py.ref_dtype)


def transposed(group, name):
    group[name] = np.zeros((8, 5), np.float32)


def nothing(group, name):
    pass


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (huge, "the weights of own, and no more of a shape than it has"),
        (transposed, "shape=(8, 5)"),
        (texts, "Expected numbers"),
        (references, "Expected numbers"),
        (nothing, "Expected all 4 weights of own. Received: missing=[(5, 8)]"),
    ],
)
def test_other_arrays_are_refused_before_they_are_read(file, made, message):
    with h5py.File(file, "a") as changed:
        group, name = kernel(changed)
        del group[name]
        made(group, name)
    assert message in refused(file)


def test_weights_of_another_model_are_refused(file, tmp_path):
    assert "shape=" in refused(file, model(units=9))
    deeper = keras.Sequential([*model().layers, layers.Dense(3)], name="own")
    deeper.build((None, 5))
    assert "missing=[(3," in refused(file, deeper)


def test_arrays_in_another_place_are_refused(tmp_path):
    path = tmp_path / "w.weights.h5"
    model().save_weights(path)
    with h5py.File(path, "a") as changed:
        inside = changed["layers"]
        inside.move("dense_1", "other")
    assert "expected 2 variables" in refused(path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "m.keras"])
def test_damaged_files_are_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path)


def test_a_file_without_layers_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert "groups=['x']" in refused(tmp_path / "w.h5")


def test_nothing_of_a_keras_archive_but_its_arrays_is_read(tmp_path, monkeypatch):
    network = keras.Sequential(
        [layers.InputLayer((5,)), layers.Lambda(abs), layers.Dense(3)], name="own"
    )
    network.save(tmp_path / "m.keras")

    def never(*arguments, **options):
        raise AssertionError("read")

    monkeypatch.setattr("keras.src.saving.serialization_lib.deserialize_keras_object", never)
    monkeypatch.setattr("marshal.loads", never)
    monkeypatch.setattr("pickle.loads", never)
    found = read_weights(tmp_path / "m.keras", network)
    for one, same in zip(found, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    with zipfile.ZipFile(tmp_path / "no.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "model.weights.h5" in refused(tmp_path / "no.keras", network)


def test_a_small_archive_that_unpacks_to_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(2**25))
    assert (tmp_path / "m.keras").stat().st_size < 2**16
    text = refused(tmp_path / "m.keras")
    assert f"size={2**25}" in text


def test_a_failure_halfway_leaves_the_model_as_it_was(tmp_path):
    path = tmp_path / "w.weights.h5"
    other = model()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    other.save_weights(path)
    with h5py.File(path, "a") as changed:
        changed["layers"].move("dense_1", "other")
    network = model()
    before = network.get_weights()
    refused(path, network)
    for one, same in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
