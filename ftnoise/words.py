"""An argument parser whose errors are one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from ftnoise.errors import BadInput


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises `BadInput`; `main` prints it."""
        raise BadInput(f"{message} (see {self.prog} --help)")
