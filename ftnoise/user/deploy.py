"""A fault campaign on a user's own model as it is deployed: the same flips in a converted file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.spec import JSON
from ftnoise.faults.fault import Fault
from ftnoise.faults.where import Biases, Parameters, Weights
from ftnoise.user.folder import Job, content_id
from ftnoise.user.inject import job as keras_job
from ftnoise.user.inject import measured
from ftnoise.user.result import InjectionResult
from ftnoise.user.settings import CampaignSettings

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign

NAME = "TensorFlow Lite"
DEPLOYED = {"tflite-int8": "int8", "tflite-float16": "float16"}  # and the format of storage


def check(fault: Fault, deploy: str) -> None:
    """Raises `BadInput` unless a fault flips random bits of parameters stored as in `deploy`."""
    stored = DEPLOYED[deploy]
    flips = fault.of_bits and not fault.transient and fault.where.stored == stored
    expect(
        flips and type(fault.where) in (Parameters, Weights, Biases),
        f"random bit flips of parameters with {deploy}, such as parameters,stored={stored}:"
        "bit_flip:n=10",
        fault=fault.label,
    )


def note(deploy: str) -> str:
    """What a reader of the comparison has to know; may be empty."""
    if DEPLOYED[deploy] != "int8":
        return ""
    return (
        f"{NAME} rounds activations to 8 bits. In both a dense kernel has one scale, as its "
        "converter gives it, and not one for each output channel."
    )


def job(
    campaign: Campaign, settings: CampaignSettings, about: dict[str, JSON]
) -> Job[InjectionResult]:
    """The campaign on the converted file, for `folder.stored`; it is converted if it is run."""
    name = f"{campaign.network.name} in {NAME}"
    keras, arrays = keras_job(campaign, settings, about), (*campaign.x, campaign.y, campaign.golden)
    identity = [NAME, about.get("versions"), settings.to_json()]
    return replace(
        keras,
        model=name,
        identify=lambda: content_id(campaign.network, identity, arrays),
        run=lambda checkpointing: run(campaign, settings, name, checkpointing),
    )


def run(
    campaign: Campaign, settings: CampaignSettings, name: str, checkpointing: Checkpointing
) -> InjectionResult:
    """Converts the network of a campaign, and runs its trials on the file; raises as `Deployed`."""
    from ftnoise.faults.campaign import unchanged
    from ftnoise.faults.tflite import Deployed

    with unchanged(campaign.network) as before, Deployed(campaign) as deployed:
        same = campaign.decisions.top(deployed.golden) == campaign.decisions.top(campaign.golden)
        checks = (
            f"without faults: the class of the Keras model in this format for "
            f"{100 * float(same.numpy().mean()):.2f} % of the examples"
        )
        return measured(
            deployed, campaign, settings, checkpointing, checks=checks, weights=before, name=name
        )
