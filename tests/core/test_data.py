"""Where data may come from, and subsets of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import BadInput

X, Y = np.arange(20, dtype=np.float32).reshape(20, 1), np.arange(20)
DATA = Data(X, Y, X[:8] + 100, Y[:8], classes=20, digest="whole", source="memory")


def test_the_users_folder_comes_from_the_argument_or_the_environment(monkeypatch, tmp_path):
    for name in ("own", "named"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FTNOISE_DATA", str(tmp_path / "named"))
    assert Sources.from_environment().data_dir == tmp_path / "named"
    assert Sources.from_environment(tmp_path / "own", offline=True) == Sources(
        data_dir=tmp_path / "own", offline=True
    )
    for unset in ("", None):
        monkeypatch.delenv("FTNOISE_DATA", raising=False)
        if unset is not None:
            monkeypatch.setenv("FTNOISE_DATA", unset)
        assert Sources.from_environment().data_dir is None


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"FTNOISE_DATA to be a folder.*nowhere"):
        Sources.from_environment(tmp_path / "nowhere")


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Sources().cache == tmp_path / "ftnoise"
    # The specification of XDG ignores relative paths.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Sources().cache == tmp_path / ".cache" / "ftnoise"
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(BadInput, match="HOME or XDG_CACHE_HOME"):
        Sources()


@pytest.mark.parametrize("sizes", [(None, None), (20, 8), (99, 99), (None, 8)])
def test_all_of_it_is_itself(sizes):
    assert DATA.take(*sizes) is DATA


@pytest.mark.parametrize(("train", "test"), [(5, None), (None, 3), (5, 3)])
def test_a_subset_is_the_same_at_each_call_and_keeps_pairs_and_order(train, test):
    few, again = DATA.take(train, test), DATA.take(train, test)
    assert (len(few.y_train), len(few.y_test)) == (train or 20, test or 8)
    np.testing.assert_array_equal(few.x_train[:, 0], few.y_train)
    np.testing.assert_array_equal(few.x_test[:, 0] - 100, few.y_test)
    assert (np.diff(few.y_train) > 0).all()
    np.testing.assert_array_equal(few.x_train, again.x_train)
    assert few.digest == again.digest
    assert (few.classes, few.source) == (DATA.classes, DATA.source)


def test_each_subset_has_a_digest_of_its_own():
    digests = {DATA.take(*sizes).digest for sizes in ((5, None), (6, None), (5, 3), (None, 3))}
    assert len(digests | {DATA.digest}) == 5
