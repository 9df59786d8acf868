"""The ledger of a private run outlives all damage, and a secret key is in no file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.test_runner import RUN, digest, folder_in, perform, stop_at

from ftnoise.core.spec import spec_id
from ftnoise.measures.privacy import PrivacyLoss
from ftnoise.store.folders import RunFolder
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, PrivateUpdater

PRIVATE = dataclasses.replace(RUN, training=Training(gradients=DPSGD(noise_multiplier=1.0)))


def spans(folder: RunFolder) -> list[tuple[int, int]]:
    ledger = folder.spec()["gradients"]["ledger"]
    return [(attempt["from"], attempt["to"]) for attempt in ledger]


def test_private_steps_are_counted_again_whatever_was_damaged(tmp_path):
    folder = folder_in(tmp_path, PRIVATE)
    perform(folder, run=PRIVATE)
    steps = folder.spec()["steps"]
    first = digest(folder)
    assert spans(folder) == [(0, steps)]
    # The ledger of spec.json counts on where the weights are gone, ...
    (folder.path / "weights.npz").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        perform(folder, run=PRIVATE, at_epoch=stop_at(2))
    assert spans(folder) == [(0, steps)] * 2
    # ... or the checkpoint of the second attempt does not fit, ...
    folder.save_checkpoint({"weight/0": np.zeros(3)}, folder.checkpoint_state())
    with pytest.raises(KeyboardInterrupt):
        perform(folder, run=PRIVATE, at_epoch=stop_at(1))
    # ... or another stop comes, which repeats what was announced.
    perform(folder, run=PRIVATE)
    assert spans(folder) == [(0, steps)] * 3
    assert digest(folder) != first


@pytest.mark.parametrize("name", ["checkpoint.json", "checkpoint.npz"])
def test_however_often_the_checkpoint_is_lost_each_attempt_counts(tmp_path, name):
    folder = folder_in(tmp_path, PRIVATE)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            perform(folder, run=PRIVATE, at_epoch=stop_at(1))
        for file in folder.path.glob(name.replace(".", "*.")):
            file.write_bytes(b"")
    perform(folder, run=PRIVATE)
    assert spans(folder) == [(0, folder.spec()["steps"])] * 4
    assert not folder.spec()["gradients"]["lost"]


def test_without_any_record_the_ledger_is_marked_as_lost(tmp_path):
    folder = folder_in(tmp_path, PRIVATE)
    perform(folder, run=PRIVATE)
    (folder.path / "spec.json").write_text("{")
    perform(folder, measures=(PrivacyLoss(),), run=PRIVATE)
    assert folder.spec()["gradients"]["lost"]
    assert folder.read_measure(spec_id(PrivacyLoss())) == {"privacy_ledger_lost": 1.0}


def test_a_secret_key_is_in_no_file(tmp_path, monkeypatch):
    keys = []

    def key(updater, purpose):
        keys.append(original(updater, purpose))
        return keys[-1]

    original = PrivateUpdater.key
    monkeypatch.setattr(PrivateUpdater, "key", key)
    secret = dataclasses.replace(PRIVATE, training=PRIVATE.training.with_secret_key())
    folder = folder_in(tmp_path, secret)
    seen = b""
    for epoch in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            perform(folder, run=secret, at_epoch=stop_at(epoch))
        seen += content(tmp_path)
    perform(folder, run=secret)
    seen += content(tmp_path)
    assert len(set(keys)) == 6
    for one in keys:
        assert str(one).encode() not in seen
        assert one.to_bytes(8, "little") not in seen
    assert str(folder.spec()["steps"]).encode() in seen


def content(root: Path) -> bytes:
    """All bytes of all files, and of the arrays in them."""
    found = b""
    for path in root.rglob("*"):
        found += path.read_bytes() if path.is_file() else b""
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                found += b"".join(arrays[name].tobytes() for name in arrays)
    return found
