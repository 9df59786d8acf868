"""One run: train it or find it, ask the measures that are missing, record everything.

Knows specs by their methods and the store by its folders; it knows no member of either.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftnoise
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import RunFailed
from ftnoise.core.interfaces import MeasureInput, Run
from ftnoise.core.progress import tell
from ftnoise.core.spec import Spec, canonical, others, spec_id
from ftnoise.store.records import PartialWork

if TYPE_CHECKING:
    from ftnoise.store.folders import RunFolder

PACKAGES = ("tensorflow", "tensorflow-privacy", "keras", "numpy")
# What they are told from outside, and may compute otherwise for.
SWITCHES = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "MKL_", "OMP_", "KMP_", "CUDA_", "NVIDIA_")
# TensorFlow's own that change words alone, and those of Terraform, which has the same beginning.
NO_SWITCHES = ("TF_CPP_", "TF_CLI_", "TF_VAR_")
# What `FolderCheckpointing` keeps beside the arrays of a checkpoint.
KEPT = {"training", "environments"}


class FolderCheckpointing(Checkpointing):
    """A checkpointing in a run's folder."""

    def __init__(
        self, folder: RunFolder, report: Callable[[int, int, str], None], *, xla: bool = False
    ) -> None:
        self.folder, self.report = folder, report
        self.log_dir = folder.log_dir
        self.xla = xla
        self.state: dict[str, Any] = {}
        self.earlier: list[dict[str, Any]] = []

    @cached_property
    def environment(self) -> dict[str, Any]:
        """That of this process."""
        return environment()

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The folder's newest checkpoint."""
        checkpoint = self.folder.load_checkpoint()
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
                f"{self.folder.id} goes on with {here} after {'; '.join(others)}: its last bits "
                "differ from those of a training in one place."
            )
        return arrays, self.state

    def discard(self, reason: str) -> None:
        """Sets the folder's checkpoint aside."""
        self.announced = self.state.get("gradients", self.announced)
        self.state, self.earlier, self.repeats = {}, [], False
        self.folder.discard_checkpoint(reason)

    def announce(self, announced: Any) -> None:
        """Keeps it in spec.json."""
        self.announced = announced
        self.folder.write_spec((self.folder.spec() or {}) | {"gradients": announced})

    def save(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Keeps a checkpoint in the folder."""
        self.state = state
        environments = [*self.earlier, self.environment]
        self.folder.save_checkpoint(arrays, {"training": state, "environments": environments})

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Hands the position on."""
        self.report(done, total, text)


class MeasureCheckpointing(PartialWork):
    """A checkpointing in a measure's folder, whose work is on the run's trained weights.

    Training again drops it with all results.
    """

    def __init__(
        self, folder: RunFolder, measure: Spec, report: Callable[[int, int, str], None]
    ) -> None:
        super().__init__(folder.partial_work(spec_id(measure)), report)


class Others(Mapping[Run, Any]):
    """The trained networks of other runs, each loaded once, when it is asked for.

    Args:
        runs: which runs.
        folder: where each of them is stored.
    """

    def __init__(self, runs: Iterable[Run], folder: Callable[[Run], RunFolder]) -> None:
        self._folder = folder
        self._networks: dict[Run, Any] = dict.fromkeys(runs)

    def __getitem__(self, run: Run) -> Any:
        if self._networks[run] is None:
            folder = self._folder(run)
            if folder.finished() is None:
                raise RunFailed(f"Expected {folder.id}, another run, to be trained. It is not.")
            # The network that is measured is alive, so Keras' state stays as it is.
            self._networks[run] = rebuilt(run, folder)
        return self._networks[run]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)


def missing(folder: RunFolder, measures: Iterable[Spec]) -> list[Spec]:
    """The measures that a run's folder has no sound result of."""
    return [measure for measure in measures if not folder.measured(spec_id(measure))]


def epochs_done(folder: RunFolder) -> int:
    """How many epochs are behind in a run's folder, by its newest checkpoint."""
    state = folder.checkpoint_state()
    if state is None or state.keys() != KEPT:
        return 0
    training = state["training"]
    return len(training["history"]) * training.get("passes", 1)


def perform(
    run: Run,
    data: Any,
    folder: RunFolder,
    measures: Iterable[Spec],
    checkpointing: FolderCheckpointing,
    begin: Callable[[], None] = lambda: None,
    elsewhere: Callable[[Run], RunFolder] | None = None,
) -> None:
    """Trains a run if it is not there, and asks the measures that are missing.

    The caller holds the folder's lock. Interrupted at any moment, nothing finished is lost, and
    the next call goes on from the newest checkpoint, and a measure from what it kept.

    Args:
        run: the run.
        data: its `Data`, subset included.
        folder: where it is stored.
        measures: specs with `evaluate(trained)`.
        checkpointing: where the training keeps checkpoints and says how far it is.
        begin: called before each measure, which counts its own work.
        elsewhere: where another run is stored, for measures that need one.

    Raises:
        RunFailed: the training fails, or another run that a measure needs is not trained; the
            measures that need none are asked before.
    """
    network = None
    if folder.finished() is None:
        (network,) = train([run], [data], [folder], [checkpointing])
    folder.drop_checkpoint()
    for measure in sorted(missing(folder, measures), key=lambda one: bool(others(one, run))):
        if network is None:
            network = stored_network(run, folder)
        begin()
        trained = MeasureInput(
            network=network,
            data=data,
            run=run,
            checkpointing=MeasureCheckpointing(folder, measure, checkpointing.report),
            record=folder.spec() or {},
            others=Others(others(measure, run), elsewhere) if elsewhere else {},
        )
        answer = measure.evaluate(trained)  # type: ignore[attr-defined]
        info = {"measure": canonical(measure, everything=True), **answer.info}
        folder.write_measure(spec_id(measure), answer.scalars, answer.arrays, info)
    del network
    gc.collect()


def train(
    runs: Sequence[Run],
    data: Sequence[Any],
    folders: Sequence[RunFolder],
    checkpointings: Sequence[FolderCheckpointing],
) -> list[Any]:
    """Trains and stores runs that are not there; several at once if their training can do that.

    The caller holds the folders' locks. Interrupted at any moment, the next call goes on.
    """
    started = []
    for run, one, folder, checkpointing in zip(runs, data, folders, checkpointings, strict=True):
        # Results that are there belong to weights that were damaged.
        folder.drop_measures()
        before = folder.spec() or {}
        started.append(before.get("started") or now())
        checkpointing.announced = before.get("gradients")
        folder.write_spec(record(run, one, folder.id, checkpointing) | {"started": started[-1]})
    training = runs[0].training
    if len(runs) == 1:
        networks = [training.train(runs[0], data[0], checkpointings[0])]
    else:
        networks = training.train_together(runs, data, checkpointings)
    everything = zip(runs, data, folders, checkpointings, started, networks, strict=True)
    for run, one, folder, checkpointing, began, network in everything:
        # The weights come last: whoever finds them finds the whole record beside them.
        times = {"started": began, "finished": now()}
        folder.write_spec(record(run, one, folder.id, checkpointing) | times)
        folder.save_weights(named_weights(network), {"architecture": run.architecture.slug})
    return networks


def stored_network(run: Run, folder: RunFolder) -> Any:
    """The trained `keras.Model` of a stored run, rebuilt from its spec; no code is read."""
    import keras

    keras.backend.clear_session()
    return rebuilt(run, folder)


def rebuilt(run: Run, folder: RunFolder) -> Any:
    """The same beside networks that are in use."""
    network = run.training.build(run)
    weights = folder.load_weights()
    if weights is None:
        raise RunFailed(f"The weights of {folder.id} are gone; the same command trains it again.")
    shapes = [tuple(variable.shape) for variable in network.weights]
    if [array.shape for _, array in weights] != shapes:
        folder.discard_weights(f"does not fit the network {network.name}")
        raise RunFailed(
            f"The weights of {folder.id} do not fit its network; the same command trains it again."
        )
    network.set_weights([array for _, array in weights])
    return network


def named_weights(network: Any) -> list[tuple[str, Any]]:
    """All variables in Keras' order, named by position, layer and kind."""
    return [
        (f"{n:02d}/{variable.name.split(':')[0]}", variable.numpy())
        for n, variable in enumerate(network.weights)
    ]


def record(
    run: Run, data: Any, identity: str, checkpointing: FolderCheckpointing
) -> dict[str, Any]:
    """What `spec.json` keeps: the run, its data, where and when it was made, its history."""
    return {
        "id": identity,
        "run": canonical(run),
        "fields": canonical(run, everything=True),
        "data": {"digest": data.digest, "source": data.source},
        "environment": checkpointing.environment,
        # Of the processes before, where a training went on in another one.
        "earlier_environments": checkpointing.earlier,
        "xla": checkpointing.state.get("xla", checkpointing.xla),
        "steps": run.schedule.epochs * run.schedule.steps_per_epoch(len(data.y_train)),
        "seconds": checkpointing.state.get("seconds", 0.0),
        # An entry is of so many epochs together.
        "passes": checkpointing.state.get("passes", 1),
        "history": checkpointing.state.get("history", []),
        "gradients": checkpointing.state.get("gradients", checkpointing.announced),
    }


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
