"""The command line: names what can be reproduced, checks every word, and only then works.

`./reproduce.sh` and `python -m ftnoise` take the same words. Reading an experiment imports
nothing heavy, so `--help`, the list and a wrong word answer at once. Results go to stdout,
progress and errors to stderr; the exit code is 0, 1 for a failed run, 2 for bad input and 130
after Ctrl-C.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from ftnoise.cli.arguments import Parser, common, folder, training
from ftnoise.core import preset as presets
from ftnoise.core.errors import BadInput, FtnoiseError, RunFailed
from ftnoise.core.experiment import Experiment
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.core.progress import GOES_ON, duration, tell

if TYPE_CHECKING:
    from ftnoise.core.data import Sources
    from ftnoise.engine.plan import Status, Task
    from ftnoise.report import Results
    from ftnoise.store.folders import Store

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "runs" / "reference"
EXPERIMENTS = Path(experiments.__file__).parent
COMMANDS = Path(__file__).resolve().parent / "commands"
OWN_COMMANDS = ("list", "report", "publish", "test")
STOPPED = "Stopped."


def main(words: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = sys.argv[1:] if words is None else words
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A table has characters that an old terminal may lack; better a ? than no table.
        sys.stdout.reconfigure(errors="replace")
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        code = dispatch(words)
        sys.stdout.flush()
        return code
    except FtnoiseError as failure:
        tell(f"error: {failure}")
        return failure.exit_code
    except KeyboardInterrupt as stop:
        print("\n" + " ".join([STOPPED, *getattr(stop, "__notes__", ())]), file=sys.stderr)
        return stop.args[0] if stop.args else 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of stdout has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as failure:
        tell(f"error: Could not finish: {failure}.")
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminated(number: int, frame: object) -> NoReturn:
    del frame
    raise KeyboardInterrupt(128 + number)


def dispatch(words: list[str]) -> int:
    """Reads the words and calls the command."""
    command = words[0] if words else "list"
    if command == "test":
        return tests(words[1:])
    if command.startswith("-") and command not in ("-h", "--help"):
        raise BadInput(f"Expected an experiment or a command first. Received: {command!r}.")
    arguments = parser().parse_args(words or ["list"])
    return arguments.command(arguments)


def names() -> list[str]:
    """The experiments, by file name."""
    return _stems(EXPERIMENTS)


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def experiment(name: str) -> Experiment:
    """The value `EXPERIMENT` of an experiment's file.

    Raises:
        BadInput: there is no such experiment.
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, [*known, *OWN_COMMANDS, *_stems(COMMANDS)], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise BadInput(f"Expected an experiment ({', '.join(known)}). Received: {name!r}.{hint}")
    return importlib.import_module(f"ftnoise.experiments.{name}").EXPERIMENT


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="ftnoise",
        description="Trains networks with noise and measures what survives faults, beside the "
        "paper's numbers. Without a command: what can be reproduced, and what it costs.",
        epilog="tensorboard --logdir runs shows training curves; results are in runs/reports/.",
    )
    commands = top.add_subparsers(metavar="command", parser_class=Parser, required=True)

    listing = commands.add_parser("list", help="what can be reproduced, and what it costs")
    listing.add_argument("--plain", action="store_true", help="only the names, one a line")
    listing.set_defaults(command=show_list)

    report = commands.add_parser("report", help="redraw a table from what is stored")
    report.add_argument("experiment", help="its name")
    common(report, ROOT, "use the first N seeds (default: all stored)")
    report.set_defaults(command=redraw)

    publish = commands.add_parser(
        "publish", help="copy a table's finished runs and report into a folder of their own"
    )
    publish.add_argument("experiment", help="its name")
    publish.add_argument("--to", type=folder, required=True, metavar="DIR", help="the folder")
    common(publish, ROOT, "take the first N seeds (default: all stored)")
    publish.set_defaults(command=copy)

    commands.add_parser("test", help="run the tests; further words go to pytest")
    for name in _stems(COMMANDS):
        found = importlib.import_module(f"ftnoise.commands.{name}")
        one = commands.add_parser(name, help=found.HELP, description=f"{found.HELP}.")
        found.arguments(one)
        one.set_defaults(command=alone, run=found.run)
    for name in names():
        one = commands.add_parser(name, help="train what is missing and draw it")
        common(one, ROOT, "train with N seeds (default: what the table needs)")
        training(one)
        one.set_defaults(command=reproduce, experiment=name)
    commands.choices = _Known(commands.choices)  # a wrong word gets our line, with a suggestion
    return top


class _Known(dict):
    """The commands; asking for any other name says which experiments there are."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or bool(experiment(str(name)))


def _preset(arguments: argparse.Namespace) -> Preset:
    chosen = presets.named(arguments.preset, experiment(arguments.experiment))
    chosen = chosen.with_data_seeds(arguments.data_seeds)
    return chosen.with_secret_key() if arguments.secret_key else chosen


def _asked(arguments: argparse.Namespace) -> tuple[Experiment, Preset]:
    """The experiment that is named, its measures under the preset that is named."""
    preset = _preset(arguments)
    return preset.of(experiment(arguments.experiment)), preset


def show_list(arguments: argparse.Namespace) -> int:
    """What can be reproduced, and what each costs on two cores."""
    from ftnoise.engine import plan

    if arguments.plain:
        print("\n".join(names()))
        return 0
    print("What can be reproduced, and what it takes to train on two cores:\n")
    for name in names():
        found = experiment(name)
        costs = []
        for preset in (presets.named(name, found) for name in PRESETS):
            todo = plan.tasks(preset.of(found), preset, found.seeds, None)
            seconds = plan.cost(todo, found.adopts)
            costs.append(f"{preset.name} {duration(seconds)}")
        print(f"  {name:10} {found.title}\n{'':13}{', '.join(costs)}")
    print("\nFor example: ./reproduce.sh table5 --preset quick")
    return 0


def reproduce(arguments: argparse.Namespace) -> int:
    """Trains what is missing of an experiment, then draws it."""
    from ftnoise.engine import plan

    found, preset, store = *_asked(arguments), _store(arguments)
    if arguments.seeds is None:
        arguments.seeds = found.seeds
    todo = plan.tasks(found, preset, arguments.seeds, arguments.rows)
    if arguments.dry_run:
        return dry_run(found, todo, arguments, store)
    try:
        return train(found, todo, arguments, store)
    except KeyboardInterrupt as stop:
        stop.add_note(GOES_ON)
        raise


def train(found: Experiment, todo: list[Task], arguments: argparse.Namespace, store: Store) -> int:
    """Trains and measures what is missing of the tasks, then draws the table."""
    from ftnoise.engine import executor as engine
    from ftnoise.engine import stored

    sources = _sources(arguments)
    store.prepare()
    _quiet_tensorflow()
    work = engine.Engine(
        found,
        todo,
        store,
        sources,
        references=_references(found),
        xla=arguments.xla,
        fail_fast=arguments.fail_fast,
    )
    if adopted := work.adopt():
        print(f"Copied instead of trained: {', '.join(adopted)}.", file=sys.stderr)
    announce(found, [work.status(task) for task in todo], arguments, file=sys.stderr)
    failures = work.run()
    own = {work.folder(task).id for task in todo}
    preset = _preset(arguments)
    code = show(stored.results(found, preset, arguments.seeds, store, own), store)
    if failures:
        tell(f"error: {len(failures)} of {len(todo)} runs failed.")
    return max([code, *(failure.exit_code for failure in failures)])


def dry_run(
    found: Experiment, todo: list[Task], arguments: argparse.Namespace, store: Store
) -> int:
    """Says what is there and what would be trained, without reading data or writing anything."""
    from ftnoise.engine import executor as engine

    statuses = engine.foreseen(found, _preset(arguments), todo, store, _references(found))
    announce(found, statuses, arguments, file=sys.stdout)
    for status in statuses:
        print(f"  {status.task.name:40} {status}")
    return 0


def announce(
    found: Experiment, statuses: list[Status], arguments: argparse.Namespace, file: TextIO
) -> None:
    """What will be trained, how much is there already, how long it takes, how to stop."""
    from ftnoise.engine.plan import estimate
    from ftnoise.engine.runner import cores

    training = [status for status in statuses if not status.trained]
    measuring = [status for status in statuses if status.trained and not status.complete]
    there = len(statuses) - len(training) - len(measuring)
    print(f"{found.name}, preset {arguments.preset}: {found.title}.", file=file)
    runs = "1 run" if len(statuses) == 1 else f"{len(statuses)} runs"
    counts = [f"{there} there already", f"{len(training)} to train"]
    counts += [f"{len(measuring)} to measure"] if measuring else []
    print(f"{runs}: {', '.join(counts)}.", file=file)
    for verb, left in (("train", training), ("measure", measuring)):
        if left:
            names = (f"{s.task.name} ({s})" if s.epochs else s.task.name for s in left)
            print(f"To {verb}: {', '.join(names)}.", file=file)
    if not training and not measuring:
        return
    seconds = estimate(statuses)
    print(
        f"About {duration(seconds)} on this machine ({cores()} cores). Ctrl-C keeps what is done; "
        "the same command goes on from there.",
        file=file,
    )
    if training and Path("/dev/nvidia0").exists():
        print(
            "That is its processor's time: a GPU needs less, as the first epoch shows.", file=file
        )
    elif training and arguments.preset == "paper":
        print("This machine has no GPU: --preset quick shows the trend in minutes.", file=file)


def redraw(arguments: argparse.Namespace) -> int:
    """Draws an experiment from what is stored; trains nothing."""
    from ftnoise.engine import stored

    found, preset, store = *_asked(arguments), _store(arguments)
    results = stored.results(found, preset, arguments.seeds, store)
    if not results.values:
        raise BadInput(
            f"Expected stored {preset.name} runs of {found.name} in {store.root}. Received: none. "
            f"Train them with ./reproduce.sh {found.name} --preset {arguments.preset}"
            f"{' --secret-key' if arguments.secret_key else ''}."
        )
    return show(results, store)


def copy(arguments: argparse.Namespace) -> int:
    """Publishes an experiment's finished runs."""
    from ftnoise.engine import stored
    from ftnoise.store.folders import Store

    found, preset = _asked(arguments)
    target = Store(arguments.to)
    paths = stored.publish(found, preset, arguments.seeds, _store(arguments), target)
    print("\n".join(map(str, paths)))
    return 0


def alone(arguments: argparse.Namespace) -> int:
    """A command of a file of its own."""
    _quiet_tensorflow()
    return arguments.run(arguments)


def show(results: Results, store: Store) -> int:
    """Prints the table and writes the report's files; returns the exit code."""
    import shutil

    from ftnoise import report
    from ftnoise.engine import stored

    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns
    print(report.terminal(results, width, color), flush=True)
    try:
        paths = stored.write(results, store.reports)
    except RunFailed as failure:
        tell(f"error: The report is not written: {failure}")
        return failure.exit_code
    stem = paths[0].with_suffix("")
    suffixes = ", ".join(path.name.removeprefix(stem.name) for path in paths)
    print(f"Written to {stem}: {suffixes}", file=sys.stderr)
    return 0


def tests(words: list[str]) -> int:
    """Runs pytest on the checkout's tests, several at a time."""
    several = ["--numprocesses=auto", "--maxprocesses=4"]
    command = [sys.executable, "-m", "pytest", *several, *words]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _quiet_tensorflow() -> None:
    """Before its import: no lines about CPU kernels, CUDA plugins and retracing among ours."""
    import logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _references(found: Experiment) -> list[Store]:
    """Where runs were published whose models an experiment may take."""
    from ftnoise.store.folders import Store

    return [Store(REFERENCES)] if found.adopts else []


def _store(arguments: argparse.Namespace) -> Store:
    from ftnoise.store.folders import Store

    return Store(arguments.runs)


def _sources(arguments: argparse.Namespace) -> Sources:
    from ftnoise.core.data import Sources

    return Sources.from_environment(data_dir=arguments.data_dir, offline=arguments.offline)
