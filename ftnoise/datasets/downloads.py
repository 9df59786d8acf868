"""Downloads of public sets: with tensorflow-datasets, and as Debian's or Ubuntu's package.

tensorflow-datasets runs in a process of its own (`main`), so that its TensorFlow, memory and output
end with it. A set that is already prepared in its folder (`TFDS_DATA_DIR` or
`~/tensorflow_datasets`) is read without the network. apt-get and dpkg need no root here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ftnoise
from ftnoise.core import files
from ftnoise.core.data import Sources
from ftnoise.core.lazy import np
from ftnoise.core.progress import log
from ftnoise.datasets import idx, npz_file
from ftnoise.datasets.origins import Raw, Unavailable

# Time limits: of a whole download and preparation, of the host's first answer, and of one command
# of apt, which itself gives up on a silent mirror long before.
TFDS_SECONDS, HOST_SECONDS, APT_SECONDS = 1800.0, 4.0, 300.0
DEBIAN_FOLDER = Path("/usr/share/datasets")


def from_tfds(name: str, url: str, sources: Sources) -> Raw:
    """The supervised pairs of the splits `train` and `test` of a set of tensorflow-datasets.

    `url` is something on the host from which the library downloads this set. Raises `Unavailable`
    offline, when the host does not answer, or when the library fails.
    """
    prepared = os.environ.get("TFDS_DATA_DIR") or os.path.expanduser("~/tensorflow_datasets")
    if any(Path(prepared).glob(f"{name}/*/dataset_info.json")):
        try:
            return _read_tfds(name, sources.cache, os.path.abspath(prepared))
        except Unavailable:
            # Prepared in a version that the library no longer knows, say.
            if sources.offline:
                raise
    if sources.offline:
        raise Unavailable("not tried, offline")
    _reach(url)
    log(f"downloading {name} with tensorflow-datasets")
    return _read_tfds(name, sources.cache)


def from_debian(name: str, sources: Sources) -> Raw:
    """The IDX files that the package `dataset-<name>` installs in `DEBIAN_FOLDER/<name>`.

    Raises `Unavailable` offline, without apt-get or dpkg, or when one of them fails.
    """
    package = f"dataset-{name}"
    if sources.offline:
        raise Unavailable("not tried, offline")
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool}")
    log(f"fetching {package} with apt-get download")
    with _scratch(sources.cache) as folder:
        try:
            _run(folder, APT_SECONDS, "apt-get", "download", package)
        except Unavailable:
            # No package lists, or old ones: with lists of its own, apt needs no root.
            for needed in ("state/lists/partial", "cache/archives/partial"):
                (folder / needed).mkdir(parents=True)
            settings = (
                f"Dir::State={folder}/state",
                "Dir::State::status=/var/lib/dpkg/status",
                f"Dir::Cache={folder}/cache",
                "Debug::NoLocking=1",
            )
            own = [argument for setting in settings for argument in ("-o", setting)]
            _run(folder, APT_SECONDS, "apt-get", *own, "update")
            _run(folder, APT_SECONDS, "apt-get", *own, "download", package)
        archives = sorted(folder.glob("*.deb"))
        if not archives:
            raise Unavailable("apt-get download left no package")
        _run(folder, APT_SECONDS, "dpkg", "-x", str(archives[0]), "unpacked")
        origin = idx.origin(folder / "unpacked" / DEBIAN_FOLDER.relative_to("/") / name, package)
        if origin is None:
            raise Unavailable(f"{package} holds other files")
        return origin.read()


def _reach(url: str) -> None:
    """Raises `Unavailable` unless the host gives any answer: the library itself waits minutes."""
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


@contextlib.contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """A folder for the time of a download, in the cache if that can be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for left in files.abandoned(cache.glob("fetch-*")):  # by a killed process
            shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix="fetch-", dir=cache)
    except OSError:
        folder = tempfile.TemporaryDirectory(prefix="ftnoise-")
    with folder as name:
        yield Path(name).resolve()


def _read_tfds(name: str, cache: Path, prepared: str = "") -> Raw:
    """Reads the set that is `prepared` in a folder, or downloads it, in this module's `main`."""
    package = str(Path(ftnoise.__file__).parent.parent)
    with _scratch(cache) as folder:
        _run(
            folder,
            TFDS_SECONDS,
            *(sys.executable, "-m", __name__, name, "out.npz", prepared),
            PYTHONPATH=os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
            TF_CPP_MIN_LOG_LEVEL="3",
            CUDA_VISIBLE_DEVICES="-1",
        )
        return npz_file.read(folder / "out.npz")


def _run(folder: Path, seconds: float, *command: str, **environment: str) -> None:
    """Runs a command in `folder`; `Unavailable`, with its last line, if it fails or hangs."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | environment | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} took more than {seconds} s") from None
    except OSError as error:
        raise Unavailable(f"{name} does not start: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise Unavailable(f"{name} failed: {lines[-1].strip()[:200]}")


def main(name: str, out: str, prepared: str) -> None:
    """Writes the arrays of a set to `out`; downloads it first unless a folder has it `prepared`."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = tfds.builder(name, data_dir=prepared or "prepared")
    if not prepared:
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
