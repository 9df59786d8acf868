import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ftnoise.core import files
from ftnoise.datasets.fetching import scratch


@pytest.fixture
def kept(pets, sources, arrays, write_npz):
    """The only file in the cache, a copy of the set in the user's folder."""
    write_npz(arrays)
    pets.load(sources)
    (path,) = (sources.cache / "datasets").iterdir()
    return path


def test_a_copy_is_an_npz_with_a_manifest(kept, pets, sources, arrays):
    with zipfile.ZipFile(kept) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["digest"] == pets.digest(sources)
    assert manifest["source"] == "tiny_pets.npz"
    assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    copy = np.load(kept, allow_pickle=False)
    np.testing.assert_array_equal(copy["x_train"][..., 0], arrays["x_train"])


def test_damage_anywhere_is_never_delivered(kept, pets, sources, capsys):
    """Each byte in turn, in steps: the right data come, from the copy or made again."""
    sound = kept.read_bytes()
    right = pets.load(sources)
    remade = 0
    for position in range(0, len(sound), 29):
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        kept.write_bytes(damaged)
        again = pets.load(sources)
        assert again.digest == right.digest
        np.testing.assert_array_equal(again.x_train, right.x_train)
        np.testing.assert_array_equal(again.y_test, right.y_test)
        remade += kept.with_name(kept.name + ".damaged").exists()
        kept.with_name(kept.name + ".damaged").unlink(missing_ok=True)
    assert remade > len(sound) / 29 / 4
    assert capsys.readouterr().err.count("set aside") == remade


def test_damage_is_named_set_aside_and_made_again(kept, pets, sources, capsys):
    sound = kept.read_bytes()
    kept.write_bytes(sound[: len(sound) // 2])
    capsys.readouterr()
    assert pets.digest(sources) == pets.load(sources).digest
    assert kept.read_bytes() == sound
    assert kept.with_name(kept.name + ".damaged").read_bytes() == sound[: len(sound) // 2]
    error = capsys.readouterr().err
    assert str(kept) in error
    assert error.count("\n") == 1


def test_arrays_that_do_not_have_the_digest_they_claim(kept, pets, sources, arrays, capsys):
    right = pets.load(sources)
    with zipfile.ZipFile(kept) as archive:
        manifest = archive.read("manifest.json")
        members = {name: archive.read(name) for name in archive.namelist()}
    members["y_train.npy"] = members["y_train.npy"][:-8] + bytes(8)
    with zipfile.ZipFile(kept, "w") as archive:
        for name, content in (members | {"manifest.json": manifest}).items():
            archive.writestr(name, content)
    np.testing.assert_array_equal(pets.load(sources).y_train, right.y_train)
    assert "digest" in capsys.readouterr().err


def test_a_copy_of_another_format_is_made_again_without_a_word(
    kept, pets, sources, monkeypatch, capsys
):
    capsys.readouterr()
    sound = kept.read_bytes()
    monkeypatch.setattr("ftnoise.datasets.cache.FORMAT", 2)
    pets.load(sources)
    assert kept.read_bytes() != sound
    assert capsys.readouterr().err == ""


def test_a_cache_that_cannot_be_written_is_named_and_done_without(
    pets, sources, arrays, write_npz, capsys
):
    write_npz(arrays)
    sources.cache.write_text("a file where the folder should be")
    assert pets.load(sources).digest == pets.digest(sources)
    assert "cannot keep a copy" in capsys.readouterr().err


def test_an_interrupted_write_leaves_nothing(kept, pets, sources, write_npz, arrays, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    write_npz({name: array[::-1] for name, array in arrays.items()})
    sound = kept.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pets.load(sources)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert kept.read_bytes() == sound


def test_many_at_once(pets, sources, arrays, write_npz, capsys):
    write_npz(arrays)
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: pets.load(sources).digest, range(32)))
    assert len(digests) == 1
    assert len(list((sources.cache / "datasets").iterdir())) == 1
    assert capsys.readouterr().err == ""


def test_what_a_killed_download_left_is_removed_by_the_next(tmp_path):
    old, new = tmp_path / "fetch-old", tmp_path / "fetch-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "half.gz").touch()
    ago = time.time() - files.ABANDONED_SECONDS - 60
    os.utime(old, (ago, ago))
    with scratch(tmp_path) as folder:
        assert folder.parent == tmp_path
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == sorted(["fetch-new", folder.name])
    assert [path.name for path in tmp_path.iterdir()] == ["fetch-new"]
