"""Arguments that several commands share, and a parser with one-line errors."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.store.folders import default_root
from ftnoise.user import catalog

if TYPE_CHECKING:
    from ftnoise.core.experiment import Experiment
    from ftnoise.core.preset import Preset

ROOT = Path(__file__).resolve().parents[2]
MOST_SEEDS = 10_000  # each is a training of every row
MOST_WORKERS = 1_000  # processes that each import TensorFlow


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises `BadInput`; `main` prints it."""
        raise BadInput(f"{message} (see {self.prog} --help)")


def folder(text: str) -> Path:
    """The type of an argument that names a folder: not empty."""
    if not text:
        raise argparse.ArgumentTypeError("expected a folder. Received: ''")
    return Path(text)


def percentage(text: str) -> float:
    """The type of an argument such as `5%`: a share in (0, 1]."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(
            f"expected a percentage above 0% and up to 100%. Received: {text!r}"
        )
    return share


def named(parser: argparse.ArgumentParser) -> None:
    """Adds the experiment, for a command that does not begin with it."""
    parser.add_argument("experiment", help="its name, or the path of its file")


def common(parser: argparse.ArgumentParser, seeds_help: str) -> None:
    """Adds the preset, the seeds, and the folder of runs."""
    add = parser.add_argument
    add("--preset", metavar="NAME", default="paper", help=presets_help(PRESETS))
    add(
        "--secret-key",
        action="store_true",
        help="noise in gradients takes its key from the operating system: for a private release",
    )
    add("--seeds", type=int, metavar="N", help=seeds_help)
    add(
        "--data-seeds",
        type=int,
        default=1,
        metavar="N",
        help="draw random data N times (table3; default: 1)",
    )
    add(
        "--sample",
        type=percentage,
        metavar="PERCENT",
        help="this share of the trainings of each grid, such as 5%% (default: the grid's own)",
    )
    add(
        "--runs",
        type=folder,
        default=default_root(),
        metavar="DIR",
        help="where runs are stored (default: runs in the working directory, or beside "
        "./reproduce.sh)",
    )


def presets_help(presets: Mapping[str, Preset]) -> str:
    """The help of `--preset`."""
    summaries = "; ".join(f"{preset.name}: {preset.summary}" for preset in presets.values())
    return f"{summaries} (default: paper)".replace("%", "%%")


def chosen(arguments: argparse.Namespace, rows: str | None = None) -> tuple[Experiment, Preset]:
    """The named experiment within the limits of the named preset, and the preset.

    `rows` is a pattern of the rows that are of interest, None for all. Raises `BadInput` if an
    argument does not fit them.
    """
    whole = catalog.experiment(arguments.experiment)
    if arguments.sample is not None:
        whole = whole.sampled(arguments.sample)
    seeds, draws = arguments.seeds, arguments.data_seeds
    within = seeds is None or 1 <= seeds <= MOST_SEEDS
    expect(within, f"--seeds in 1 to {MOST_SEEDS:,}", seeds=seeds)
    seeds = seeds or whole.seeds
    expect(
        1 <= draws <= max(1, MOST_SEEDS // seeds),
        f"--data-seeds, times the number of seeds, in 1 to {MOST_SEEDS:,}",
        data_seeds=draws,
        seeds=seeds,
    )
    preset = whole.preset(arguments.preset).with_data_seeds(arguments.data_seeds)
    experiment = whole.scaled(preset)
    if arguments.secret_key:
        preset = preset.with_secret_key()
        plain, experiment = experiment, whole.scaled(preset)
        if experiment.matching(rows) == plain.matching(rows):
            raise BadInput(
                "Expected --secret-key with rows that have noise in their gradients. "
                f"Received: {whole.name}."
            )
    for row in experiment.matching(rows):
        experiment.draws(row)  # refuses --data-seeds of data that are not random
    return experiment, preset
