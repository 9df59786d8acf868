"""`ftnoise privacy`: the epsilon of DP-SGD with given parameters, without training."""

from __future__ import annotations

import argparse

from ftnoise.privacy import SAMPLERS
from ftnoise.user.privacy import privacy_statement


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    noise = parser.add_mutually_exclusive_group(required=True)
    noise.add_argument(
        "--noise-multiplier",
        type=float,
        metavar="X",
        help="standard deviation of the noise in units of the clipping norm",
    )
    noise.add_argument(
        "--target-epsilon", type=float, metavar="X", help="find the noise for this epsilon"
    )
    add = parser.add_argument
    add(
        "--batch",
        dest="batch_size",
        type=int,
        required=True,
        metavar="N",
        help="expected batch size",
    )
    add("--examples", type=int, required=True, metavar="N", help="training set")
    add("--epochs", type=float, required=True, metavar="X", help="epochs over it")
    add("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    add("--sampler", choices=SAMPLERS, default="poisson", help="how batches are drawn")


def run(arguments: argparse.Namespace) -> int:
    """Prints the statement."""
    names = ("noise_multiplier", "target_epsilon", "batch_size", "examples", "epochs")
    given = {name: getattr(arguments, name) for name in (*names, "sampler", "delta")}
    print(privacy_statement(**given))
    return 0
