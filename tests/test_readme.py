"""What README and manual show is true: commands are commands, programs run, tables are ours."""

from __future__ import annotations

import csv
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from ftnoise.cli import main as cli
from ftnoise.core.interfaces import Measure
from ftnoise.core.preset import PRESETS
from ftnoise.core.progress import duration
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.user import catalog

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))}
NUMBER = r"\d+(?:\.\d+)?"
# Pages with programs, which import the files of the first.
OWN = ("tutorials/own_experiment", "howto/data", "howto/architecture", "howto/attack")
OWN += ("howto/measure", "howto/weight_noise", "howto/figure", "howto/fault")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    shown = [*blocks("sh", text), *re.findall(r"`(\./reproduce\.sh[^`]*)`", text)]
    lines = [shlex.split(line, comments=True) for line in "\n".join(shown).splitlines()]
    return [words[1:] for words in lines if words and words[0] == "./reproduce.sh"]


def page(name: str) -> str:
    return PAGES[DOCS / f"{name}.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_are_understood(path):
    for words in commands(PAGES[path]):
        # `docs` and `test` pass their arguments on, and `--help` ends the process.
        if words and words[0] not in ("docs", "test") and "--help" not in words:
            cli.parse(words)


def test_the_two_commands():
    assert {"table5 --preset quick", "test"} <= {" ".join(words) for words in commands(README)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_paths_are_there(path):
    text = PAGES[path]
    for named in re.findall(r"`((?:ftnoise|tests|docker|runs/reference)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), named
    for shown in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (path.parent / shown).exists(), shown


def test_every_page_is_in_the_table_of_contents():
    listed = set(re.findall(r"^[a-z_]+/[a-z_0-9]+$", page("index"), re.MULTILINE))
    found = {str(path.relative_to(DOCS).with_suffix("")) for path in PAGES if DOCS in path.parents}
    assert listed == found - {"index"}


def test_every_committed_report_is_in_the_results():
    shown = re.findall(r"<!-- generate: report (\S+) -->", "\n".join(PAGES.values()))
    reports = [path.stem for path in (ROOT / "runs" / "reference").glob("*.md")]
    assert sorted(shown) == sorted(reports)


def test_every_measure_of_a_table_has_its_assumptions():
    named = re.findall(r"<!-- generate: columns (\w+) -->", page("indices/numbers"))
    measures: set[Measure] = {
        column.measure for name in catalog.names() for column in catalog.experiment(name).columns
    }
    assert sorted(named) == sorted({type(measure).__name__ for measure in measures})


def test_costs_are_those_of_the_list():
    found = re.findall(r"`([a-z]+\d*)(?: --preset (\w+))?`: ([\d hmins]+)", README)
    assert len(found) >= 6
    for name, preset, cost in found:
        assert cost.strip() == duration(60 * catalog.experiment(name).minutes[preset or "paper"])


def test_the_program_trains_a_network(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FTNOISE_RUNS", str(tmp_path / "runs"))
    generator = np.random.default_rng(0)
    x, y = generator.random((256, 28, 28, 1), np.float32), np.arange(256) % 10
    np.savez("small.npz", x_train=x, y_train=y, x_test=x[:64], y_test=y[:64])
    (program,) = [block for block in blocks("python") if "train(run)" in block]
    found = {"NpzFile": NpzFile}
    exec(program.replace("FashionMNIST()", 'NpzFile(path="small.npz")'), found)
    assert found["model"](x[:2]).shape == (2, 10)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the files of the tutorial, which those of other pages import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield write_programs(tmp_path, OWN[0])
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One runs folder for all pages, which share the rows of the tutorial."""
    return tmp_path_factory.mktemp("pages") / "runs"


def write_programs(folder, name):
    """Writes the files of a page, and runs programs without an experiment."""
    for program in blocks("python", page(name)):
        file = re.match(r"# (\w+\.py)\n", program)
        if file:
            (folder / file[1]).write_text(program)
        if "EXPERIMENT" not in program:
            exec(compile(program, name, "exec"), {"__name__": "__main__"})
    return folder


@pytest.mark.parametrize("name", OWN)
def test_programs_of_the_manual_run(name, workplace, runs, capsys):
    write_programs(workplace, name)
    for file in {words[0] for words in commands(page(name)) if words[0].endswith(".py")}:
        words = [file, "--preset", "smoke", "--seeds", "1", "--runs", str(runs)]
        assert cli.main(words) == 0
        experiment = catalog.experiment(file)
        assert experiment.title in capsys.readouterr().out
        report = runs / "reports" / f"{experiment.name}.smoke.csv"
        with open(report) as written:
            filled = {row["measure"] for row in csv.DictReader(written) if row["ours"]}
        # A column without a number would be a typo, but for losses that no rate reaches.
        missing = {column.name for column in experiment.columns} - filled
        assert {column for column in missing if not column.endswith("_lost")} == set()


def test_the_own_grid_is_a_table_of_its_networks(workplace):
    (own,) = blocks("python", page("howto/grids"))
    (workplace / "grid.py").write_text(own)
    experiment = catalog.experiment("grid.py").scaled(PRESETS["paper"])
    assert len(experiment.rows) == 8
    assert experiment.row("dense width=64 rate=0.1 epochs=2").run.schedule.epochs == 2


def test_the_numbers_of_networks_are_those_of_the_grids():
    networks = len(catalog.experiment("robustness_accuracy").scaled(PRESETS["paper"]).rows)
    assert f"{networks:,} networks" in page("howto/grids")


def test_the_own_model_is_measured_as_shown(monkeypatch, tmp_path, capsys):
    text = page("tutorials/own_model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    own, again, breaking = blocks("python", text)
    (tmp_path / "own.py").write_text(own)
    names: dict = {"__name__": "__main__"}
    exec(own, names)
    for name, kind in (("inject", "injection"), ("robustness", "robustness")):
        (words,) = [words for words in commands(text) if words[:2] == [name, "--model"]]
        assert cli.main([*words, "--out", name]) == 0
        (shown,) = re.findall(rf"<!-- {name} -->\n```\n(.*?)```", text, re.DOTALL)
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
    return [found.strip() for found in text.split("\n\n") if found.startswith("|")]


@pytest.mark.parametrize("title", re.findall(r"<!-- ([a-z]+\d*(?: quick)?) -->", README))
def test_a_table_is_that_of_the_reference_runs(title):
    (shown,) = re.findall(rf"<!-- {title} -->\n(.*)<!-- /{title} -->", README, re.DOTALL)
    name, _, preset = title.partition(" ")
    reference = (ROOT / "runs" / "reference" / f"{name}.{preset or 'paper'}.md").read_text()
    known = tables(reference.split("## ")[0])
    # The first may stand alone: it has all numbers of the paper.
    assert tables(shown)
    assert tables(shown) == known[: len(tables(shown))]
    legend, *_ = re.findall(r"^Ours: .*", reference, re.MULTILINE)
    if r"\[" not in shown:  # intervals may be in the other tables alone
        legend, _, _ = legend.partition(" In brackets:")
    assert legend in shown
    # That its numbers are of a share of the protocol is said wherever they stand.
    assert all(note in shown for note in re.findall(r"Preset (?!paper)\w+: .*", reference))
