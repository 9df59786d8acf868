"""MNIST: 28x28 grayscale images of digits, 60,000 for training and 10,000 for testing.

Source: LeCun, Bottou, Bengio and Haffner (1998), "Gradient-Based Learning Applied to Document
Recognition".
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.datasets.public import PublicSet


@dataclass(frozen=True, kw_only=True)
class MNIST(PublicSet):
    """MNIST of LeCun et al. (1998), `[n, 28, 28, 1]`, 10 classes."""

    train_size = 60_000
    test_size = 10_000
    shape = (28, 28, 1)
    class_names = tuple("0123456789")
    content = "fbad8da2bc2012fad882076bf4820d60b11540bed5d24b8f8d4dd006142378f4"
    tfds_url = "https://storage.googleapis.com"
