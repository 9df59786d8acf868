"""Sphinx: the manual, built offline from these pages, the docstrings and `runs/reference`.

Nothing is trained or measured. `_generate.py` writes what a page names in a comment such as
`<!-- generate: report table5.paper -->`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["COLUMNS"] = "100"  # of the help of the commands

import _generate  # noqa: E402

project = "ftnoise"
extensions = ["myst_parser", *(f"sphinx.ext.{n}" for n in ("autodoc", "autosummary", "napoleon"))]
html_theme = "furo"
html_title = "ftnoise"
# A backtick means code, in docstrings as in Markdown.
default_role = "code"
myst_heading_anchors = 3
# Several modules define a Target, a Search and Weights: a short name in a signature links to one.
suppress_warnings = ["ref.python"]
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of Keras are no RST
napoleon_use_ivar = True
napoleon_use_rtype = False


def _without_module_text(app: Any, what: str, *given: Any) -> None:
    """Drops a module's docstring: it is Markdown, which `_generate.modules` puts on the page."""
    if what == "module":
        given[-1].clear()


def setup(app: Any) -> None:
    """Connects the generated parts of pages."""
    app.connect("source-read", _generate.fill)
    app.connect("autodoc-process-docstring", _without_module_text)
