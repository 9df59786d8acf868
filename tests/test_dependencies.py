"""Each dependency is used, not only imported: what installs cleanly may still not work."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_lock_holds_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    locked = (ROOT / "requirements.txt").read_text()
    assert asked <= set(re.findall(r"^(\S+==\S+) ", locked, re.MULTILINE))


def test_tensorflow_and_keras_train(tiny_images):
    import keras
    import tensorflow as tf

    assert keras.layers.Layer is tf.keras.layers.Layer, "two different versions of Keras"
    keras.utils.set_random_seed(0)
    x, y = tiny_images
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.legacy.SGD(0.01), loss)
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_tensorflow_datasets_builds_and_reads_a_set(tmp_path):
    import tensorflow_datasets as tfds
    from PIL import Image

    for split, count in (("train", 3), ("test", 2)):
        for label, shade in (("dark", 10), ("light", 200)):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(np.full((4, 4, 3), shade + i, np.uint8)).save(folder / f"{i}.png")
    builder = tfds.folder_dataset.ImageFolder(str(tmp_path / "images"))
    assert builder.info.features["label"].names == ["dark", "light"]
    assert builder.info.splits["train"].num_examples == 6
    read = tfds.as_numpy(builder.as_dataset("test", batch_size=-1, shuffle_files=False))
    assert sorted(zip(read["label"], read["image"][:, 0, 0, 0], strict=True)) == [
        (0, 10),
        (0, 11),
        (1, 200),
        (1, 201),
    ]


def test_tensorflow_datasets_prepares_a_builder_of_its_own(tmp_path):
    import tensorflow_datasets as tfds

    class Squares(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"x": np.int64, "square": np.int64})
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for x in range(5):
                yield x, {"x": x, "square": x * x}

    builder = Squares(data_dir=str(tmp_path))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    read = tfds.as_numpy(builder.as_dataset("train"))
    assert sorted((row["x"], row["square"]) for row in read) == [(x, x * x) for x in range(5)]


def test_tensorboard_serves_a_scalar(tmp_path):
    import tensorflow as tf

    with tf.summary.create_file_writer(str(tmp_path / "run")).as_default():
        for step in range(3):
            tf.summary.scalar("loss", 1.5 * step, step=step)
        tf.summary.flush()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/data/plugin/scalars/scalars?run=run&tag=loss"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path)]
    # Warnings of TensorBoard's own process are not ours; what it says when it fails is.
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=said,
            stderr=said,
        ) as server,
    ):
        try:
            events = None
            while events is None:
                try:
                    with urllib.request.urlopen(address, timeout=60) as answer:
                        events = json.load(answer)
                except OSError:
                    # Not up yet, or up and the run not read yet.
                    assert server.poll() is None, (tmp_path / "said").read_text()
                    time.sleep(0.1)
        finally:
            server.kill()
    assert [(step, value) for _, step, value in events] == [(0, 0.0), (1, 1.5), (2, 3.0)]


def test_tensorboard_reads_its_event_files(tmp_path):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        tf.summary.histogram("weights", np.arange(10.0), step=1)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["tensors"] == ["weights"]


def test_cleverhans_takes_a_pgd_step():
    import tensorflow as tf
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    # The logits of a linear model: every step goes along the sign of the same gradient.
    weights = tf.constant([[1.0, -1.0], [-2.0, 2.0]])
    x = np.array([[0.5, 0.5], [0.2, 0.9]], np.float32)
    attacked = projected_gradient_descent(
        lambda inputs: inputs @ weights,
        x,
        eps=0.1,
        eps_iter=0.1,
        nb_iter=1,
        norm=np.inf,
        clip_min=0.0,
        clip_max=0.95,
        y=np.array([0, 0]),
        rand_init=False,
        sanity_checks=False,
    )
    np.testing.assert_allclose(attacked, [[0.4, 0.6], [0.1, 0.95]], atol=1e-6)


def test_tensorflow_privacy_clips_each_example():
    import keras
    from tensorflow_privacy import DPKerasSGDOptimizer

    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    optimizer = DPKerasSGDOptimizer(
        l2_norm_clip=1.0, noise_multiplier=0.0, num_microbatches=2, learning_rate=1.0
    )
    loss = keras.losses.MeanSquaredError(reduction=keras.losses.Reduction.NONE)
    model.compile(optimizer, loss)
    x = np.array([[3.0, 0.0], [0.0, 0.25]], np.float32)
    model.fit(x, np.ones((2, 1), np.float32), batch_size=2, epochs=1, verbose=0)
    # The gradients are [-6, 0], clipped to norm 1, and [0, -0.5], left as it is; then their mean.
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [0.5, 0.25], atol=1e-6)
    assert int(optimizer.iterations) == 1


def test_tensorflow_privacy_accounts():
    from tensorflow_privacy import compute_dp_sgd_privacy_statement

    statement = compute_dp_sgd_privacy_statement(
        number_of_examples=1000,
        batch_size=100,
        num_epochs=1.0,
        noise_multiplier=1.0,
        delta=1e-5,
        used_microbatching=False,
    )
    assert "Epsilon with each example occurring once per epoch" in statement


def test_pandas_and_pyarrow_carry_a_table_there_and_back():
    import pandas as pd
    import pyarrow as pa

    table = pd.DataFrame({"row": ["natural", "trades"], "ours": [98.8, None]})
    assert pa.Table.from_pandas(table).to_pandas().equals(table)
    stored = io.BytesIO()
    table.to_parquet(stored)
    stored.seek(0)
    assert pd.read_parquet(stored).equals(table)
    assert pa.array(np.arange(3)).to_numpy().tolist() == [0, 1, 2]


def test_matplotlib_draws_a_picture_that_pillow_reads():
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(2, 1), dpi=50, facecolor="red")
    figure.add_subplot().plot([1, 2], [3, 4])
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        assert picture.size == (100, 50)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_pillow_decodes_a_jpeg():
    from PIL import Image

    stored = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(stored, "JPEG", quality=95)
    with Image.open(stored) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (8, 8, 3)
    np.testing.assert_allclose(pixels[4, 4], (200, 100, 50), atol=3)


def test_scipy_knows_student_and_kullback_leibler():
    from scipy import special, stats

    assert stats.t.ppf(0.975, 2) == pytest.approx(4.302653, abs=1e-5)
    assert special.rel_entr([0.5, 0.5], [0.25, 0.75]).sum() == pytest.approx(0.143841, abs=1e-5)
