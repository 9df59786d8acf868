"""The Dockerfile without Docker: its parts fit, and its steps work in an empty environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import ftnoise
from ftnoise.engine import environment

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions, such as `("USER", "ftnoise")`, in order."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line:
            name, _, words = line.partition(" ")
            yield name, words


def values(name: str) -> list[str]:
    return [words for found, words in instructions() if found == name]


def copies(words: str) -> tuple[list[str], str]:
    """Sources and target of a COPY."""
    *sources, target = [word for word in words.split() if not word.startswith("--")]
    return sources, target


def sent_to_docker(path: PurePosixPath) -> bool:
    """Whether .dockerignore lets a path of the checkout pass; its last fitting line decides."""
    passes = True
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!")
        if any(part.match(pattern) for part in (path, *path.parents)):
            passes = line.startswith("!")
    return passes


def locked(path: Path) -> dict[str, str]:
    """Versions by package, of a lock with hashes."""
    pins = re.findall(
        r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", path.read_text(), re.M
    )
    packages = re.findall(r"^[^\s#].*", path.read_text(), re.M)
    assert len(pins) == len(packages) > 0, f"{path.name} has a line without version or hash"
    return dict(pins)


def test_the_base_has_the_cuda_of_the_wheels() -> None:
    (base,) = values("FROM")
    assert re.fullmatch(r"nvidia/cuda:12\.2\.2-base-ubuntu22\.04(@sha256:[0-9a-f]{64})?", base)
    cuda = locked(ROOT / "docker" / "requirements-cuda.txt")["nvidia-cuda-runtime-cu12"]
    assert cuda.startswith("12.2.")


def test_the_system_packages_are_those_that_the_door_asks_for() -> None:
    asked = re.search(r"sudo apt-get install ([\w. -]+)", (ROOT / "reproduce.sh").read_text())
    assert asked is not None
    assert set(asked[1].split()) <= set(values("RUN")[0].split())


def test_what_is_copied_is_there_and_not_ignored() -> None:
    for words in values("COPY"):
        for source in copies(words)[0]:
            assert (ROOT / source).exists(), source
            assert sent_to_docker(PurePosixPath(source)), source


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("ftnoise/cli/main.py", True),
        ("tests/test_docker.py", True),
        ("runs/reference/table5.paper.csv", True),
        ("runs/some-run/weights.npz", False),
        (".git/HEAD", False),
        (".venv/bin/python", False),
        ("ftnoise/cli/__pycache__/main.pyc", False),
    ],
)
def test_the_image_gets_the_code_and_nothing_that_the_machine_made(path: str, passes: bool) -> None:
    assert sent_to_docker(PurePosixPath(path)) is passes


def test_the_commands_are_correct_shell() -> None:
    for command in values("RUN"):
        subprocess.run(["sh", "-n", "-c", command], check=True)
    subprocess.run(["bash", "-n", ROOT / "reproduce.sh"], check=True)


def test_the_program_runs_without_root_in_folders_of_its_own() -> None:
    order = [(name, words) for name, words in instructions() if name in ("USER", "RUN")]
    (user,) = values("USER")
    assert user != "root"
    assert order.index(("USER", user)) == 1, "all but the system packages is done without root"
    (workdir,), (entry,), (volumes,) = values("WORKDIR"), values("ENTRYPOINT"), values("VOLUME")
    (door,) = json.loads(entry)
    assert Path(door) == Path(workdir) / "reproduce.sh"
    assert os.access(ROOT / "reproduce.sh", os.X_OK)
    made = values("RUN")[0].split()
    for folder in (workdir, *json.loads(volumes)):
        assert folder in made, f"{folder} would belong to root"
    settings = " ".join(values("ENV"))
    assert all(word.split("=")[1].startswith("/data") for word in settings.split() if "/" in word)


def test_what_a_run_records_of_the_image_is_what_the_build_was_told(monkeypatch, tmp_path) -> None:
    name, value = next(words for words in values("ENV") if "COMMIT" in words).split("=")
    assert value == "$COMMIT"
    assert "COMMIT=" in values("ARG")
    monkeypatch.setenv(name, "abc")
    monkeypatch.setattr(ftnoise, "__file__", str(tmp_path / "__init__.py"))
    assert environment.commit() == "abc"
    monkeypatch.setenv(name, "")
    assert environment.commit() is None


def test_the_cuda_lock_is_what_the_locked_tensorflow_asks_for() -> None:
    main = locked(ROOT / "requirements.txt")
    cuda = locked(ROOT / "docker" / "requirements-cuda.txt")
    assert main["tensorflow"] == importlib.metadata.version("tensorflow")
    wanted = {}
    for requirement in importlib.metadata.requires("tensorflow") or []:
        if asked := re.fullmatch(r"(\S+) \(==(\S+)\) ; extra == 'and-cuda'", requirement):
            wanted[asked[1]] = asked[2]
    assert cuda == wanted
    assert not cuda.keys() & main.keys()


@pytest.mark.parametrize("lock", ["requirements.txt", "docker/requirements-cuda.txt"])
def test_a_lock_names_no_host_and_no_folder_of_a_machine(lock: str) -> None:
    assert not re.findall(r"https?:|file:|(?:^|\s)/\w+/", (ROOT / lock).read_text())


@pytest.mark.slow
def test_the_steps_after_the_base_image_work_in_an_empty_environment(tmp_path: Path) -> None:
    image, home, data = (tmp_path / name for name in ("ftnoise", "home", "data"))
    for folder in (image, home, data):
        folder.mkdir()
    python = Path(sys._base_executable).resolve().parent
    environment = {"PATH": f"{python}:{os.defpath}", "HOME": str(home)}
    # How a machine reaches its package index is no part of the image.
    passed = re.compile(r"PIP_(?!REQUIRE|USER|TARGET).*|.*_proxy|SSL_CERT_.*", re.IGNORECASE)
    environment |= {name: value for name, value in os.environ.items() if passed.fullmatch(name)}

    def run(command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=image, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        return done.stdout

    def unwanted(folder: str, names: list[str]) -> list[str]:
        inside = PurePosixPath(Path(folder).relative_to(ROOT))
        return [name for name in names if not sent_to_docker(inside / name)]

    steps = list(instructions())
    for name, words in steps[steps.index(("USER", "ftnoise")) + 1 :]:
        if name == "ENV":
            for setting in words.split():
                key, _, value = setting.partition("=")
                environment[key] = re.sub(r"^/data", str(data), value)
        elif name == "COPY":
            sources, target = copies(words)
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(
                        ROOT / source, image / target, ignore=unwanted, dirs_exist_ok=True
                    )
                else:
                    (image / target).mkdir(exist_ok=True)
                    shutil.copy(ROOT / source, image / target)
        elif name == "RUN" and "requirements-cuda.txt" not in words:
            # The CUDA wheels are several GB and of no use here; their lock has its own test.
            run(["sh", "-c", words])
    assert "table5" in run([str(image / "reproduce.sh")])
    assert "passed" in run([str(image / "reproduce.sh"), "test", "tests/test_dependencies.py"])
