"""tensorflow-datasets in a process of its own, so that its TensorFlow, memory and output end with
it.

A set that is already prepared in the library's folder (`TFDS_DATA_DIR` or `~/tensorflow_datasets`)
is read without the network. Before a download the set's host is tried, because the library itself
takes minutes to find out that it cannot be reached.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ftnoise
from ftnoise.core.data import Sources
from ftnoise.core.progress import tell
from ftnoise.datasets import npz_file
from ftnoise.datasets.fetching import run, scratch
from ftnoise.datasets.origins import Raw, Unavailable

SECONDS = 1800
"""Time limit of a whole download and preparation."""

HOST_SECONDS = 4.0
"""Time limit for the host's first answer."""


def fetch(name: str, url: str, sources: Sources) -> Raw:
    """The supervised pairs of the splits `train` and `test` of the set called `name`.

    Args:
        name: the set's name in the library.
        url: something on the host that the library downloads this set from.
        sources: the cache, in which the download takes place, and whether the network is allowed.

    Raises:
        Unavailable: offline, when the host does not answer, or when the library fails.
    """
    prepared = _prepared(name)
    if prepared:
        try:
            return _read(name, sources, prepared)
        except Unavailable:
            # Prepared in a version that the library no longer knows, say.
            if sources.offline:
                raise
    if sources.offline:
        raise Unavailable("not tried, offline")
    _reach(url)
    tell(f"downloading {name} with tensorflow-datasets")
    return _read(name, sources)


def _prepared(name: str) -> Path | None:
    """The library's own folder, if it holds the set already."""
    try:
        folder = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
    except RuntimeError:
        return None
    return folder.absolute() if any(folder.glob(f"{name}/*/dataset_info.json")) else None


def _reach(url: str) -> None:
    """Raises `Unavailable` unless the host gives any answer."""
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=HOST_SECONDS):
            pass
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no answer from {request.host} ({reason})") from error


def _read(name: str, sources: Sources, prepared: Path | None = None) -> Raw:
    """Reads the set that is `prepared`, or downloads it, in this module's `main`."""
    package = str(Path(ftnoise.__file__).parent.parent)
    with scratch(sources.cache) as folder:
        out = folder / "out.npz"
        data_dir = [str(prepared)] if prepared else [str(folder / "prepared"), "download"]
        run(
            folder,
            [sys.executable, "-m", __name__, name, str(out), *data_dir],
            SECONDS,
            PYTHONPATH=os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
            TF_CPP_MIN_LOG_LEVEL="3",
            CUDA_VISIBLE_DEVICES="-1",
        )
        return npz_file.read(out)


def main(name: str, out: str, data_dir: str, download: str = "") -> None:
    """Writes the arrays of the set prepared in `data_dir` to `out`; may `download` it first."""
    import numpy as np
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = tfds.builder(name, data_dir=data_dir)
    if download:
        builder.download_and_prepare()
    arrays = {}
    for split in ("train", "test"):
        # One file after the other, so that the order is the same each time.
        pairs = builder.as_dataset(
            split=split,
            batch_size=-1,
            as_supervised=True,
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
        arrays[f"x_{split}"], arrays[f"y_{split}"] = tfds.as_numpy(pairs)
    np.savez(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
