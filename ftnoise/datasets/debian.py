"""Debian's and Ubuntu's package of a data set: installed, or fetched and unpacked without root."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ftnoise.core.data import Sources
from ftnoise.core.progress import tell
from ftnoise.datasets import idx
from ftnoise.datasets.fetching import run, scratch
from ftnoise.datasets.origins import Origin, Raw, Unavailable

SECONDS = 300
"""Time limit of one command; apt itself gives up on a silent mirror long before."""


@dataclass(frozen=True)
class Package:
    """A package `name` that installs four IDX files in `folder`."""

    name: str
    folder: Path

    def installed(self) -> Origin | None:
        """The installed files as an origin, or None if the package is not installed."""
        return idx.origin(self.folder, f"Debian's package {self.name}")

    def fetch(self, sources: Sources) -> Raw:
        """Downloads and unpacks the package into a temporary folder and reads it there.

        Raises:
            Unavailable: offline, without apt-get or dpkg, or when one of them fails.
        """
        if sources.offline:
            raise Unavailable("not tried, offline")
        for tool in ("apt-get", "dpkg"):
            if shutil.which(tool) is None:
                raise Unavailable(f"there is no {tool}")
        tell(f"fetching {self.name} with apt-get download")
        with scratch(sources.cache) as folder:
            try:
                _run(folder, "apt-get", "download", self.name)
            except Unavailable:
                # No package lists, or old ones: with lists of its own, apt needs no root.
                own = _own_state(folder)
                _run(folder, "apt-get", *own, "update")
                _run(folder, "apt-get", *own, "download", self.name)
            archives = sorted(folder.glob("*.deb"))
            if not archives:
                raise Unavailable("apt-get download left no package")
            _run(folder, "dpkg", "-x", str(archives[0]), "unpacked")
            return idx.read(folder / "unpacked" / self.folder.relative_to("/"))


def _own_state(folder: Path) -> list[str]:
    for needed in ("state/lists/partial", "cache/archives/partial"):
        (folder / needed).mkdir(parents=True)
    settings = (
        f"Dir::State={folder}/state",
        "Dir::State::status=/var/lib/dpkg/status",
        f"Dir::Cache={folder}/cache",
        "Debug::NoLocking=1",
    )
    return [argument for setting in settings for argument in ("-o", setting)]


def _run(folder: Path, *command: str) -> None:
    run(folder, [*command], SECONDS, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
