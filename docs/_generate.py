"""Parts of pages that are written from the package and from the committed results."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import ftnoise
from ftnoise.cli import main as cli
from ftnoise.core.progress import duration
from ftnoise.user import catalog

ROOT = Path(__file__).resolve().parent.parent
MAIN = "Duddu et al."
CITED = re.compile(
    r'(?:([A-Z][\w-]+(?:(?:, | and )[A-Z][\w-]+)*(?: et al\.)?(?: \(\d{4}\))?), )?"([^"]{15,})"'
)


def fill(app: Any, page: str, source: list[str]) -> None:
    """Replaces `<!-- generate: NAME ARGUMENT ... -->` by what the function NAME returns."""

    def made(found: re.Match[str]) -> str:
        name, *arguments = found[1].split()
        return globals()[name](page, *arguments)

    source[0] = re.sub(r"<!-- generate: (.*?) -->", made, source[0])


def report(page: str, name: str) -> str:
    """A committed report, without its title, with its pictures."""
    text = (ROOT / "runs" / "reference" / f"{name}.md").read_text()
    text = text.split("\n", 1)[1]
    folder = "../" * (page.count("/") + 1) + "runs/reference"
    return re.sub(r"^## ", "### ", text, flags=re.MULTILINE).replace("](", f"]({folder}/")


def findings(page: str) -> str:
    """The table of claims and verdicts of the README."""
    readme = (ROOT / "README.md").read_text()
    return "\n".join(
        re.findall(r"^\|.*", readme.split("## Findings")[1].split("##")[0], re.MULTILINE)
    )


def experiments(page: str) -> str:
    """A table of the experiments with their cost, from the values `EXPERIMENT`."""
    lines = ["| command | shows | source | time on two cores |", "| :-- | :-- | :-- | :-- |"]
    for name in catalog.names():
        one = catalog.experiment(name)
        costs = ", ".join(f"{p} {duration(60 * m)}" for p, m in one.minutes.items())
        lines.append(f"| `{name}` | {one.title} | {one.source.rstrip('.')} | {costs} |")
    return "\n".join(lines)


def columns(page: str, measure: str) -> str:
    """The columns of all tables that show a measure, and the experiments that have them."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in catalog.names():
        for column in catalog.experiment(name).columns:
            if type(column.measure).__name__ == measure:
                unit = f" ({column.unit})" if column.unit else ""
                found[f"{column.title}{unit}"][f"`{name}`"] = None
    assert found, f"No table has a column of {measure}."
    where: dict[str, list[str]] = defaultdict(list)
    for title, names in found.items():
        where[", ".join(names)].append(title)
    return "\n".join(f"- {'; '.join(titles)}: {names}" for names, titles in where.items())


def public(page: str) -> str:
    """All names of `ftnoise`, by the module that defines them, with the first line of each."""
    homes: dict[str, list[str]] = defaultdict(list)
    for name in sorted(ftnoise.__all__):
        homes[getattr(ftnoise, name).__module__].append(name)
    return "\n\n".join(
        f"## {_text(importlib.import_module(home)).splitlines()[0].rstrip('.')}\n\n"
        + _rst(".. autosummary::", "", *(f"   ~{home}.{name}" for name in names))
        for home, names in sorted(homes.items())
    )


def modules(page: str, *names: str) -> str:
    """The docstring of each module and of each module in each package, and its public members."""
    return "\n\n".join(
        f"## `{name}`\n\n{_text(importlib.import_module(name))}\n\n"
        + _rst(f".. automodule:: {name}", "   :members:", "   :show-inheritance:")
        for named in names
        for name in _names(named)
    )


def commands(page: str) -> str:
    """The help of each command, as argparse prints it."""
    parts = []
    for name, stem in {"EXPERIMENT": "reproduce", **cli.commands()}.items():
        about = cli.summary(stem)
        parser = argparse.ArgumentParser(prog=f"./reproduce.sh {name}", description=about)
        parser.set_defaults(experiment=name)
        importlib.import_module(f"ftnoise.cli.{stem}").arguments(parser)
        parts.append(f"## {name}\n\n```text\n{parser.format_help()}```")
    return "\n\n".join(parts)


def papers(page: str) -> str:
    """The deviations of all modules, by the first paper that the module names as its source."""
    found: dict[str, list[str]] = defaultdict(list)
    named: dict[str, str] = {}
    also: dict[str, set[str]] = defaultdict(set)
    for name in _names("ftnoise"):
        text = _text(importlib.import_module(name))
        if "\nDeviations\n" not in text:
            continue
        before, deviations = text.split("\nDeviations\n")
        found_here = CITED.findall(" ".join(before.split()))
        cited = [(who, title.strip(",.")) for who, title in found_here]
        if not cited or re.search(r"(of|in) the\s+paper|paper's|Table \d of the", before):
            cited.insert(0, (MAIN, "Fault Tolerance of Neural Networks in Adversarial Settings"))
        for who, title in cited:
            named[title] = named.get(title) or who
        found[cited[0][1]].append(f"### `{name}`\n\n{before.splitlines()[0]}\n\n{deviations}")
        for _, title in cited[1:]:
            also[title].add(f"`{name}`")
    titles = sorted(found | also, key=lambda title: (named[title] != MAIN, named[title], title))
    parts = []
    for title in titles:
        heading = ", ".join(filter(None, (named[title], title)))
        more = [f"Also a source of {', '.join(sorted(also[title]))}."] if also[title] else []
        parts += [f"## {heading}", *found[title], *more]
    return "\n\n".join(parts)


def _names(name: str) -> list[str]:
    """A module, and if it is a package all public modules in it."""
    module = importlib.import_module(name)
    inner = pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}.")
    public = [one.name for one in inner if not one.name.endswith("__main__")]
    return [name, *(deeper for one in public for deeper in _names(one))]


def _text(module: Any) -> str:
    """A module's docstring as Markdown: aligned lines in a list become a block of code."""
    aligned = r"\n\n((?:   .*\n)*?   .*\S {3,}\S.*\n(?:   .*\n)*)"
    return re.sub(aligned, r"\n\n   ```text\n\1   ```\n", f"{inspect.getdoc(module) or ''}\n")


def _rst(*lines: str) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```"])
