"""Signals that stop a command: Ctrl-C, SIGTERM, SIGHUP and SIGQUIT raise `KeyboardInterrupt`.

In C code that exception may become another one (a `SystemError` of `__array__`, an `ImportError` of
NumPy) or get lost. So the signal is also remembered: whoever catches exceptions of any kind, or
goes on after them, is in a block of `heeded` or calls `check`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# `timeout` and a terminal that closes send two signals for one stop.
SAME_SECONDS = 1.0

_received: tuple[int, float] | None = None  # exit code and time of the first signal
_deferred = False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Signals in this block stop the command; those that are ignored, as by nohup, stay ignored.

    After a stop the handlers stay: a second signal must not change the exit code any more.
    """
    global _received
    _received = None
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in handlers.items():
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in handlers.items() if _received is None else ():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, handler)


@contextlib.contextmanager
def heeded(note: str = "") -> Iterator[None]:
    """A signal in this block leaves it as `KeyboardInterrupt`, whatever the exception became.

    `note` is added to the exception, for the user.
    """
    try:
        try:
            yield
        except Exception:
            check()
            raise
        check()
    except KeyboardInterrupt as stop:
        if note:
            stop.add_note(note)
        raise


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Signals take effect at the end of this block.

    Threads that begin in it, and processes that these start at any time, get none but SIGTERM: a
    terminal sends the others to all processes, and this one ends its own.
    """
    global _deferred
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*SIGNALS} - {signal.SIGTERM})
    _deferred = True
    try:
        yield
    finally:
        _deferred = False
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    check()


def check() -> None:
    """Raises `KeyboardInterrupt(exit code)` if a signal has arrived."""
    if _received is not None:
        raise KeyboardInterrupt(_received[0])


def _stop(number: int, frame: object) -> None:
    global _received
    del frame
    if _received is None:
        _received = (128 + number, time.monotonic())
        if not _deferred:
            check()
    elif time.monotonic() - _received[1] > SAME_SECONDS:
        # Asked for again while it cleans up: nothing that is stored needs that.
        os._exit(_received[0])
