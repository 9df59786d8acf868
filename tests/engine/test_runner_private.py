"""The ledger of a private run outlives all damage, and a secret key is in no file."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.engine import runner
from ftnoise.engine.publish import publish
from ftnoise.measures.privacy import PrivacyLoss
from ftnoise.store.folders import RunFolder, Store
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, PrivateUpdater
from tests.engine.running import RUN, digest, folder_of, stopped, unit

PRIVATE = dataclasses.replace(RUN, training=Training(gradients=DPSGD(noise_multiplier=1.0)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    """A private run that was performed without interruption."""
    one = unit(tmp_path_factory.mktemp("whole"), PRIVATE, ())
    runner.perform(one)
    return folder_of(one)


@pytest.fixture
def one(tmp_path) -> runner.Unit:
    return unit(tmp_path, PRIVATE, ())


def spans(folder: RunFolder) -> list[tuple[int, int]]:
    ledger = folder.spec()["gradients"]["ledger"]
    return [(attempt["from"], attempt["to"]) for attempt in ledger]


def stop_at(one: runner.Unit, epoch: int) -> None:
    """Stops after that many epochs of this attempt, which begins with a checkpoint."""
    with stopped(after=epoch + 1):
        runner.perform(one)


def test_private_steps_are_counted_again_whatever_was_damaged(one, copy, whole):
    steps = copy.spec()["steps"]
    assert spans(copy) == [(0, steps)]
    # The ledger of spec.json counts on where the weights are gone, ...
    (copy.path / "weights.npz").write_bytes(b"")
    stop_at(one, 2)
    assert spans(copy) == [(0, steps)] * 2
    # ... or the checkpoint of the second attempt does not fit, ...
    content, _ = copy.checkpoint().load()
    copy.checkpoint().save({"state": content["state"]}, [("weight/0", np.zeros(3))])
    stop_at(one, 1)
    # ... or another stop comes, which repeats what was announced.
    runner.perform(one)
    assert spans(copy) == [(0, steps)] * 3
    assert digest(copy) != digest(whole)


def test_however_often_the_checkpoint_is_lost_each_attempt_counts(one, folder):
    for pattern in ("checkpoint*.json", "checkpoint*.npz"):
        stop_at(one, 1)
        for file in folder.path.glob(pattern):
            file.write_bytes(b"")
    runner.perform(one)
    assert spans(folder) == [(0, folder.spec()["steps"])] * 3
    assert not folder.spec()["gradients"]["lost"]


def test_without_any_record_the_ledger_is_marked_as_lost(one, copy):
    (copy.path / "spec.json").write_text("{")
    runner.perform(dataclasses.replace(one, measures=(PrivacyLoss(),)))
    assert copy.spec()["gradients"]["lost"]
    assert copy.read_measure(spec_id(PrivacyLoss())) == {"privacy_ledger_lost": 1.0}


def test_a_second_private_training_does_not_replace_a_published_one(tmp_path, copy):
    target = tmp_path / "published"
    (row,) = (Row(name="private", run=PRIVATE),)
    measure = PrivacyLoss()
    columns = (Column(name="privacy_steps", measure=measure, title="Steps"),)
    table = Experiment(name="own", title="", source="", rows=(row,), columns=columns)
    first = Store(copy.path.parent)
    publish(table, None, first, Store(target))
    publish(table, None, first, Store(target))
    before = content(target)
    again = unit(tmp_path / "again", PRIVATE.scaled(PRESETS["paper"]), ())
    for change in ("weights", "ledger"):
        runner.perform(again)
        folder = folder_of(again)
        if change == "weights":
            names = [(name, array + 1) for name, array in folder.load_weights()]
            folder.save_weights(names, {"architecture": "dense"})
        else:
            spec = folder.spec()
            spec["gradients"]["ledger"].append(spec["gradients"]["ledger"][0])
            folder.write_spec(spec)
        with pytest.raises(BadInput, match=r"no other private training.*published"):
            publish(table, None, Store(tmp_path / "again"), Store(target))
        assert content(target) == before
        shutil.rmtree(tmp_path / "again")
    # The same release may be published again, also where copying it was interrupted.
    runner.perform(again)
    publish(table, None, Store(tmp_path / "again"), Store(target))
    (copied,) = target.glob("*/weights.json")
    copied.unlink()
    publish(table, None, Store(tmp_path / "again"), Store(target))
    assert digest(Store(target).run(again.id)) == digest(folder_of(again))


def test_a_secret_key_is_in_no_file(tmp_path, monkeypatch):
    keys = []

    def key(updater, purpose):
        keys.append(original(updater, purpose))
        return keys[-1]

    original = PrivateUpdater.key
    monkeypatch.setattr(PrivateUpdater, "key", key)
    secret = PRIVATE.scaled(PRESETS["paper"].with_secret_key())
    one = unit(tmp_path, secret, ())
    stop_at(one, 1)
    seen = content(tmp_path)
    runner.perform(one)
    seen += content(tmp_path)
    assert len(set(keys)) == 4
    for number in keys:
        assert str(number).encode() not in seen
        assert number.to_bytes(8, "little") not in seen
    assert str(folder_of(one).spec()["steps"]).encode() in seen


def content(root: Path) -> bytes:
    """All bytes of all files, and of the arrays in them."""
    found = b""
    for path in root.rglob("*"):
        found += path.read_bytes() if path.is_file() else b""
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                found += b"".join(arrays[name].tobytes() for name in arrays)
    return found
