import dataclasses

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets import downloads
from ftnoise.datasets.origins import Raw, Unavailable


@pytest.fixture
def online(sources):
    return dataclasses.replace(sources, offline=False)


def shuffled(arrays):
    order = [3, 1, 0, 5, 4, 2]
    return arrays | {name: arrays[name][order] for name in ("x_train", "y_train")}


@pytest.fixture
def fetched(monkeypatch, arrays):
    """TFDS answers, with the examples in another order; the list says who was asked."""
    asked = []

    def fetch(name, url, sources):
        asked.append(name)
        return Raw(shuffled(arrays))

    monkeypatch.setattr(downloads, "from_tfds", fetch)
    return asked


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [
        ("npz", "tiny_pets.npz", {}),
        ("npz", "tiny-pets.npz", {}),
        ("idx", "tiny_pets", {"suffix": ""}),
        ("idx", "tiny-pets", {"suffix": ".gz"}),
        ("zip", "tiny_pets.zip", {}),
        ("zip", "tiny-pets-png.zip", {}),
        ("zip", "tiny_pets.zip", {"names": "012"}),
    ],
)
def test_each_form_in_the_users_folder_is_found_and_kept(
    form, name, options, pets, sources, arrays, write_npz, write_idx, write_zip, monkeypatch
):
    write = {"idx": write_idx, "zip": write_zip, "npz": lambda path, x: write_npz(x, path.name)}
    write[form](sources.data_dir / name, arrays, **options)
    data = pets.load(sources)
    assert (data.classes, data.x_train.shape, data.x_train.dtype) == (3, (6, 4, 5, 1), np.float32)
    key = arrays["x_train"][:, 0, 0]
    label = dict(zip(key.tolist(), arrays["y_train"].tolist(), strict=True))
    seen = np.rint(data.x_train[:, 0, 0, 0] * 255).astype(int).tolist()
    assert [label[pixel] for pixel in seen] == data.y_train.tolist()

    def no_decoding(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("ftnoise.datasets.content.checked", no_decoding)
    again = pets.load(sources)
    assert (again.digest, again.source) == (data.digest, data.source)
    np.testing.assert_array_equal(again.x_test, data.x_test)
    assert pets.digest(sources) == data.digest


def test_an_image_folder_and_the_set_of_that_name_do_not_share_a_copy(
    pets, sources, arrays, write_zip
):
    from ftnoise.datasets.image_folder import ImageFolder

    # In this order of names, numbering the folders as they are sorted gives other labels.
    path = write_zip(sources.data_dir / "tiny_pets.zip", arrays, names=("owl", "cat", "dog"))
    ImageFolder(path=path).load(sources)
    with pytest.raises(BadInput, match="original examples"):
        pets.load(sources)


def test_the_users_folder_may_be_the_sets_own(pets, sources, arrays, write_idx):
    folder = write_idx(sources.data_dir / "tiny-pets", arrays)
    own = dataclasses.replace(sources, data_dir=folder)
    assert pets.load(own).digest == pets.load(sources).digest


def test_sources_in_order(pets, online, arrays, write_idx, write_npz, fetched):
    nowhere = dataclasses.replace(online, data_dir=None)
    first = pets.load(nowhere)
    assert first.source == "tensorflow-datasets"
    assert fetched == ["tiny_pets"]
    offline = dataclasses.replace(nowhere, offline=True)
    assert pets.load(offline).digest == pets.digest(offline) == first.digest
    assert fetched == ["tiny_pets"]

    write_idx(downloads.DEBIAN_FOLDER / "tiny-pets", arrays)
    installed = pets.load(nowhere)
    assert installed.source == "Debian's package dataset-tiny-pets"
    assert installed.digest != first.digest

    reverse = {name: array[::-1] for name, array in arrays.items()}
    write_npz(reverse)
    assert pets.load(online).source == "tiny_pets.npz"
    np.testing.assert_array_equal(pets.load(online).y_train, reverse["y_train"])
    assert pets.digest(online) == pets.load(online).digest


def test_a_changed_file_is_noticed(pets, sources, arrays, write_npz):
    write_npz(arrays)
    before = pets.load(sources)
    write_npz(shuffled(arrays))
    assert pets.digest(sources) != before.digest
    np.testing.assert_array_equal(pets.load(sources).y_train, shuffled(arrays)["y_train"])


def test_other_content_in_the_users_folder_is_an_error_that_names_the_file(
    pets, online, arrays, write_npz, fetched
):
    arrays["x_test"][0, 0, 0] ^= 1
    path = write_npz(arrays)
    for ask in (pets.load, pets.digest):
        with pytest.raises(BadInput, match=str(path)):
            ask(online)
    assert fetched == []


def test_a_folder_of_the_name_with_nothing_of_use_is_an_error(pets, online, fetched):
    (online.data_dir / "tiny_pets").mkdir()
    with pytest.raises(BadInput, match=r"data/tiny_pets .*IDX"):
        pets.load(online)
    assert fetched == []


def test_a_set_with_a_longer_name_is_not_this_one(pets, sources, arrays, write_npz, write_zip):
    write_npz(arrays, "tiny_pets100.npz")
    write_zip(sources.data_dir / "tiny_pets100.zip", arrays)
    with pytest.raises(BadInput, match="to be found"):
        pets.load(sources)


def test_when_nothing_can_be_had_one_line_says_what_was_tried(pets, sources):
    with pytest.raises(BadInput) as caught:
        pets.load(dataclasses.replace(sources, data_dir=None))
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "tiny_pets",
        "FTNOISE_DATA: not given",
        str(downloads.DEBIAN_FOLDER / "tiny-pets"),
        str(sources.cache),
        "tensorflow-datasets: not tried, offline",
        "apt-get download dataset-tiny-pets: not tried, offline",
        "tiny_pets.npz",
        "--data-dir",
    ):
        assert part in message
    assert caught.value.exit_code == 2


def test_apt_is_asked_when_tfds_has_no_way_or_other_content(
    pets, online, arrays, monkeypatch, fetched
):
    monkeypatch.setattr(downloads, "from_debian", lambda name, sources: Raw(arrays))
    wrong = Raw(arrays | {"x_test": arrays["x_test"] // 2})
    for index, answer in enumerate((Unavailable("no way"), wrong)):

        def fetch(name, url, sources, answer=answer):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(downloads, "from_tfds", fetch)
        place = dataclasses.replace(online, cache=online.cache / str(index))
        data = pets.load(place)
        assert data.source == "apt-get download dataset-tiny-pets"
        assert pets.digest(place) == data.digest


def test_files_that_cannot_be_listed_are_one_line(pets, tmp_path):
    with pytest.raises(BadInput, match=r"tiny_pets to be readable.*gone"):
        pets.digest(Sources(data_dir=tmp_path / "gone", cache=tmp_path / "cache"))
