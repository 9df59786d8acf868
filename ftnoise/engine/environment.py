"""The environment of a run: versions, commit, machine and number of threads."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import ftnoise
from ftnoise.core.lazy import tf

PACKAGES = ("tensorflow", "tensorflow-privacy", "keras", "numpy")
# Prefixes of environment variables that change what these packages compute.
SWITCHES = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "MKL_", "OMP_", "KMP_", "CUDA_", "NVIDIA_")
# TensorFlow's own that change messages alone, and those of Terraform, which share the prefix.
NO_SWITCHES = ("TF_CPP_", "TF_CLI_", "TF_VAR_")


def arithmetic(environment: dict[str, Any]) -> str:
    """`AMD EPYC, 2 threads`: what the last bits of a training in this environment depend on."""
    where = ", ".join(environment["gpus"]) or environment["processor"]
    count = environment["threads"]
    return f"{where}, {count} thread{'' if count == 1 else 's'}"


def repeatable(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a training takes the same steps in both environments, bit for bit.

    GPUs add in no fixed order. A commit may differ, as long as the code is the same.
    """
    differing = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return differing <= {"commit"} and not one["gpus"]


def now() -> str:
    """The time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def versions() -> dict[str, str]:
    """Of Python, this package and those that compute the numbers."""
    return {
        "python": platform.python_version(),
        "ftnoise": ftnoise.__version__,
        **{package: metadata.version(package) for package in PACKAGES},
    }


def environment() -> dict[str, Any]:
    """Versions, commit, machine and threads: what the numbers depend on beside the spec."""
    cores = len(os.sched_getaffinity(0))
    return {
        **versions(),
        "commit": commit(),
        "code": code(),
        "switches": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SWITCHES) and not name.startswith(NO_SWITCHES)
        },
        "processor": processor(),
        "cores": cores,
        # With how many threads TensorFlow computes one operation; 0 stands for all cores.
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or cores,
        "gpus": [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ],
    }


def code() -> str:
    """SHA-256 (hex) of the package's source files."""
    here = Path(ftnoise.__file__).resolve().parent
    total = hashlib.sha256()
    for file in sorted(here.rglob("*.py")):
        total.update(f"{file.relative_to(here).as_posix()}\0".encode() + file.read_bytes())
    return total.hexdigest()


def commit() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it.

    Outside a checkout, the value of FTNOISE_COMMIT (a container's image sets it), or None.
    """
    here = Path(ftnoise.__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+changes"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("FTNOISE_COMMIT") or None
    return described.stdout.strip()


def processor() -> str:
    """The processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
