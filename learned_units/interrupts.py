"""Ctrl-C, noted when it is pressed and looked at where work can stop: between chunks, blocks, epochs, shards, prompts.

Python's own handler raises wherever the process happens to be: in the middle of an import, or in a library that does
not expect it and goes on. A program that calls `note` has it only noted; `check` raises KeyboardInterrupt where that
leaves everything in order. A second Ctrl-C, before the first was answered, ends the process at once.

A press is counted twice: by Python's handler, which has to wait while the process computes outside of Python, and by a
thread, which sees it at once and is cut off while another library has the signal. The larger count is the right one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

EXIT_CODE = 130
SAME_SECONDS = 0.2  # what `timeout`, a shell and a terminal send within this time is one press
_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class _Count:
    """Presses as one of the two has seen them."""

    def __init__(self) -> None:
        self.presses = 0
        self._last = -SAME_SECONDS

    def add(self) -> None:
        now = time.monotonic()
        if now - self._last >= SAME_SECONDS:
            self._last = now
            self.presses += 1
            if _presses() - _answered > 1:
                _end_at_once()


_handler, _thread = _Count(), _Count()
_answered = 0
_ending = threading.Lock()
_pipe: tuple[int, int] | None = None  # what the system writes a byte into for each signal: read end, write end


def pressed() -> bool:
    """Whether Ctrl-C was pressed and not answered yet; never where it is not noted."""
    return are_noted() and _presses() > _answered


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if pressed():
        raise KeyboardInterrupt


def answer() -> None:
    """What was pressed so far is dealt with: the next Ctrl-C is the first again."""
    global _answered
    _answered = _presses()


def are_noted() -> bool:
    """Whether Ctrl-C is noted here, or left to Python."""
    return _pipe is not None


def note() -> Callable[[], None]:
    """Note Ctrl-C from here on. Returns what puts everything back as it was.

    Nothing changes where it is noted already, where the process was started to ignore it, and outside the main thread.
    """
    global _pipe
    before = signal.getsignal(signal.SIGINT)
    if are_noted() or before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        return lambda: None
    answer()
    reading, writing = _pipe = os.pipe()
    if hasattr(os, "set_blocking"):  # Python 3.11 on Windows has none, and asks for none
        os.set_blocking(writing, False)
    watching = threading.Thread(target=_watch, args=(reading,), name="interrupts", daemon=True)
    watching.start()
    signal.signal(signal.SIGINT, _on_signal)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def undo() -> None:
        global _pipe
        signal.signal(signal.SIGINT, before)
        signal.set_wakeup_fd(woken)
        _pipe = None
        os.close(writing)  # the thread ends, once it has counted what was pressed
        watching.join()

    return undo


def take_back() -> None:
    """Have the signal again, after a library that wanted it for itself: a prompt."""
    if _pipe is not None:
        signal.signal(signal.SIGINT, _on_signal)
        signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Note Ctrl-C for a time."""
    undo = note()
    try:
        yield
    finally:
        undo()


def _presses() -> int:
    return max(_handler.presses, _thread.presses)


def _on_signal(number: int, frame: Any) -> None:
    _handler.add()


def _watch(reading: int) -> None:
    while byte := os.read(reading, 1):
        if byte[0] == signal.SIGINT:
            _thread.add()
    os.close(reading)


def _end_at_once() -> None:
    if not _ending.acquire(blocking=False):
        return  # the other of the two does it
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, _CURSOR)
        os.write(2, b"\nsbn: interrupted\n")
    os._exit(EXIT_CODE)
