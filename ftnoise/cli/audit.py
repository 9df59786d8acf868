"""`ftnoise audit`: an empirical lower bound on the epsilon of this implementation of DP-SGD."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    add = parser.add_argument
    add("--noise-multiplier", type=float, default=4.0, metavar="X", help="default: 4")
    add("--steps", type=int, default=16, metavar="N", help="default: 16")
    add("--canaries", type=int, default=4000, metavar="N", help="default: 4000")
    add("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    add("--seed", type=int, default=0, metavar="N", help="default: 0")


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
    if not found.sound:
        verdict = "THE CLAIM DOES NOT HOLD."
    elif found.most <= found.claim:
        verdict = (
            f"The claim was NOT TESTED: {arguments.canaries} canaries can show at most "
            f"{found.most:.3f}. Use more noise or fewer steps."
        )
    else:
        verdict = "Nothing contradicts the claim."
    print(
        f"{arguments.canaries} canaries, {arguments.steps} steps with all examples, noise "
        f"multiplier {arguments.noise_multiplier:g}, delta {arguments.delta:g}.\n\n"
        f"  epsilon is at least      {found.epsilon:.3f}   (95 % confidence)\n"
        f"  claimed epsilon          {found.claim:.3f}\n"
        f"  noise of different steps and layers is correlated by at most "
        f"{found.correlation:.1f} standard deviations (limit {SIGMAS:g})\n\n"
        f"Assumes a Gaussian mechanism; sampling is not audited. {verdict}"
    )
    return 0 if found.sound else 1
