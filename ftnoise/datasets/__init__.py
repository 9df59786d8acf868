"""A data set is a spec that yields arrays, wherever they come from.

A member says in `origins` where its content may come from, in order of precedence; the first
origin that has it is read, its content is checked, and a decoded copy is kept in the cache, so
that the next start neither decodes nor downloads. Nothing here imports NumPy before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import DataSet

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]


class Unavailable(Exception):
    """An origin has not got the data; the message says why, and the next origin is tried."""


class Raw(NamedTuple):
    """What an origin delivers: arrays by name, before any check, and a remark for the reader."""

    arrays: Arrays
    remark: str = ""


@dataclass(frozen=True)
class Origin:
    """A place where a data set's content may come from.

    Attributes:
        name: what a reader is told, in `Data.source`.
        read: delivers the arrays `x_train`, `y_train`, `x_test`, `y_test` (`x`: uint8, which is
            scaled by 255, or floating point; `y`: integers). Raises `Unavailable` when the next
            origin shall be tried, `BadInput` when the user has to know.
        place: the local file or folder that is read, or None for what is fetched.
        files: the local files; when one of them changes, the kept copy is made again.
        keep: whether to keep the decoded arrays; otherwise only their digest is kept.
    """

    name: str
    read: Callable[[], Raw]
    place: Path | None = None
    files: tuple[Path, ...] = ()
    keep: bool = True


@dataclass(frozen=True, kw_only=True)
class OriginDataSet(DataSet):
    """Base of all data sets. A member overrides `origins`, and the class attributes it knows.

    Attributes:
        shape: shape of an example, if known.
        class_names: what the labels mean, if known; otherwise the classes are those that occur
            in `y_train`.
        content: `content.unordered_digest` of the original, if known; anything else is refused.
    """

    shape: ClassVar[tuple[int, ...] | None] = None
    class_names: ClassVar[tuple[str, ...] | None] = None
    content: ClassVar[str | None] = None

    def origins(self, sources: Sources) -> Iterator[Origin]:
        """Where the content may come from, most preferred first."""
        raise TypeError(f"{type(self).__name__} says no origins.")

    def not_found(self, sources: Sources, tried: list[str]) -> str:
        """The line for the user when no origin has the data; `tried` says why not, for each."""
        return f"Expected the data set {self.slug} to be found. Tried: {'; '.join(tried)}."

    def _origins(self, sources: Sources) -> Iterator[Origin]:
        try:
            yield from self.origins(sources)
        except OSError as error:
            raise BadInput(
                f"Expected files of the data set {self.slug} to be readable. Received: {error}."
            ) from error

    def load(self, sources: Sources) -> Data:
        """Reads the data, from the cache where a current copy is kept.

        Raises:
            BadInput: if no origin has the data, or if what it has cannot be right.
        """
        from ftnoise.datasets import cache, content

        tried = []
        for origin in self._origins(sources):
            entry = cache.Entry(sources.cache, self, origin)
            kept = entry.arrays()
            if kept is not None:
                return content.as_data(*kept)
            try:
                raw = origin.read()
                arrays = content.checked(raw.arrays, origin.place or origin.name, self)
            except (Unavailable, BadInput, OSError) as reason:
                # A file of the user's own that cannot be right is never passed over in silence.
                if origin.place is not None:
                    raise
                tried.append(f"{origin.name}: {reason}")
                continue
            source = f"{origin.name} ({raw.remark})" if raw.remark else origin.name
            manifest = content.manifest(arrays, source, self)
            entry.keep(manifest, arrays if origin.keep else {})
            return content.as_data(manifest, arrays)
        raise BadInput(self.not_found(sources, tried))

    def digest(self, sources: Sources) -> str:
        """The digest that `load` gives, from the cache where it is kept (without the arrays)."""
        from ftnoise.datasets import cache

        # If the most preferred origin has a copy, `load` takes it; otherwise it has to read.
        for origin in self._origins(sources):
            manifest = cache.Entry(sources.cache, self, origin).manifest()
            return manifest["digest"] if manifest else self.load(sources).digest
        return self.load(sources).digest
