"""A signal ends the work whatever C code makes of its exception."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ftnoise.cli.arguments import ROOT
from ftnoise.core import stopping
from ftnoise.core.stopping import heeded, stoppable

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGQUIT": 131}


pytestmark = pytest.mark.usefixtures("signals")


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def swallowed(number: int) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        send(number)


@pytest.mark.parametrize("name", CODES)
def test_each_signal_raises_its_exit_code(name):
    with stoppable(), pytest.raises(KeyboardInterrupt) as stop:
        send(getattr(signal, name))
    assert stop.value.args == (CODES[name],)
    # The next one begins anew.
    with stoppable():
        stopping.check()


def test_handlers_are_those_of_before_unless_a_signal_has_stopped_the_block():
    with stoppable():
        pass
    assert {signal.getsignal(number) for number in stopping.SIGNALS} == {signal.SIG_DFL}
    with stoppable(), contextlib.suppress(KeyboardInterrupt):
        send(signal.SIGTERM)
    send(signal.SIGTERM)
    send(signal.SIGHUP)


@pytest.mark.parametrize("failure", [SystemError(), ImportError("numpy"), ValueError(), OSError()])
def test_what_a_signal_became_is_a_stop_with_its_note(failure):
    with stoppable():
        swallowed(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt) as stop, heeded(), heeded("Resumes."):
            raise failure
    assert stop.value.args == (129,)
    assert stop.value.__notes__ == ["Resumes."]


def test_a_lost_signal_is_a_stop_at_the_end_of_the_block():
    with stoppable(), pytest.raises(KeyboardInterrupt, match="131"), heeded():
        swallowed(signal.SIGQUIT)


def test_without_a_signal_exceptions_pass():
    with stoppable():
        with pytest.raises(SystemError), heeded("Resumes."):
            raise SystemError
        with heeded("Resumes."):
            pass


def test_a_second_signal_at_once_is_the_same_stop():
    with stoppable():
        swallowed(signal.SIGTERM)
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt, match="143"):
            stopping.check()


HANGS = """
import os, signal, sys, time
from ftnoise.core import stopping
stopping.SAME_SECONDS = 0
with stopping.stoppable():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
"""


def test_a_second_signal_later_ends_a_clean_up_that_hangs():
    done = subprocess.run([sys.executable, "-c", HANGS], cwd=ROOT, timeout=30, check=False)
    assert done.returncode == 143


@pytest.mark.parametrize("name", CODES)
def test_a_signal_that_is_ignored_stays_ignored(name):
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_IGN)
    with stoppable():
        send(number)
        stopping.check()
    assert signal.getsignal(number) == signal.SIG_IGN


@pytest.mark.parametrize("name", CODES)
def test_a_deferred_signal_takes_effect_at_the_end_of_the_block(name):
    reached = []
    with stoppable():
        with contextlib.suppress(KeyboardInterrupt), stopping.deferred():
            send(getattr(signal, name))
            reached.append(name)
        with pytest.raises(KeyboardInterrupt, match=str(CODES[name])):
            stopping.check()
    assert reached == [name]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


STATUS = "print(*(line for line in open('/proc/self/status') if line.startswith('SigBlk')))"


def test_what_a_deferred_thread_starts_gets_no_signal_of_a_terminal():
    def masks() -> str:
        return subprocess.check_output([sys.executable, "-c", STATUS], text=True)

    started, later = [], threading.Event()

    def work() -> None:
        later.wait(30)
        started.append(masks())

    with stoppable():
        with stopping.deferred():
            thread = threading.Thread(target=work)
            thread.start()
        later.set()
        thread.join()
        here = masks()
    blocked = {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    assert int(started[0].split()[1], 16) == sum(1 << (number - 1) for number in blocked)
    assert int(here.split()[1], 16) == 0


def swallowing(package: Path) -> list[str]:
    """The handlers of any exception that neither raise nor look whether a signal has arrived."""
    found = []
    for file in sorted(package.rglob("*.py")):
        for handler in ast.walk(ast.parse(file.read_text())):
            if not isinstance(handler, ast.ExceptHandler):
                continue
            caught = ast.walk(handler.type) if handler.type else [ast.Name("BaseException")]
            broad = {one.id for one in caught if isinstance(one, ast.Name)}
            calls = [ast.unparse(node) for node in ast.walk(handler) if isinstance(node, ast.Call)]
            heeds = isinstance(handler.body[-1], ast.Raise) or "stopping.check()" in calls
            if broad & {"Exception", "BaseException"} and not heeds:
                found.append(f"{file.relative_to(package)}:{handler.lineno}")
    return found


def test_whoever_catches_any_exception_raises_or_looks_for_a_signal():
    assert swallowing(Path(stopping.__file__).parents[1]) == []


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ("except Exception as error:\n    log(error)", ["a.py:3"]),
        ("except (ValueError, Exception):\n    pass", ["a.py:3"]),
        ("except:\n    pass", ["a.py:3"]),
        ("except ValueError:\n    pass", []),
        ("except Exception as error:\n    raise BadInput from error", []),
        ("except Exception as error:\n    stopping.check()\n    log(error)", []),
    ],
)
def test_a_planted_handler_is_found(tmp_path, handler, found):
    (tmp_path / "a.py").write_text(f"try:\n    pass\n{handler}\n")
    assert swallowing(tmp_path) == found
