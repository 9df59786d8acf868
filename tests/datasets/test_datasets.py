import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise import datasets
from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets import DataSet, Origin, Raw, Unavailable


def data(train=20, test=10):
    x = np.arange(train + test, dtype=np.float32)[:, None]
    y = np.arange(train + test) % 2
    return Data(x[:train], y[:train], x[train:], y[train:], classes=2, digest="ab" * 32)


def test_the_folder_given_wins_over_the_environment(monkeypatch, tmp_path):
    for name in ("given", "environment"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FTNOISE_DATA", str(tmp_path / "environment"))
    assert Sources.from_environment().data_dir == tmp_path / "environment"
    assert Sources.from_environment(tmp_path / "given").data_dir == tmp_path / "given"
    monkeypatch.setenv("FTNOISE_DATA", "")
    assert Sources.from_environment(offline=True) == Sources(offline=True)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        Sources.from_environment(tmp_path / "nowhere")


@pytest.mark.parametrize("configured", ["", "relative"])
def test_the_cache_is_in_the_home_folder_unless_told_otherwise(monkeypatch, tmp_path, configured):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", configured)
    assert Sources().cache == tmp_path / ".cache" / "ftnoise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert Sources().cache == tmp_path / "elsewhere" / "ftnoise"


def test_take_gives_the_same_subset_each_time_and_keeps_pairs_together():
    whole = data()
    part, again = whole.take(8, 3), whole.take(8, 3)
    assert (part.x_train.shape, part.x_test.shape) == ((8, 1), (3, 1))
    np.testing.assert_array_equal(part.x_train, again.x_train)
    np.testing.assert_array_equal(part.y_train, part.x_train[:, 0] % 2)
    np.testing.assert_array_equal(part.y_test, part.x_test[:, 0] % 2)
    assert len(np.unique(part.x_train)) == 8
    assert not np.array_equal(part.x_train, whole.x_train[:8])
    assert part.digest == again.digest
    assert len({part.digest, whole.digest, whole.take(8, 4).digest, whole.take(3, 8).digest}) == 4


@pytest.mark.parametrize("sizes", [(None, None), (20, 10), (99, 99), (99, None)])
def test_take_of_everything_changes_nothing(sizes):
    whole = data()
    assert whole.take(*sizes) is whole


def test_take_leaves_the_other_split_alone():
    whole = data()
    np.testing.assert_array_equal(whole.take(5, None).x_test, whole.x_test)
    np.testing.assert_array_equal(whole.take(None, 5).y_train, whole.y_train)


class Made(DataSet):
    """A set that is computed, after an origin that has nothing."""

    def origins(self, sources):
        def absent():
            raise Unavailable("shut")

        yield Origin("the shop", absent)
        yield Origin("arithmetic", self.make, keep=False)

    def make(self):
        x = np.array([[-2.0, 3.0], [0.0, 1.0]])
        labels = np.array([1, 0])
        return Raw({"x_train": x, "y_train": labels, "x_test": x, "y_test": labels})


def test_the_next_origin_is_tried_and_a_computed_set_leaves_nothing_behind(sources):
    loaded = Made().load(sources)
    assert loaded.source == "arithmetic"
    assert Made().digest(sources) == loaded.digest
    assert not sources.cache.exists()


def test_when_no_origin_has_the_data_every_reason_is_told(sources, monkeypatch):
    def broken(self):
        raise OSError("no space")

    monkeypatch.setattr(Made, "make", broken)
    with pytest.raises(BadInput, match=r"made to be found.*the shop: shut; arithmetic: no space"):
        Made().load(sources)


def test_no_set_imports_numpy_or_tensorflow():
    folder = Path(datasets.__file__).parent
    modules = [f"ftnoise.datasets.{path.stem}" for path in folder.glob("[a-z]*.py")]
    modules.remove("ftnoise.datasets.content")  # which is imported with the first array
    heavy = {"numpy", "tensorflow", "PIL", "tensorflow_datasets"}
    code = f"import sys, {', '.join(modules)}; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
