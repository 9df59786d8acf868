import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise import datasets
from ftnoise.core.errors import BadInput
from ftnoise.datasets.origins import Origin, OriginDataSet, Raw, Unavailable


class Made(OriginDataSet):
    """A set that is computed, after an origin that has nothing."""

    def origins(self, sources):
        def absent():
            raise Unavailable("shut")

        yield Origin("the shop", absent)
        yield Origin("arithmetic", self.make, cached=False)

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
