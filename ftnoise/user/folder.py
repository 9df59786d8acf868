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
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.files import TEMPORARIES, locked, remove, write_bytes, write_text
from ftnoise.core.spec import JSON, digest
from ftnoise.report.figures.arrays import fault_curve
from ftnoise.store.partial_work import PartialWork
from ftnoise.store.records import Record
from ftnoise.user.result import InjectionResult

if TYPE_CHECKING:
    import keras

    from ftnoise.faults.campaign import Campaign
    from ftnoise.user.settings import CampaignSettings

STEM = "injection"
SUFFIXES = ("json", "npz", "csv", "png", "pdf")


def identity_of(campaign: Campaign, settings: CampaignSettings) -> dict[str, JSON]:
    """SHA-256 (hex) of the architecture, weights, examples and golden outputs, and the settings.

    Of the code of a user's layer only the golden outputs count.
    """
    from ftnoise.faults.campaign import digest as weights_digest

    examples = hashlib.sha256()
    for array in (*campaign.x, campaign.y):
        examples.update(f"{array.dtype.str} {array.shape}\n".encode())
        examples.update(array.tobytes())
    return {
        "architecture": architecture(campaign.network),
        "weights": weights_digest(campaign.network),
        "examples": examples.hexdigest(),
        "outputs": hashlib.sha256(campaign.golden.tobytes()).hexdigest(),
        "settings": settings.to_json(),
    }


def architecture(model: keras.Model) -> str:
    """SHA-256 (hex) of the layers and their connections, without names, which Keras numbers."""
    layers = list(model._flatten_layers())
    try:
        text = model.to_json()
    except (NotImplementedError, TypeError, ValueError):  # a layer without a config
        text = json.dumps([type(layer).__qualname__ for layer in layers])
    for number, layer in enumerate(layers):
        text = text.replace(f'"{layer.name}"', f'"layer {number}"')
    return hashlib.sha256(text.encode()).hexdigest()


def folder_name(model: str, identity: dict[str, JSON]) -> str:
    """`<model>-<8 hex digits>`, the default name of a campaign's folder."""
    name = re.sub("[^a-z0-9_]+", "-", model.lower()).strip("-_") or "model"
    return f"{name}-{digest(identity)[:8]}"


class ResultFolder:
    """The folder of one campaign.

    Args:
        path: need not exist.
        identity: `identity_of` the campaign.
    """

    def __init__(self, path: Path, identity: dict[str, JSON]) -> None:
        self.path, self._identity = path, identity
        self._record = Record(path, STEM)
        self._partial = Record(path, f"partial-{digest(identity)[:8]}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder's lock inside the block.

        Raises:
            RunFailed: another process works here, or the folder cannot be locked.
            BadInput: the result or the unfinished work of another campaign is here.
        """
        with locked(self.path) as mine:
            if not mine:
                raise RunFailed(
                    f"Expected {self.path} to be free. Received: a folder in which another process "
                    "works; wait for it, or choose another folder."
                )
            remove(self.path.glob(TEMPORARIES))  # of a killed process
            content = self._record.content()
            partial = set(self.path.glob("partial-*.json")) - {self._partial.path}
            if partial or (content and content.get("identity") != digest(self._identity)):
                raise BadInput(
                    f"Expected {self.path} to be empty or of this campaign. Received: one of "
                    "another model, data or settings; choose another folder."
                )
            yield

    def load(self) -> InjectionResult | None:
        """The stored result, or None; the lock is held."""
        found = self._record.load()
        try:
            return None if found is None else InjectionResult.from_json(found[0], dict(found[1]))
        except BadInput:
            self._record.discard("was written by another version of ftnoise")
            return None

    def checkpointing(
        self, report: Callable[[int, int, str], None], show: Callable[[str], None]
    ) -> PartialWork:
        """Keeps the unfinished work in this folder; the lock is held."""
        return PartialWork(self._partial, report, show)

    def save(self, result: InjectionResult, about: dict[str, JSON]) -> None:
        """Writes the missing files and drops the unfinished work; the lock is held.

        Args:
            result: of this campaign.
            about: further facts for a reader of the JSON.

        Raises:
            RunFailed: a file cannot be written (no space, ...).
        """
        stored = self._record.content() is not None
        files = {suffix: self.path / f"{STEM}.{suffix}" for suffix in ("csv", "png", "pdf")}
        missing = {suffix for suffix, file in files.items() if not (stored and file.exists())}
        if "csv" in missing:
            write_text(files["csv"], table(result))
        if missing & {"png", "pdf"}:
            for suffix, content in figure(result).items():
                write_bytes(files[suffix], content)
        if not stored:  # last, as it tells that the others are complete
            made_of = {**self._identity, **about}
            del made_of["settings"]  # the result has them
            record = {"identity": digest(self._identity), "made_of": made_of, **result.to_json()}
            self._record.save(record, list(result.arrays().items()))
        self._partial.drop()


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
    shares = all(row["share"] is not None for row in rows)
    return fault_curve(
        [100 * row["share"] if shares else row["faults"] for row in rows],
        [row["accuracy"] for row in rows],
        [row["low"] for row in rows],
        [row["high"] for row in rows],
        golden=result.golden_accuracy,
        x_title=f"{'Fault rate (%)' if shares else 'Faults'}: {result.settings.fault.label}",
        band=f"{100 * result.settings.confidence:g} % interval of the mean over trials: "
        f"{rows[0]['method']}",
    )
