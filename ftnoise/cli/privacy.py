"""`ftnoise privacy`: what may be said of DP-SGD with these numbers; trains nothing."""

from __future__ import annotations

import argparse
import math

from ftnoise.core.checks import is_number
from ftnoise.core.errors import BadInput
from ftnoise.privacy import MOST_STEPS, SAMPLERS, Mechanism, Statement, noise_for, statement

HELP = "what epsilon DP-SGD with these numbers has, without training"


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
    parser.add_argument("--batch", type=int, required=True, metavar="N", help="expected batch size")
    parser.add_argument("--examples", type=int, required=True, metavar="N", help="training set")
    parser.add_argument("--epochs", type=float, required=True, metavar="X", help="passes over it")
    parser.add_argument("--delta", type=float, default=1e-5, metavar="X", help="default: 1e-5")
    parser.add_argument(
        "--sampler", choices=SAMPLERS, default="poisson", help="how batches are drawn"
    )


def run(words: argparse.Namespace) -> int:
    """Prints the statement."""
    if not is_number(words.epochs) or words.epochs <= 0:
        raise BadInput(f"Expected --epochs > 0. Received: {words.epochs}.")
    shared = {
        "batch_size": words.batch,
        "examples": words.examples,
        "sampler": words.sampler,
        "delta": words.delta,
    }
    # Checked before anything is computed from them; the noise itself comes later.
    steps_per_epoch = Mechanism(noise_multiplier=1.0, steps=1, **shared).steps_per_pass
    if words.epochs > MOST_STEPS / steps_per_epoch:
        raise BadInput(
            f"Expected --epochs of {steps_per_epoch} steps that make {MOST_STEPS:g} steps at most. "
            f"Received: {words.epochs}."
        )
    steps = math.ceil(words.epochs * steps_per_epoch)
    noise = words.noise_multiplier
    if noise is None:
        noise = noise_for(words.target_epsilon, steps=steps, **shared)
    print("\n".join(lines(statement(Mechanism(noise_multiplier=noise, steps=steps, **shared)))))
    return 0


def lines(said: Statement) -> list[str]:
    """The statement for a reader."""
    mechanism = said.mechanism
    poisson = mechanism.sampler == "poisson"
    found = [
        f"Noise multiplier {mechanism.noise_multiplier:.4g}, {mechanism.sampler} batches of "
        f"{'expected ' if poisson else ''}{mechanism.batch_size} out of {mechanism.examples}, "
        f"{mechanism.steps} steps, delta {mechanism.delta:g}.",
        f"Neighboring training sets: {said.adjacency}.",
        "",
    ]
    if poisson:
        found += [
            f"  epsilon, smallest sound value     {_number(said.epsilon)}",
            f"    by RDP, today's accounting      {_number(said.epsilon_rdp)}",
            f"    by privacy loss distributions   {_number(said.epsilon_pld)}",
            f"  as the paper's software said it   {_number(said.epsilon_paper)}",
        ]
    else:
        found += [
            f"  epsilon is at most                {_number(said.epsilon)}",
            f"  and at least                      {_number(said.low)}",
            f"  as the paper's software said it   {_number(said.epsilon_paper)}   NO guarantee: it "
            "assumes Poisson batches",
        ]
    return [
        *found,
        "",
        "Bound on the generalization error of a loss in [0, 1], by Theorem 1 of the paper:",
        f"  as printed                        {_bound(said.theorem1)}",
        f"  for one example replaced          {_bound(said.theorem1_replace_one)}",
        "",
        "Assumes: nobody knows the key of the noise; noise drawn in single precision is Gaussian; "
        "what was",
        "calibrated on the same examples before is not counted.",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _bound(value: float) -> str:
    return f"{value:.4g}" + ("   says nothing, as it is 1 or more" if value >= 1 else "")
