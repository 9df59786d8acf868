"""One unit of work: train a run or load it, evaluate the measures that are missing, store both.

A unit is picklable and idempotent: it asks the store first, so it may be tried again anywhere, and
returns only the id of its run. Units know specs by their base classes and the store by its folders.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftnoise
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import FtnoiseError, RunFailed
from ftnoise.core.experiment import run_id
from ftnoise.core.interfaces import Measure, MeasureInput, Run
from ftnoise.core.progress import tell
from ftnoise.core.spec import JSON, canonical, spec_id
from ftnoise.store.folders import RunFolder, Store
from ftnoise.store.records import Record

if TYPE_CHECKING:
    import keras

Report = Callable[[int, int, str], None]

PACKAGES = ("tensorflow", "tensorflow-privacy", "keras", "numpy")
# Prefixes of environment variables that change what these packages compute.
SWITCHES = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "MKL_", "OMP_", "KMP_", "CUDA_", "NVIDIA_")
# TensorFlow's own that change messages alone, and those of Terraform, which share the prefix.
NO_SWITCHES = ("TF_CPP_", "TF_CLI_", "TF_VAR_")
# The keys of a checkpoint's state.
KEPT = {"training", "environments", "position"}


@dataclass(frozen=True)
class Unit:
    """A run, and the measures to evaluate on it.

    Args:
        run: trained unless it is stored.
        measures: evaluated unless they are stored.
        root: folder of the store.
        sources: where the data come from.
        digest: the data's expected content digest.
        xla: see `Checkpointing.xla`.
    """

    run: Run
    measures: tuple[Measure, ...]
    root: Path
    sources: Sources
    digest: str
    xla: bool = False

    @property
    def id(self) -> str:
        """The run's id."""
        return run_id(self.run, self.digest)


def perform(unit: Unit, report: Report = lambda done, total, text: None) -> str | None:
    """Does what is missing of a unit.

    Interrupted at any moment, nothing finished is lost, and the next call resumes: a training from
    its newest checkpoint, a measure from its partial work.

    Args:
        unit: the unit.
        report: gets the number of completed and of all steps, and a text, while it works.

    Returns:
        The run's id; None if another process works on the run.

    Raises:
        FtnoiseError: it failed. The reason is one line; an unexpected exception is kept in the
            run's failure.log.
    """
    folder = _store(unit.root).run(unit.id)
    with folder.locked() as mine:
        if not mine:
            return None
        folder.clean()
        try:
            _perform(unit, folder, report)
        except FtnoiseError:
            raise
        except Exception as failure:  # a run may fail in any way; the others must go on
            log = folder.write_failure(traceback.format_exc())
            reason = (str(failure).strip().splitlines() or [""])[0][:200]
            text = f"{type(failure).__name__}: {reason} (details: {log})"
            raise FtnoiseError(text) from failure
    return unit.id


def _perform(unit: Unit, folder: RunFolder, report: Report) -> None:
    if folder.finished() is not None and not missing(folder, unit.measures):
        return
    # Weights that turn out to be damaged are set aside, and the run is trained again.
    network = stored_network(unit.run, folder) if folder.finished() else None
    if network is None:
        network = _train(unit, folder, report)
    folder.drop_checkpoints()
    for measure in missing(folder, unit.measures):
        others = measure.others(unit.run)
        trained = MeasureInput(
            network=network,
            data=_data(unit),
            run=unit.run,
            checkpointing=PartialWork(folder.partial_work(spec_id(measure)), report),
            record=folder.spec() or {},
            others=Others(others, unit),
        )
        result = measure.evaluate(trained)
        info = {"measure": canonical(measure, everything=True), **result.info}
        folder.write_measure(spec_id(measure), result.scalars, result.arrays, info)
    del network
    gc.collect()


def _train(unit: Unit, folder: RunFolder, report: Report) -> keras.Model:
    run, data = unit.run, _data(unit)
    # Results that are stored here belong to weights that were damaged.
    folder.drop_measures()
    before = folder.spec() or {}
    started = before.get("started") or now()
    checkpointing = FolderCheckpointing(folder, report, xla=unit.xla)
    checkpointing.announced = before.get("gradients")
    folder.write_spec(record(run, data, folder.id, checkpointing) | {"started": started})
    network = run.training.train(run, data, checkpointing)
    # The weights come last: they mark the run as finished.
    times = {"started": started, "finished": now()}
    folder.write_spec(record(run, data, folder.id, checkpointing) | times)
    folder.save_weights(named_weights(network), {"architecture": run.architecture.slug})
    return network


def missing(folder: RunFolder, measures: Iterable[Measure]) -> list[Measure]:
    """The measures that a run's folder has no result of."""
    return [measure for measure in measures if not folder.measured(spec_id(measure))]


def position(folder: RunFolder) -> str:
    """Where an interrupted training resumes, by its newest checkpoint; "" at the start."""
    records = [folder.checkpoint(), *(folder.checkpoint(p) for p in _parts(folder))]
    states = [(content or {}).get("state", {}) for content in (r.content() for r in records)]
    positions = [state.get("position", "") for state in states if state.keys() == KEPT]
    return positions[-1] if positions else ""


def _parts(folder: RunFolder) -> list[str]:
    files = folder.path.glob("*/checkpoint.json")
    return [file.parent.name for file in sorted(files, key=lambda file: file.stat().st_mtime)]


@cache
def _store(root: Path) -> Store:
    # One value for a process: it knows which locks the process holds.
    return Store(root)


_LOADED: list[tuple[Any, Data]] = []


def _data(unit: Unit) -> Data:
    """The unit's data; those of the last unit are kept, as units often share them."""
    run = unit.run
    wanted = (run.data, run.train_examples, run.test_examples, unit.digest, unit.sources)
    if not _LOADED or _LOADED[0][0] != wanted:
        _LOADED.clear()
        data = run.data.load(unit.sources)
        if data.digest != unit.digest:
            raise RunFailed(f"The data set {run.data.slug} has changed since this command began.")
        _LOADED.append((wanted, data.take(run.train_examples, run.test_examples)))
    return _LOADED[0][1]


class PartialWork(Checkpointing):
    """Checkpointing of unfinished work in a record, with progress.

    Args:
        work: where the work is kept until its result is written.
        report: gets the number of completed and of all units of work, and a text.
        show: gets messages to the user.
    """

    def __init__(
        self, work: Record, report: Report, show: Callable[[str], None] = lambda text: None
    ) -> None:
        self.work, self.report, self._show = work, report, show

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What an earlier process kept."""
        kept = self.work.load()
        return None if kept is None else (dict(kept[1]), kept[0].get("state", {}))

    def discard(self, reason: str) -> None:
        """Sets it aside."""
        self.work.discard(reason)

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps it until the result is written."""
        self.work.save({"state": state}, list(arrays.items()))

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Hands the position on."""
        self.report(done, total, text)

    def show(self, text: str) -> None:
        """Hands the message on."""
        self._show(text)


class FolderCheckpointing(PartialWork):
    """Checkpointing of a training, or of a part of a procedure, in a run's folder.

    Args:
        folder: the run's folder, locked.
        report: gets the number of completed and of all steps, and a text.
        xla: see `Checkpointing`.
        name: of the part; "" for the run itself.
    """

    def __init__(
        self, folder: RunFolder, report: Report, *, xla: bool = False, name: str = ""
    ) -> None:
        super().__init__(folder.checkpoint(name), report)
        self.folder, self.xla, self.name = folder, xla, name
        self.log_dir = folder.path / name
        self.state: dict[str, Any] = {}
        self.earlier: list[dict[str, Any]] = []
        self.parts: dict[str, FolderCheckpointing] = {}
        self.position = ""

    @cached_property
    def environment(self) -> dict[str, Any]:
        """That of this process."""
        return environment()

    def part(self, name: str) -> FolderCheckpointing:
        """Checkpointing in a subfolder of the run."""
        if name not in self.parts:
            part = FolderCheckpointing(
                self.folder,
                lambda done, total, text: self.report(done, total, f"{name}, {text}"),
                xla=self.xla,
                name=f"{self.name}.{name}" if self.name else name,
            )
            before = (self.folder.spec() or {}).get("parts", {})
            part.announced = before.get(part.name, {}).get("gradients")
            self.parts[name] = part
        return self.parts[name]

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The newest checkpoint."""
        checkpoint = super().load()
        if checkpoint is None:
            self.repeats = self.announced is None and not self.folder.set_aside()
            return None
        arrays, kept = checkpoint
        if kept.keys() != KEPT:
            self.discard("was written by another version of ftnoise")
            return None
        self.state = kept["training"]
        self.earlier = [other for other in kept["environments"] if other != self.environment]
        self.repeats = repeatable(kept["environments"][-1], self.environment)
        here = arithmetic(self.environment)
        if others := sorted({arithmetic(other) for other in self.earlier} - {here}):
            tell(
                f"{self.folder.id} resumes with {here} after {'; '.join(others)}: its last bits "
                "differ from those of a training in one place."
            )
        return arrays, self.state

    def discard(self, reason: str) -> None:
        """Sets the checkpoint aside."""
        self.announced = self.state.get("gradients", self.announced)
        self.state, self.earlier, self.repeats = {}, [], False
        super().discard(reason)

    def announce(self, announced: Any) -> None:
        """Keeps it in spec.json."""
        self.announced = announced
        spec = self.folder.spec() or {}
        if self.name:
            parts = spec.get("parts", {})
            parts[self.name] = parts.get(self.name, {}) | {"gradients": announced}
            self.folder.write_spec(spec | {"parts": parts})
        else:
            self.folder.write_spec(spec | {"gradients": announced})

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps a checkpoint in the folder."""
        self.state = state
        environments = [*self.earlier, self.environment]
        kept = {"training": state, "environments": environments, "position": self.position}
        super().save(arrays, kept)

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Hands the position on."""
        self.position = f"{self.name}, {text}" if self.name else text
        super().progress(done, total, text)

    def summary(self) -> dict[str, JSON]:
        """What spec.json keeps of the training."""
        return {
            # Of the processes before, where a training was resumed in another one.
            "earlier_environments": self.earlier,
            "xla": self.state.get("xla", self.xla),
            "seconds": self.state.get("seconds", 0.0),
            "epochs_per_entry": self.state.get("epochs_per_entry", 1),
            "history": self.state.get("history", []),
            "gradients": self.state.get("gradients", self.announced),
        }


class Others(Mapping[Run, Any]):
    """The trained networks of other runs, each loaded once, on first access.

    Args:
        runs: which runs.
        unit: the unit whose measure needs them.
    """

    def __init__(self, runs: Iterable[Run], unit: Unit) -> None:
        self._unit = unit
        self._networks: dict[Run, Any] = dict.fromkeys(runs)

    def __getitem__(self, run: Run) -> keras.Model:
        if self._networks[run] is None:
            unit = self._unit
            known = unit.digest if run.data == unit.run.data else run.data.digest(unit.sources)
            folder = _store(unit.root).run(run_id(run, known))
            # The network that is measured is in use, so Keras' state stays as it is.
            network = _rebuilt(run, folder) if folder.finished() else None
            if network is None:
                raise RunFailed(f"Expected {folder.id}, another run, to be trained. It is not.")
            self._networks[run] = network
        return self._networks[run]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)


def stored_network(run: Run, folder: RunFolder) -> keras.Model | None:
    """The trained network of a stored run, rebuilt from its spec; no code is read.

    None if its weights are damaged or do not fit: they are set aside then.
    """
    import keras

    keras.backend.clear_session()
    return _rebuilt(run, folder)


def _rebuilt(run: Run, folder: RunFolder) -> keras.Model | None:
    weights = folder.load_weights()
    if weights is None:
        return None
    network = run.training.build(run)
    shapes = [tuple(variable.shape) for variable in network.weights]
    if [array.shape for _, array in weights] != shapes:
        folder.discard_weights(f"does not fit the network {network.name}")
        return None
    network.set_weights([array for _, array in weights])
    return network


def named_weights(network: Any) -> list[tuple[str, Any]]:
    """All variables in Keras' order, named by position, layer and kind."""
    return [
        (f"{n:02d}/{variable.name.split(':')[0]}", variable.numpy())
        for n, variable in enumerate(network.weights)
    ]


def record(
    run: Run, data: Data, identity: str, checkpointing: FolderCheckpointing
) -> dict[str, JSON]:
    """What `spec.json` keeps: the run, its data, where and when it was made, its history."""
    content = {
        "id": identity,
        "run": canonical(run),
        "fields": canonical(run, everything=True),
        "data": {"digest": data.digest, "source": data.source},
        "environment": checkpointing.environment,
        "steps": run.schedule.epochs * run.schedule.steps_per_epoch(len(data.y_train)),
        **checkpointing.summary(),
    }
    if checkpointing.parts:
        parts = checkpointing.parts.values()
        content["parts"] = {part.name: part.summary() for part in parts}
    return content


def arithmetic(environment: dict[str, Any]) -> str:
    """`AMD EPYC, 2 threads`: what the last bits of a training in this environment depend on."""
    where = ", ".join(environment["gpus"]) or environment["processor"]
    count = environment["threads"]
    return f"{where}, {count} thread{'' if count == 1 else 's'}"


def repeatable(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a training takes the same steps in both environments, bit for bit.

    GPUs add in no fixed order. A commit may differ, as long as the code is the same.
    """
    differing = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return differing <= {"commit"} and not one["gpus"]


def now() -> str:
    """The time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def threads() -> int:
    """Threads that TensorFlow computes one operation with; training bits depend on them."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or cores()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def environment() -> dict[str, Any]:
    """Versions, commit, machine and threads: what the numbers depend on beside the spec."""
    return {
        "python": platform.python_version(),
        "ftnoise": ftnoise.__version__,
        **{package: metadata.version(package) for package in PACKAGES},
        "commit": commit(),
        "code": code(),
        "switches": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SWITCHES) and not name.startswith(NO_SWITCHES)
        },
        "processor": processor(),
        "cores": cores(),
        "threads": threads(),
        "gpus": gpus(),
    }


def code() -> str:
    """SHA-256 (hex) of the package's source files."""
    here = Path(ftnoise.__file__).resolve().parent
    found = hashlib.sha256()
    for file in sorted(here.rglob("*.py")):
        found.update(f"{file.relative_to(here).as_posix()}\0".encode() + file.read_bytes())
    return found.hexdigest()


def commit() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it.

    Outside a checkout, what FTNOISE_COMMIT says (a container's image sets it), or None.
    """
    here = Path(ftnoise.__file__).resolve().parent
    try:
        said = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+changes"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("FTNOISE_COMMIT") or None
    return said.stdout.strip()


def processor() -> str:
    """The processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def gpus() -> list[str]:
    """Names of the GPUs that TensorFlow sees."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in devices
    ]
