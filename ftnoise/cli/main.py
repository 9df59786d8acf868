"""The entry point of the command line: runs one command and returns its exit code.

`./reproduce.sh` and `python -m ftnoise` take the same arguments. Only the command that is called is
imported, so `--help` and a wrong argument return at once. Results go to stdout, progress and errors
to stderr. The exit code is 0, 1 for a failed run, 2 for bad input, and 128 + n after signal n: 130
after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ftnoise.cli.arguments import Parser
from ftnoise.core import stopping
from ftnoise.core.errors import BadInput, FtnoiseError
from ftnoise.core.progress import QUIET, discard, line, log
from ftnoise.user import catalog

FOLDER = Path(__file__).parent
# Files of this folder that are no commands; `reproduce` is called by an experiment's name.
SHARED = ("main", "arguments", "cost", "overrides", "own_model", "reproduce")
STOPPED = "Stopped."


def main(argv: list[str] | None = None) -> int:
    """Runs one command, by default that of `sys.argv`, and returns its exit code."""
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An old terminal may lack characters of a table: it shows a ? instead.
        sys.stdout.reconfigure(errors="replace")
    with stopping.stoppable():
        try:
            with stopping.heeded():
                code = dispatch(sys.argv[1:] if argv is None else argv)
                sys.stdout.flush()
            return code
        except FtnoiseError as failure:
            log(f"error: {failure}")
            return failure.exit_code
        except KeyboardInterrupt as stop:
            line("")
            line(" ".join([STOPPED, *getattr(stop, "__notes__", ())]))
            return stop.args[0] if stop.args else 128 + signal.SIGINT
        except OSError as failure:
            if not isinstance(failure, BrokenPipeError):  # the reader of stdout has gone
                log(f"error: Could not finish: {failure}.")
            return 1
        finally:
            _flush()


def _open_streams() -> None:
    """Opens closed standard streams, as a daemon's, on the null device.

    The file that is opened next would take the number of one, and get what C code writes to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)
            setattr(sys, name, os.fdopen(opened, "w" if number else "r"))


def _flush() -> None:
    """Writes what is left for stdout, or discards it: otherwise Python complains at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)


def dispatch(argv: list[str]) -> int:
    """Parses the arguments and runs the command; without any, `list`."""
    import logging

    command, arguments = parse(argv or ["list"])
    if arguments.quiet:
        os.environ[QUIET] = "1"
    # Before TensorFlow is imported: no lines about CPU kernels, CUDA plugins and retracing.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return command.run(arguments)


def parse(argv: list[str]) -> tuple[Any, argparse.Namespace]:
    """The module of the command, and its arguments."""
    name, *rest = argv
    if name in ("-h", "--help"):
        print(overview())
        sys.exit(0)
    if name.startswith("-"):
        raise BadInput(f"Expected an experiment or a command first. Received: {name!r}.")
    known = commands()
    if name not in known:
        catalog.check(name, [*known])
    stem = known.get(name, "reproduce")
    command = importlib.import_module(f"ftnoise.cli.{stem}")
    about = summary(stem)
    program = os.environ.get("FTNOISE_PROGRAM", "ftnoise")  # what the user called
    parser = Parser(prog=f"{program} {name}", description=f"{about[0].upper()}{about[1:]}")
    parser.set_defaults(experiment=name, quiet=False, words=rest)
    command.arguments(parser)
    if stem == "reproduce" and {"-h", "--help"} & {*rest}:
        command.describe(parser, catalog.experiment(name))
    if name == "test":  # all of its arguments are pytest's
        rest = ["--", *rest]
    else:
        text = "only warnings and errors on stderr"
        parser.add_argument("--quiet", action="store_true", help=text)
    given = parser.parse_args(rest)
    if given.experiment != name and given.experiment in known:
        raise BadInput(
            f"Expected an experiment after {name}. Received: {given.experiment!r}, which is a "
            f"command of its own. Did you mean './reproduce.sh {given.experiment}'?"
        )
    return command, given


def commands() -> dict[str, str]:
    """The file of each command."""
    stems = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    return {stem.rstrip("_"): stem for stem in stems if stem not in SHARED}


def summary(stem: str) -> str:
    """The first line of a command's file, which is not imported: all of them would take long."""
    with open(FOLDER / f"{stem}.py") as file:
        return file.readline().partition(": ")[2].strip('"\n')


def overview() -> str:
    """The text of `--help` without a command."""
    lines = [f"  {name:10} {summary(stem)}" for name, stem in commands().items()]
    return (
        "usage: ftnoise [-h] EXPERIMENT|COMMAND ...\n\n"
        "Trains networks with noise and measures how they survive faults and attacks, next to the\n"
        "paper's numbers. Without a command: the list of experiments and their cost.\n"
        "`ftnoise NAME --help` describes the arguments.\n\n"
        f"experiments: {', '.join(catalog.names())};\n"
        "or the path of your own file with a value EXPERIMENT\n\n"
        "commands:\n" + "\n".join(lines) + "\n\n"
        "Training curves: tensorboard --logdir runs. Results: runs/reports/."
    )
