import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ftnoise.core import stopping
from ftnoise.datasets import cache


@pytest.fixture
def kept(pets, sources, arrays, write_npz):
    """The only file in the cache, a copy of the set in the user's folder."""
    write_npz(arrays)
    pets.load(sources)
    (path,) = (sources.cache / "datasets").iterdir()
    return path


def test_a_copy_is_an_npz_with_a_manifest(kept, pets, sources, arrays):
    with np.load(kept, allow_pickle=False) as copy:
        np.testing.assert_array_equal(copy["x_train"][..., 0], arrays["x_train"])
    manifest, none = cache.load(kept, next(pets.origins(sources)).signature(), False)
    assert none == {}
    assert manifest == {
        "digest": pets.digest(sources),
        "source": "tiny_pets.npz",
        "classes": 3,
    }


def test_damage_anywhere_is_never_delivered(kept, pets, sources, capsys):
    """Each byte in turn, in steps: the right data come, from the copy or made again."""
    sound = kept.read_bytes()
    right = pets.load(sources)
    for position in range(0, len(sound), 29):
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        kept.write_bytes(damaged)
        again = pets.load(sources)
        assert again.digest == right.digest
        np.testing.assert_array_equal(again.x_train, right.x_train)
        np.testing.assert_array_equal(again.y_test, right.y_test)
    assert capsys.readouterr().err.count("made again") > len(sound) / 29 / 4


def test_damage_is_named_and_made_again(kept, pets, sources, capsys):
    sound = kept.read_bytes()
    kept.write_bytes(sound[: len(sound) // 2])
    capsys.readouterr()
    assert pets.load(sources).digest == pets.digest(sources)
    assert kept.read_bytes() == sound
    error = capsys.readouterr().err
    assert str(kept) in error
    assert error.count("\n") == 1


def test_a_pipe_in_the_place_of_a_copy_is_not_waited_for(kept, pets, sources, capsys):
    sound = kept.read_bytes()
    kept.unlink()
    os.mkfifo(kept)
    capsys.readouterr()
    assert pets.load(sources).digest == pets.digest(sources)
    assert kept.read_bytes() == sound
    assert f"{kept} is no file" in capsys.readouterr().err


@pytest.mark.usefixtures("signals")
def test_a_signal_that_a_parser_turns_into_an_error_is_no_damage(kept, monkeypatch, capsys):
    def stopped(*arguments, **options):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError

    capsys.readouterr()
    monkeypatch.setattr(np, "load", stopped)
    with stopping.stoppable(), pytest.raises(KeyboardInterrupt):
        cache.load(kept, "")
    assert capsys.readouterr().err == ""


def test_arrays_that_do_not_have_the_digest_they_claim(kept, pets, sources, capsys):
    right = pets.load(sources)
    with np.load(kept) as copy:
        arrays = dict(copy)
    arrays["y_train"][-1] = 0
    with kept.open("wb") as file:
        np.savez(file, **arrays)
    np.testing.assert_array_equal(pets.load(sources).y_train, right.y_train)
    assert "digest" in capsys.readouterr().err


def test_a_copy_of_another_format_is_made_again_without_a_word(
    kept, pets, sources, monkeypatch, capsys
):
    capsys.readouterr()
    sound = kept.read_bytes()
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
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
