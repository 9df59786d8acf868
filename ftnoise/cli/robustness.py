"""`ftnoise robustness`: how likely a prediction of your own model can be changed."""

from __future__ import annotations

import argparse
from typing import Any

from ftnoise.cli import own_model
from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.user.robustness import RobustnessSettings

SPECIAL: dict[str, dict[str, Any]] = {
    "radius": own_model.RADII | {"required": True},
    "budget": {"type": str, "metavar": "60s|N|none"},
    "norm": {"type": str, "metavar": "NAME"},
    "confidence": own_model.CONFIDENCE,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: files, and the fields of `RobustnessSettings`."""
    own_model.files(parser, "robustness")
    parser.add_argument(
        "--plan",
        action="store_true",
        help="only print the number of examples, and estimate the time from a few",
    )
    own_model.settings(parser, RobustnessSettings, SPECIAL)


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    settings = checked(given)
    model, x, y, about = own_model.loaded(given, "robustness")
    from ftnoise.user.plausibility import scaled
    from ftnoise.user.robustness import job, plan, prepared

    expect(not isinstance(x, list), "one input, x", inputs=len(x))
    with own_model.computing(given):
        parts = prepared(model, scaled(x), y, settings)
        if given.plan:
            print(plan(*parts, settings))
            return 0
        work = job(*parts, settings, about)
        own_model.measured(
            work,
            given.out,
            "robustness",
            lambda done, of, text: f"robustness: {text}, {done:,} of {of:,} examples",
        )
    return 0


def checked(given: argparse.Namespace) -> RobustnessSettings:
    """The settings; everything is checked before anything heavy is imported."""
    values = own_model.given_settings(given, RobustnessSettings)
    radii = values.pop("radius")
    settings = RobustnessSettings.of(radii[0] if len(radii) == 1 else radii, **values)
    if given.plan and given.out is not None:
        raise BadInput("Expected --plan without --out. Received: both.")
    own_model.check_files(given, "data", "weights")
    return settings
