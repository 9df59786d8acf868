"""tensorflow-datasets, in a process of its own: its TensorFlow, memory, threads and chatter end
with it.

A set that was already prepared in its folder (`TFDS_DATA_DIR` or `~/tensorflow_datasets`) is
read without the network. Otherwise the set's host is asked first, because the library itself
takes minutes to find out that there is no way to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ftnoise
from ftnoise.core.data import Sources
from ftnoise.core.progress import tell
from ftnoise.datasets import Raw, Unavailable, npz_file
from ftnoise.datasets.cache import scratch

SECONDS = 1800
"""Time limit of a whole download and preparation."""

ASK_SECONDS = 4.0
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
        with scratch(sources.cache) as folder:
            out = folder / "out.npz"
            try:
                _run(folder, name, str(out), str(prepared))
                return npz_file.read(out)
            except Unavailable:
                # Prepared in a version that the library no longer knows, say.
                if sources.offline:
                    raise
    if sources.offline:
        raise Unavailable("not tried, offline")
    _ask(url)
    tell(f"downloading {name} with tensorflow-datasets")
    with scratch(sources.cache) as folder:
        out = folder / "out.npz"
        _run(folder, name, str(out), str(folder / "prepared"), "download")
        return npz_file.read(out)


def _prepared(name: str) -> Path | None:
    """The library's own folder, if it holds the set already."""
    try:
        folder = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
    except RuntimeError:
        return None
    return folder.absolute() if any(folder.glob(f"{name}/*/dataset_info.json")) else None


def _ask(url: str) -> None:
    """Raises `Unavailable` unless the host gives an answer, whatever it is."""
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=ASK_SECONDS):
            pass
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no answer from {request.host} ({reason})") from error


def _run(folder: Path, *arguments: str) -> None:
    """Runs this module's `main` in a process of its own, with `folder` to work in."""
    path = [str(Path(ftnoise.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"took more than {SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Unavailable(f"failed: {lines[-1].strip()[:200]}")


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
