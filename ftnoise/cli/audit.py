"""`ftnoise audit`: an experiment that can refute the claimed epsilon of DP-SGD."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftnoise.audit import Audit

HELP = "an empirical lower bound on the epsilon of this implementation of DP-SGD"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "--noise-multiplier", type=float, default=4.0, metavar="X", help="default: 4"
    )
    parser.add_argument("--steps", type=int, default=16, metavar="N", help="default: 16")
    parser.add_argument("--canaries", type=int, default=4000, metavar="N", help="default: 4000")
    parser.add_argument("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def run(arguments: argparse.Namespace) -> int:
    """Prints the result; exit code 1 if it refutes the claim."""
    from ftnoise.audit import SIGMAS, audit

    found = audit(
        noise_multiplier=arguments.noise_multiplier,
        steps=arguments.steps,
        canaries=arguments.canaries,
        delta=arguments.delta,
        seed=arguments.seed,
    )
    print(
        f"{arguments.canaries} canaries, {arguments.steps} steps with all examples, noise "
        f"multiplier {arguments.noise_multiplier:g}, delta {arguments.delta:g}.\n\n"
        f"  epsilon is at least      {found.epsilon:.3f}   (95 % confidence)\n"
        f"  claimed epsilon          {found.claim:.3f}\n"
        f"  noise of different steps and layers is correlated by at most "
        f"{found.correlation:.1f} standard deviations (limit {SIGMAS:g})\n\n"
        "Assumes a Gaussian mechanism; sampling is not audited. "
        + verdict(found, arguments.canaries)
    )
    return 0 if found.sound else 1


def verdict(found: Audit, canaries: int) -> str:
    """The conclusion of the audit, in a sentence."""
    if not found.sound:
        return "THE CLAIM DOES NOT HOLD."
    if found.most <= found.claim:
        return (
            f"The claim was NOT TESTED: {canaries} canaries can show at most {found.most:.3f}. Use "
            "more noise or fewer steps."
        )
    return "Nothing contradicts the claim."
