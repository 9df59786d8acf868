"""`reproduce.sh` in copies of its own: with a pretended Python, and once with a real one."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ["awk", "bash", "cp", "dirname", "flock", "mkdir"]
TOOLS += ["readlink", "rm", "sh", "sha256sum", "sleep", "uname"]

# Stands in for every Python there is: answers the door's questions and notes what it is told to
# do. A file `hold-STEP` among the notes makes a step wait, `fail-pip` and `no-venv` say no.
PRETENDED = r"""#!/bin/bash
step() { : >"$NOTES/at-$1"; while [[ -e $NOTES/hold-$1 ]]; do sleep 0.02; done; }
case "$*" in
    *version_info*) exit 0 ;;
    *ensurepip*) [[ ! -e $NOTES/no-venv ]] ;;
    -V) echo "Python 3.11.9" ;;
    *"-m venv "*)
        echo "venv" >>"$NOTES/log"
        mkdir -p "${@: -1}/bin" "${@: -1}/lib/python3.11/site-packages"
        cp "$0" "${@: -1}/bin/python"
        ;;
    *"-m pip "*)
        echo "$*" >>"$NOTES/log"
        echo "pip talks"
        step pip
        [[ ! -e $NOTES/fail-pip ]]
        ;;
    "-m ftnoise"*)
        echo "ftnoise[$*] in $PWD"
        step program
        ;;
    *)
        echo "unexpected: $*" >&2
        exit 99
        ;;
esac
"""


class Door:
    """A checkout with `reproduce.sh`, a lock and a pretended Python 3.11."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout"
        self.notes = folder / "notes"
        self.bin = folder / "bin"
        for made in (self.checkout, self.notes, self.bin):
            made.mkdir()
        self.script = Path(shutil.copy(ROOT / "reproduce.sh", self.checkout))
        self.lock = self.checkout / "requirements.txt"
        self.lock.write_text("setuptools==1\n    # via nothing\nother==2\nwheel==3\n")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.add_python("python3.11")

    def add_python(self, name: str, text: str = PRETENDED) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    @contextlib.contextmanager
    def start(self, *words: str, script: Path | None = None, cwd: Path | None = None):
        """A started `reproduce.sh`; whatever happens, nothing is held when the block ends."""
        with subprocess.Popen(
            [script or self.script, *words],
            cwd=cwd or self.checkout,
            env={"PATH": str(self.bin), "NOTES": str(self.notes)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                for hold in self.notes.glob("hold-*"):
                    hold.unlink()

    def run(self, *words: str, **options: Path) -> tuple[int, str, str]:
        with self.start(*words, **options) as process:
            out, err = process.communicate()
        return process.returncode, out, err

    def installations(self) -> int:
        log = self.notes / "log"
        return log.read_text().split().count("venv") if log.exists() else 0

    def hold(self, step: str) -> None:
        """Makes `step` wait for `release` whenever it is reached."""
        (self.notes / f"at-{step}").unlink(missing_ok=True)
        (self.notes / f"hold-{step}").touch()

    def until(self, step: str) -> None:
        """Waits until `step` is reached."""
        deadline = time.monotonic() + 300
        while not (self.notes / f"at-{step}").exists():
            assert time.monotonic() < deadline, f"{step} was not reached"
            time.sleep(0.02)

    def release(self, step: str) -> None:
        (self.notes / f"hold-{step}").unlink()


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_the_first_start_installs_and_the_second_keeps(door: Door) -> None:
    code, out, err = door.run("table5", "--rows", "two words", "")
    assert code == 0
    assert out == f"ftnoise[-m ftnoise table5 --rows two words ] in {door.checkout}\n"
    assert "Making" in err
    assert "pip talks" in err
    assert door.run("list") == (0, f"ftnoise[-m ftnoise list] in {door.checkout}\n", "")
    assert door.installations() == 1


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">&-", "2>&-"])
def test_closed_streams_are_opened_before_anything_else_is(door: Door, streams: str) -> None:
    """As a daemon may start it: what is installed, and the program, have streams to write to."""
    log = door.notes / "open"
    report = 'for n in 0 1 2; do [[ -e /dev/fd/$n ]] && echo "$n" >>"$NOTES/open"; done'
    door.add_python("python3.11", PRETENDED.replace('case "$*" in', f'{report}\ncase "$*" in', 1))
    shell = shutil.which("bash")
    assert shell is not None
    environment = {"PATH": str(door.bin), "NOTES": str(door.notes)}
    command = [shell, "-c", f'"$0" list {streams}', door.script]
    done = subprocess.run(command, env=environment, cwd=door.checkout, check=False)
    assert done.returncode == 0
    assert door.installations() == 1
    seen = log.read_text().split()
    assert seen == ["0", "1", "2"] * (len(seen) // 3)
    assert (door.checkout / ".venv.lock").read_bytes() == b""


def test_everything_is_installed_with_its_hash_and_nothing_is_built_by_what_is_not_locked(
    door: Door,
) -> None:
    door.run()
    _, first, second = (door.notes / "log").read_text().splitlines()
    assert "--require-hashes" in first
    assert "--require-hashes" in second
    assert "--no-build-isolation" in second
    assert f"-r {door.lock}" in second


def test_a_changed_lock_is_installed_anew(door: Door) -> None:
    door.run()
    (door.checkout / ".venv" / "old").touch()
    door.lock.write_text(door.lock.read_text() + "more==4\n")
    assert door.run()[0] == 0
    assert door.installations() == 2
    assert not (door.checkout / ".venv" / "old").exists()


def test_an_installation_that_failed_is_made_again(door: Door) -> None:
    failing = door.notes / "fail-pip"
    failing.touch()
    code, out, err = door.run()
    assert (code, out) == (1, "")
    assert err.endswith("the same command tries again.\n")
    failing.unlink()
    assert door.run()[0] == 0
    assert door.installations() == 2


def test_a_killed_installation_is_made_again(door: Door) -> None:
    door.hold("pip")
    with door.start() as killed:
        door.until("pip")
        killed.kill()
        with door.start() as second:
            # The orphaned pip still has the lock: nobody installs beside it.
            assert "Waiting" in second.stderr.readline()
            assert door.installations() == 1
            door.release("pip")
            second.communicate()
    assert second.returncode == 0
    assert door.installations() == 2


def test_an_environment_whose_python_has_gone_is_made_again(door: Door) -> None:
    door.run()
    python = door.checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("nowhere")
    assert door.run()[0] == 0
    assert door.installations() == 2


@pytest.mark.parametrize(
    ("has_python", "named"), [(False, "no Python 3.11"), (True, "python3.11 has no venv module")]
)
def test_without_python_or_venv_one_line_says_what_to_install(
    door: Door, has_python: bool, named: str
) -> None:
    if has_python:
        (door.notes / "no-venv").touch()
    else:
        (door.bin / "python3.11").unlink()
    code, out, err = door.run("list")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert "apt-get install python3.11 python3.11-venv" in err
    assert "docker build" in err
    assert not (door.checkout / ".venv").exists()


def test_a_python_that_does_not_answer_is_passed_over(door: Door) -> None:
    door.add_python("python3")
    door.add_python("python3.11", "#!/bin/sh\necho 'python3.11: not active' >&2; exit 127\n")
    code, _, err = door.run("list")
    assert code == 0
    assert str(door.bin / "python3") in err
    assert "not active" not in err


def test_two_first_starts_install_once(door: Door) -> None:
    door.hold("pip")
    with door.start("a") as first:
        door.until("pip")
        with door.start("b") as second:
            assert "Waiting" in second.stderr.readline()
            door.release("pip")
            outs = [process.communicate()[0] for process in (first, second)]
    assert outs == [f"ftnoise[-m ftnoise {word}] in {door.checkout}\n" for word in "ab"]
    assert door.installations() == 1


def test_two_starts_that_find_nothing_at_the_same_time_install_once(door: Door) -> None:
    with (door.checkout / ".venv.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with door.start("a") as first, door.start("b") as second:
            for process in (first, second):
                assert "Waiting" in process.stderr.readline()
            fcntl.flock(held, fcntl.LOCK_UN)
            for process in (first, second):
                process.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert door.installations() == 1


def test_a_new_lock_waits_for_programs_that_run(door: Door) -> None:
    door.run()
    door.hold("program")
    with door.start("long") as running:
        door.until("program")
        door.lock.write_text("setuptools==2\n")
        with door.start("next") as waiting:
            assert "Waiting" in waiting.stderr.readline()
            assert door.installations() == 1
            door.release("program")
            running.communicate()
            waiting.communicate()
    assert (running.returncode, waiting.returncode) == (0, 0)
    assert door.installations() == 2


def test_it_works_from_any_folder_and_through_a_link(door: Door, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "door"
    link.symlink_to("../a checkout/reproduce.sh")
    expected = f"ftnoise[-m ftnoise --runs mine] in {elsewhere}\n"
    assert door.run("--runs", "mine", cwd=elsewhere)[1] == expected
    assert door.run("--runs", "mine", script=link, cwd=elsewhere)[1] == expected
    assert door.installations() == 1
    assert [path.name for path in elsewhere.iterdir()] == ["door"]


def wheel(folder: Path, name: str) -> str:
    """Writes the smallest wheel there can be; returns its line in a lock."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}_marker.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    made = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(path, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}\n"


def test_with_a_real_python_the_package_of_the_checkout_runs_from_any_folder(
    tmp_path: Path,
) -> None:
    checkout, elsewhere, wheels = (tmp_path / name for name in ("checkout", "else where", "wheels"))
    for folder in (checkout, elsewhere, wheels):
        (folder / "ftnoise").mkdir(parents=True)
    shutil.copy(ROOT / "reproduce.sh", checkout)
    lock = [wheel(wheels, name) for name in ("setuptools", "wheel", "tiny")]
    (checkout / "requirements.txt").write_text("".join(lock))
    report = "import sys, os, tiny_marker\nprint(tiny_marker.NAME, sys.argv[1:], os.getcwd())\n"
    (checkout / "ftnoise" / "__main__.py").write_text(report)
    (elsewhere / "ftnoise" / "__main__.py").write_text("print('the wrong package')\n")
    (elsewhere / "pip.py").write_text("raise SystemExit('the wrong pip')\n")
    environment = {
        "PATH": f"{Path(sys._base_executable).resolve().parent}:{os.defpath}",
        "PYTHONPATH": str(elsewhere),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }
    done = subprocess.run(
        [checkout / "reproduce.sh", "--runs", "mine"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"tiny ['--runs', 'mine'] {elsewhere}\n"
