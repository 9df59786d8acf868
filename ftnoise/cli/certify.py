"""`ftnoise certify`: predictions of your own model that no small change of the input can change."""

from __future__ import annotations

import argparse
from typing import Any

from ftnoise.cli import own_model
from ftnoise.core.checks import expect
from ftnoise.user.certify import CertificationSettings

SPECIAL: dict[str, dict[str, Any]] = {
    "sigma": {"type": float, "required": True, "metavar": "X"},
    "radius": own_model.RADII,
    "confidence": own_model.CONFIDENCE
    | {"help": "of each certificate, in percent (default: 99.9)"},
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: files, and the fields of `CertificationSettings`."""
    own_model.files(parser, "certifications")
    own_model.settings(parser, CertificationSettings, SPECIAL)


def run(given: argparse.Namespace) -> int:
    """Prints the table and writes the files; the exit code is 0."""
    settings = CertificationSettings(**own_model.given_settings(given, CertificationSettings))
    own_model.check_files(given, "data", "weights")
    model, x, y, about = own_model.loaded(given, "certify")
    from ftnoise.user.certify import job, prepared
    from ftnoise.user.plausibility import scaled

    expect(not isinstance(x, list), "one input, x", inputs=len(x))
    with own_model.computing(given):
        work = job(*prepared(model, scaled(x), y, settings), settings, about)
        own_model.measured(
            work,
            given.out,
            "certifications",
            lambda done, of, text: f"certify: {text}, {done:,} of {of:,} examples",
        )
    return 0
