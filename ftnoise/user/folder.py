"""The folder of a campaign: its result, and unfinished work that the next process continues.

    injection.json, .npz     the result, what it was made of, and the results of each trial
    injection.csv            a line for each rate
    injection.png, .pdf      accuracy against the rate of faults
    partial-<id>.json, .npz  the trials so far, until there is a result
    .lock                    held by the process that works here

The files do not depend on the time or on interruptions: equal campaigns have equal bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import TEMPORARIES, holder, locked, remove, write_bytes, write_text
from ftnoise.core.progress import log
from ftnoise.core.spec import JSON, digest
from ftnoise.report.figures.arrays import fault_curve
from ftnoise.store.partial_work import PartialWork
from ftnoise.store.records import Record, Shape
from ftnoise.user.inject import run
from ftnoise.user.result import InjectionResult

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.user.settings import CampaignSettings

SUFFIXES = ("json", "npz", "csv", "png", "pdf")
SHAPE: Shape = {
    **dict.fromkeys(("identity", "model", "checks", "weights"), str),
    "sites": int,
    "array_file": dict,
}


@contextlib.contextmanager
def stored(
    campaign: Campaign,
    settings: CampaignSettings,
    identity: str,
    path: Path,
    report: Callable[[int, int, str], None],
    about: dict[str, JSON],
) -> Iterator[InjectionResult]:
    """The stored result of a campaign, or a new one; missing files are written after the block.

    Args:
        campaign: as `prepared` makes it from the settings.
        settings: of the campaign.
        identity: `content_id` of both.
        path: of the folder, which need not exist.
        report: gets the number of completed and of all trials, and a text.
        about: further facts for a reader of the JSON.

    Raises:
        BadInput: the result or the unfinished work of another campaign is here.
        RunFailed: another process works here, or a file cannot be written (no space, ...).
    """
    from ftnoise.faults.outcomes import Outcomes

    record, partial = (
        Record(path, "injection", shape=SHAPE),
        Record(path, f"partial-{identity[:8]}"),
    )
    with locked(path) as mine:
        if not mine:
            raise RunFailed(
                f"Expected {path} to be free. Received: a folder in which {holder(path)} works; "
                "wait for it, or choose another folder."
            )
        remove(path.glob(TEMPORARIES))  # of a killed process
        known = record.load()
        others = set(path.glob("partial-*.json")) - {partial.path}
        if others or (known and known[0].get("identity") != identity):
            raise BadInput(
                f"Expected {path} to be empty or of this campaign. Received: one of another model, "
                "data or settings; choose another folder."
            )
        if known is None:
            result = run(campaign, settings, PartialWork(partial, report))
        else:
            log("Cached: this campaign was run before.")
            result = InjectionResult(
                settings=settings,
                outcomes=Outcomes.from_arrays(settings.rates, campaign.y, dict(known[1])),
                **{name: known[0][name] for name in ("model", "sites", "checks", "weights")},
            )
        yield result
        files = {suffix: path / f"injection.{suffix}" for suffix in SUFFIXES}
        if known is None or not all(file.exists() for file in files.values()):
            write_text(files["csv"], table(result))
            for suffix, picture in figure(result).items():
                write_bytes(files[suffix], picture)
        if known is None:  # last: it marks the others as complete
            arrays = {**result.outcomes.to_arrays(), "y": result.outcomes.y}
            content = {"identity": identity, **about, **result.to_json()}
            record.save(content, list(arrays.items()))
        partial.drop()


def content_id(campaign: Campaign, settings: CampaignSettings) -> str:
    """SHA-256 (hex) of the architecture, weights, examples, golden outputs and settings.

    The code of a user's own layers enters by the golden outputs only.
    """
    network = campaign.network
    try:
        architecture = network.to_json()
    except (NotImplementedError, TypeError, ValueError):  # a layer without a config
        architecture = " ".join(type(layer).__qualname__ for layer in network.layers)
    found = hashlib.sha256(digest([architecture, settings.to_json()]).encode())
    for array in (*network.get_weights(), *campaign.x, campaign.y, campaign.golden):
        found.update(array.tobytes())
    return found.hexdigest()


def table(result: InjectionResult) -> str:
    """The lines of a result as CSV, with the model, the golden accuracy and the seed in front."""
    frame = result.lines.drop(columns="class_accuracies")
    frame.insert(0, "seed", result.settings.seed)
    frame.insert(0, "golden_accuracy", result.golden_accuracy)
    frame.insert(0, "model", result.model)
    return frame.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def figure(result: InjectionResult) -> dict[str, bytes]:
    """The curve of a result, by suffix (`png`, `pdf`)."""
    rows = result.rows
    shares = [100 * row.share for row in rows if row.share is not None]
    are_shares = len(shares) == len(rows)
    return fault_curve(
        shares if are_shares else [row.faults for row in rows],
        [row.accuracy for row in rows],
        [row.low for row in rows],
        [row.high for row in rows],
        golden=result.golden_accuracy,
        x_title=f"{'Fault rate (%)' if are_shares else 'Faults'}: {result.settings.fault.label}",
        band=f"{100 * result.settings.confidence:g} % interval of the mean over trials: "
        f"{rows[0].method}",
    )
