from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def log(tmp_path) -> Callable[[str], list[str]]:
    """The lines that the fake wrote since the last call, of one kind."""
    file, read = tmp_path / "log", [0]

    def new(kind: str = "") -> list[str]:
        lines = file.read_text().splitlines()[read[0] :] if file.exists() else []
        read[0] += len(lines)
        return [line for line in lines if line.startswith(kind)]

    return new
