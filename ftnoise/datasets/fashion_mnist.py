"""Fashion-MNIST: 28x28 grayscale images of clothes, 60,000 for training and 10,000 for testing.

Source: Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms".
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.datasets.public import PublicSet


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(PublicSet):
    """Fashion-MNIST of Xiao et al. (2017), `[n, 28, 28, 1]`, 10 classes."""

    train_size = 60_000
    test_size = 10_000
    shape = (28, 28, 1)
    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    content = "d7598c9a018944f255b1490321101dd31ef493b0ea7740d5748fc8a26f9f28d4"
    tfds_url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
    debian = "fashion-mnist"
