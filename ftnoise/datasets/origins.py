"""A data set is read from the first of its origins that has it.

A member lists in `origins` the places that may have its content, most preferred first. What is read
is checked, and a decoded copy is kept in the cache, so that the next start neither decodes nor
downloads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ftnoise.core import checks, stopping
from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import BadInput, one_line
from ftnoise.core.interfaces import DataSet
from ftnoise.core.spec import canonical, digest
from ftnoise.datasets import cache

if TYPE_CHECKING:
    from ftnoise.datasets.content import Arrays


class Unavailable(Exception):
    """An origin does not have the data, for the reason in the message; the next one is tried."""


class Raw(NamedTuple):
    """Arrays by name as an origin delivers them, unchecked, and a remark for the reader."""

    arrays: Arrays
    remark: str = ""


@dataclass(frozen=True)
class Origin:
    """A place where a data set's content may come from.

    Attributes:
        name: what `Data.source` shows to a reader.
        read: delivers `x_train`, `y_train`, `x_test`, `y_test` (see `content`). Raises
            `Unavailable` where the next origin shall be tried, `BadInput` where the user has to
            know.
        place: the local file or folder that is read, or None for a download.
        files: the local files; when one of them changes, the cached copy is made again.
        cached: whether the cache keeps a copy of the decoded arrays.
    """

    name: str
    read: Callable[[], Raw]
    place: Path | None = None
    files: tuple[Path, ...] = ()
    cached: bool = True

    def signature(self) -> str:
        """SHA-256 (hex) of the names, sizes and times of the files; empty for none."""
        total = hashlib.sha256()
        for file in self.files:
            with reading(file, "a readable file"):
                stat = file.stat()
            line = f"{file.absolute()}/{stat.st_size}/{stat.st_mtime_ns}/{stat.st_ctime_ns}\n"
            total.update(line.encode(errors="surrogateescape"))
        return total.hexdigest() if self.files else ""


@dataclass(frozen=True, kw_only=True)
class OriginDataSet(DataSet):
    """Base of data sets that are read. A member overrides `origins` and the attributes it knows.

    Attributes:
        shape: shape of an example, if known.
        class_names: what the labels mean, if known; otherwise the classes are those that occur
            in `y_train`.
        content: `content.unordered_digest` of the original, if known; anything else is refused.
    """

    shape: ClassVar[tuple[int, ...] | None] = None
    class_names: ClassVar[tuple[str, ...] | None] = None
    content: ClassVar[str | None] = None

    @abstractmethod
    def origins(self, sources: Sources) -> Iterator[Origin]:
        """Where the content may come from, most preferred first."""

    def not_found(self, sources: Sources, tried: list[str]) -> str:
        """The message when no origin has the data; `tried` has a reason for each."""
        return f"Expected the data set {self.slug} to be found. Tried: {'; '.join(tried)}."

    def load(self, sources: Sources) -> Data:
        """The arrays, from the cache where it has a current copy."""
        from ftnoise.datasets import content

        tried = []
        for origin in self._origins(sources):
            path, signature = self._copy(sources, origin), origin.signature()
            copy = cache.load(path, signature) if origin.cached else None
            if copy is not None:
                return content.as_data(*copy)
            try:
                raw = origin.read()
                arrays = content.checked(
                    raw.arrays,
                    origin.place or origin.name,
                    sizes=(self.train_size, self.test_size),
                    shape=self.shape,
                    classes=len(self.class_names) if self.class_names else None,
                    original=self.content,
                )
            except (Unavailable, BadInput, OSError) as reason:
                stopping.check()
                # A wrong file of the user's own is never passed over in silence.
                if origin.place is not None:
                    raise
                tried.append(f"{origin.name}: {reason}")
                continue
            manifest = {
                "digest": content.digest(arrays),
                "source": f"{origin.name} ({raw.remark})" if raw.remark else origin.name,
                "classes": len(self.class_names or ()) or int(arrays["y_train"].max()) + 1,
            }
            if origin.cached:
                cache.save(path, signature, manifest, arrays)
            return content.as_data(manifest, arrays)
        raise BadInput(self.not_found(sources, tried))

    def digest(self, sources: Sources) -> str:
        """`load(sources).digest`, without the arrays where the cache has a copy."""
        origin = next(self._origins(sources), None)
        if origin and origin.cached:
            path = self._copy(sources, origin)
            if copy := cache.load(path, origin.signature(), with_arrays=False):
                return copy[0]["digest"]
        return self.load(sources).digest

    def _origins(self, sources: Sources) -> Iterator[Origin]:
        try:
            yield from self.origins(sources)
        except OSError as error:
            raise BadInput(
                f"Expected files of the data set {self.slug} to be readable. Received: {error}."
            ) from error

    def _copy(self, sources: Sources, origin: Origin) -> Path:
        """Where the cache keeps this set from this origin: each member reads by its own rules."""
        place = str(origin.place.absolute()) if origin.place else ""
        key = digest({"reader": canonical(self), "place": ascii(place)})
        return sources.cache / "datasets" / f"{self.slug}-{key[:10]}.npz"


@dataclass(frozen=True, kw_only=True)
class OwnDataSet(OriginDataSet):
    """Base of a user's own data; content and name are the identity, the path is not.

    Args:
        path: the file or folder.
        name: distinguishes it from others in the same table.
    """

    path: str = field(metadata={"identity": False})
    name: str = ""

    def __post_init__(self) -> None:
        checks.path(path=self.path)
        object.__setattr__(self, "path", os.fspath(self.path))
        checks.instance(str, "a string", name=self.name)

    @cached_property
    def _digests(self) -> dict[tuple[int | None, int | None], str]:
        return {}

    def may_be(self, digest: str, source: str, train: int | None, test: int | None) -> bool:
        """By the content, or by the name where the file or folder is missing or unreadable."""
        if (train, test) not in self._digests:
            self._digests[train, test] = ""
            with contextlib.suppress(BadInput):
                data = self.load(Sources.from_environment())
                self._digests[train, test] = data.take(train, test).digest
        name = Path(self.path).name
        if known := self._digests[train, test]:
            return digest == known
        return source == name or source.startswith(f"{name} (")


@contextlib.contextmanager
def reading(path: object, kind: str) -> Iterator[None]:
    """Whatever a parser raises on a damaged file becomes a `BadInput` that names the file."""
    try:
        yield
    except BadInput as error:
        named = str(path) in str(error)
        raise error if named else BadInput(f"{path}: {error}") from error
    except Exception as error:
        raise BadInput(f"Expected {path} to be {kind}. Received: {one_line(error)}") from error
