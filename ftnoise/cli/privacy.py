"""`ftnoise privacy`: the epsilon of DP-SGD with given parameters, without training."""

from __future__ import annotations

import argparse
import math

from ftnoise.core.checks import expect, positive
from ftnoise.privacy import MOST_STEPS, SAMPLERS, Mechanism, Statement, noise_for, statement
from ftnoise.report.table import rounded_up


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
    add("--batch", type=int, required=True, metavar="N", help="expected batch size")
    add("--examples", type=int, required=True, metavar="N", help="training set")
    add("--epochs", type=float, required=True, metavar="X", help="epochs over it")
    add("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    add("--sampler", choices=SAMPLERS, default="poisson", help="how batches are drawn")


def run(arguments: argparse.Namespace) -> int:
    """Prints the statement."""
    positive(**{"--epochs": arguments.epochs})
    shared = {
        "batch_size": arguments.batch,
        "examples": arguments.examples,
        "sampler": arguments.sampler,
        "delta": arguments.delta,
    }
    # Checked before anything is computed from them; the noise follows.
    Mechanism(noise_multiplier=1.0, steps=1, **shared)
    steps_per_epoch = -(-arguments.examples // arguments.batch)
    expect(
        arguments.epochs <= MOST_STEPS / steps_per_epoch,
        f"--epochs of {steps_per_epoch} steps that make {MOST_STEPS:g} steps at most",
        epochs=arguments.epochs,
    )
    steps = math.ceil(arguments.epochs * steps_per_epoch)
    noise = arguments.noise_multiplier
    if noise is None:
        # As it is printed: less of it would not reach the target.
        noise = noise_for(arguments.target_epsilon, steps=steps, **shared)
        noise = rounded_up(noise, _places(noise))
    print("\n".join(lines(statement(Mechanism(noise_multiplier=noise, steps=steps, **shared)))))
    return 0


def lines(found: Statement) -> list[str]:
    """The statement as lines of text."""
    mechanism = found.mechanism
    poisson = mechanism.sampler == "poisson"
    text = [
        f"Noise multiplier {mechanism.noise_multiplier:.4g}, {mechanism.sampler} batches of "
        f"{'expected ' if poisson else ''}{mechanism.batch_size} out of {mechanism.examples}, "
        f"{mechanism.steps} steps, delta {mechanism.delta:g}.",
        f"Neighboring training sets: {found.adjacency}.",
        "",
    ]
    if poisson:
        text += [
            f"  epsilon, smallest sound value     {_at_most(found.epsilon)}",
            f"    by RDP, today's accounting      {_at_most(found.epsilon_rdp)}",
            f"    by privacy loss distributions   {_at_most(found.epsilon_pld)}",
            f"  as the paper's software gave it   {found.epsilon_paper:.4g}",
        ]
    else:
        text += [
            f"  epsilon is at most                {_at_most(found.epsilon)}",
            f"  and at least                      {_at_least(found.low)}",
            f"  as the paper's software gave it   {found.epsilon_paper:.4g}   NO guarantee: "
            "it assumes Poisson batches",
        ]
    return [
        *text,
        "",
        "Bound on the generalization error of a loss in [0, 1], by Theorem 1 of the paper:",
        f"  as printed                        {_bound(found.theorem1)}",
        f"  for one example replaced          {_bound(found.theorem1_replace_one)}",
        "",
        "Assumes a secret key of the noise, and that noise drawn in single precision is Gaussian. "
        "Does not count",
        "earlier calibration on the same examples, nor other trainings on them: those that are "
        "released together",
        "compose, N equal ones to the epsilon of N times the epochs. Epsilons are rounded up.",
    ]


def _places(value: float) -> int:
    """The number of digits after the point of which four count."""
    return 3 - math.floor(math.log10(value)) if value > 0 else 0


def _at_most(value: float | None) -> str:
    return "-" if value is None else f"{rounded_up(value, _places(value)):.4g}"


def _at_least(value: float) -> str:
    return f"{abs(rounded_up(-value, _places(value))):.4g}"


def _bound(value: float) -> str:
    return f"{value:.4g}" + ("   vacuous: 1 or more" if value >= 1 else "")
