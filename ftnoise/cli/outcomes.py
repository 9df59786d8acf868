"""`ftnoise outcomes`: outcomes of faults in predictions logged elsewhere, without any model."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftnoise.cli import own_model
from ftnoise.cli.arguments import folder
from ftnoise.core import stopping
from ftnoise.core.progress import line
from ftnoise.user.outcomes import OutcomeSettings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: files, and the fields of `OutcomeSettings`."""
    add, texts = parser.add_argument, own_model.descriptions(OutcomeSettings)
    add(
        "--golden",
        type=Path,
        required=True,
        metavar="G.npz",
        help="outputs [n, classes] of the fault-free run, and labels y [n] if they are known",
    )
    add(
        "--faulty",
        type=Path,
        required=True,
        nargs="+",
        metavar="F.npz",
        help="outputs [trials, n, classes] of the same examples under faults; a line of the table "
        "for each file",
    )
    add(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="F.npz",
        help="as many files of other runs with the same faults, trial by trial, to compare",
    )
    add("--y", type=Path, metavar="Y.npz", help="labels y [n], if the first file has none")
    outputs = parser.add_mutually_exclusive_group()
    for name in ("logits", "probabilities"):
        outputs.add_argument(
            f"--{name}",
            dest="probabilities",
            action="store_const",
            const=name == "probabilities",
            help=f"outputs are {name} (default: probabilities if the fault-free ones can be)",
        )
    add("--threshold", type=float, metavar="X", help=texts["threshold"])
    add("--confidence", default=argparse.SUPPRESS, **own_model.CONFIDENCE)
    add(
        "--out",
        type=folder,
        metavar="DIR",
        help="folder of the files (default: one below runs/outcomes/)",
    )


def run(given: argparse.Namespace) -> int:
    """Prints the tables and writes the files; the exit code is 0."""
    settings = OutcomeSettings(**own_model.given_settings(given, OutcomeSettings))
    own_model.check_paths(given, "golden", "faulty", "against", "y")
    line(f"outcomes: reading {given.golden}, then loading TensorFlow.")
    from ftnoise.user.folder import stored
    from ftnoise.user.outcomes import outcomes

    work = outcomes(given.golden, given.faulty, given.against, given.y, settings)
    path = own_model.own_folder(given.out, "outcomes", work)
    with stopping.heeded(), stored(work, path, lambda *_: None) as result:
        print(result, flush=True)
    line(f"Written to {path}/outcomes: .json, .npz, .csv")
    return 0
