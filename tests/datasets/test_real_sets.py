"""The real sets, where they are: in FTNOISE_DATA, or installed as Debian's package."""

import os
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core.data import Sources
from ftnoise.datasets.cifar10 import CIFAR10
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.datasets.mnist import MNIST

FOLDER = os.environ.get("FTNOISE_DATA")


@pytest.mark.parametrize(
    "data_set",
    [FashionMNIST(), MNIST(), pytest.param(CIFAR10(), marks=pytest.mark.slow)],
    ids=lambda data_set: data_set.slug,
)
def test_a_real_set_is_what_it_says(data_set, tmp_path):
    sources = Sources(
        data_dir=Path(FOLDER) if FOLDER else None, offline=True, cache=tmp_path / "cache"
    )
    if next(data_set.origins(sources)).place is None:
        pytest.skip(f"{data_set.slug} is neither in FTNOISE_DATA nor installed")
    data = data_set.load(sources)
    assert len(data.y_train) == data_set.train_size
    assert len(data.y_test) == data_set.test_size
    assert data.x_train.shape[1:] == data_set.shape
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert len(np.unique(data.y_train)) == data.classes == 10
    assert data_set.load(sources).digest == data_set.digest(sources) == data.digest
