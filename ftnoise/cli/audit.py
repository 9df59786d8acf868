"""`ftnoise audit`: an experiment that could show that DP-SGD here does not keep its claim."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftnoise.audit import Audit

HELP = "a lower bound on epsilon of DP-SGD as it is implemented here, by experiment"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "--noise-multiplier", type=float, default=4.0, metavar="X", help="default: 4"
    )
    parser.add_argument("--steps", type=int, default=16, metavar="N", help="default: 16")
    parser.add_argument("--canaries", type=int, default=4000, metavar="N", help="default: 4000")
    parser.add_argument("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def run(words: argparse.Namespace) -> int:
    """Prints what was found; exit code 1 if it speaks against the claim."""
    from ftnoise.audit import SIGMAS, audit

    found = audit(
        noise_multiplier=words.noise_multiplier,
        steps=words.steps,
        canaries=words.canaries,
        delta=words.delta,
        seed=words.seed,
    )
    print(
        f"{words.canaries} canaries, {words.steps} steps with all examples, noise multiplier "
        f"{words.noise_multiplier:g}, delta {words.delta:g}.\n\n"
        f"  epsilon is at least      {found.epsilon:.3f}   (95 % confidence)\n"
        f"  epsilon that is claimed  {found.claim:.3f}\n"
        f"  noise of different steps and layers is correlated by at most "
        f"{found.correlation:.1f} standard deviations (limit {SIGMAS:g})\n\n"
        "Assumes a Gaussian mechanism; sampling is not audited. " + verdict(found, words.canaries)
    )
    return 0 if found.sound else 1


def verdict(found: Audit, canaries: int) -> str:
    """What the audit says, in a sentence."""
    if not found.sound:
        return "THE CLAIM DOES NOT HOLD."
    if found.most <= found.claim:
        return (
            f"The claim was NOT TESTED: {canaries} canaries can show {found.most:.3f} at most; use "
            "more noise or fewer steps."
        )
    return "Nothing speaks against the claim."
