"""What the README shows is true: its commands are commands, its program runs, its table is ours."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise.cli import main as cli
from ftnoise.core.data import Data
from ftnoise.core.preset import PRESETS
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.user import catalog

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
NUMBER = r"\d+(?:\.\d+)?"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    text = (
        "\n".join(blocks("sh")) + "\n" + "\n".join(re.findall(r"`(\./reproduce\.sh[^`]*)`", README))
    )
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "./reproduce.sh"]


def test_commands_are_understood():
    found = [words for words in commands() if words and words[0] != "test"]
    assert ["table5", "--preset", "quick"] in found
    for words in found:
        if not any("<" in word for word in words):
            cli.parse(words)


def test_the_second_command_runs_the_tests():
    assert ["test"] in commands()


def test_paths_are_there():
    named = re.findall(r"`((?:ftnoise|tests|docker|runs/reference)/[\w./]+)`", README)
    shown = re.findall(r"\]\(([\w./]+)\)", README)
    assert named
    assert shown
    for path in (*named, *shown):
        assert (ROOT / path).exists(), path


def test_the_program_trains_a_network(monkeypatch):
    generator = np.random.default_rng(0)
    x, y = generator.random((256, 28, 28, 1), np.float32), np.arange(256) % 10
    data = Data(x, y, x[:64], y[:64], classes=10, digest="")
    monkeypatch.setattr(FashionMNIST, "load", lambda self, sources: data)
    found: dict = {}
    (program,) = [block for block in blocks("python") if "training.train" in block]
    exec(program, found)
    assert found["model"](x[:2]).shape == (2, 10)


def test_the_own_grid_is_a_table_of_its_networks(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (own,) = [block for block in blocks("python") if "Grid(" in block]
    (tmp_path / "mine.py").write_text(own)
    experiment = PRESETS["paper"].of(catalog.experiment("mine.py"))
    assert len(experiment.rows) == 8
    assert experiment.row("dense width=64 rate=0.1 epochs=2").run.schedule.epochs == 2


def test_the_numbers_of_networks_are_those_of_the_grids():
    networks = len(PRESETS["paper"].of(catalog.experiment("robustness_accuracy")).rows)
    assert f"{networks:,} networks" in README


def test_the_own_model_is_asked_as_shown(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    own, again, breaking = [
        block
        for block in blocks("python")
        if "training.train" not in block and "Grid(" not in block
    ]
    (tmp_path / "own.py").write_text(own)
    names: dict = {"__name__": "__main__"}
    exec(own, names)
    for name, kind in (("inject", "injection"), ("robustness", "robustness")):
        (words,) = [words for words in commands() if words[:2] == [name, "--model"]]
        assert cli.main([*words, "--out", name]) == 0
        (shown,) = re.findall(rf"<!-- {name} -->\n```\n(.*?)```", README, re.DOTALL)
        # The text goes on with what its numbers are.
        out = "\n".join(capsys.readouterr().out.splitlines()[: shown.count("\n")])
        # A training ends with other last bits on another processor.
        assert re.sub(NUMBER, "0", out).split() == re.sub(NUMBER, "0", shown).split()
        for ours, theirs in zip(re.findall(NUMBER, out), re.findall(NUMBER, shown), strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=0.1, abs=3)
        assert (tmp_path / name / f"{kind}.png").is_file()

    before = names["model"].get_weights()
    exec(again, names)
    assert list(names["found"].lines["rate"]) == ["3 faults"]
    assert names["outputs"].shape == (2000, 2)
    for one, same in zip(before, names["model"].get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)

    exec(breaking, names)
    assert len(names["history"]["faulty_accuracy"]) == 3
    assert all(0 < accuracy <= 1 for accuracy in names["history"]["faulty_accuracy"])
    assert list((tmp_path / "runs" / "own" / "faults").glob("events*"))
    sys.modules.pop("own", None)


def tables(text: str) -> list[str]:
    return [found for found in text.split("\n\n") if found.startswith("|")]


@pytest.mark.parametrize(
    "title", re.findall(r"<!-- (?!inject|robustness)([a-z]+\d*(?: quick)?) -->", README)
)
def test_a_table_is_that_of_the_reference_runs(title):
    (shown,) = re.findall(rf"<!-- {title} -->\n(.*)<!-- /{title} -->", README, re.DOTALL)
    name, _, preset = title.partition(" ")
    reference = (ROOT / "runs" / "reference" / f"{name}.{preset or 'paper'}.md").read_text()
    known = tables(reference.split("## ")[0])
    # The first may stand alone: it has all numbers of the paper.
    assert tables(shown)
    assert tables(shown) == known[: len(tables(shown))]
    legend, *_ = re.findall(r"^Ours: .*", reference, re.MULTILINE)
    assert legend in shown
    # That its numbers are of a share of the protocol is said wherever they stand.
    assert all(note in shown for note in re.findall(r"Preset (?!paper)\w+: .*", reference))
