from __future__ import annotations

from collections.abc import Callable

import pytest

from ftnoise.store.folders import RunFolder, Store
from tests.engine.running import folder_of


@pytest.fixture
def log(tmp_path) -> Callable[[str], list[str]]:
    """The lines that the fake wrote since the last call, of one kind."""
    file, read = tmp_path / "log", [0]

    def new(kind: str = "") -> list[str]:
        lines = file.read_text().splitlines()[read[0] :] if file.exists() else []
        read[0] += len(lines)
        return [line for line in lines if line.startswith(kind)]

    return new


@pytest.fixture
def folder(one) -> RunFolder:
    """The folder of the unit `one`."""
    return folder_of(one)


@pytest.fixture
def copy(whole, one, folder) -> RunFolder:
    """The same, with a copy of the finished run `whole`."""
    whole.copy_to(Store(one.root))
    return folder
