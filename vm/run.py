"""How a run proceeds: chunk by chunk, each about as long as a blink, with Ctrl-C answered between two of them."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from learned_units import bits, interrupts

CHUNK_SECONDS = 0.05  # chunks are sized to take about this long: Ctrl-C answers, output flows
GROWTH = 8  # a chunk has at most this many times the steps of the one before it


class Pace:
    """How many steps the next chunk may take, from how fast the last full one was."""

    def __init__(self, first: int, most: int) -> None:
        """first: steps of the first chunk; later ones have a quarter of that, or more. most: steps of any chunk."""
        self._least, self._most = max(1, first // 4), most
        self.steps = min(first, most)

    def measure(self, steps: int, seconds: float) -> None:
        """Take in how long a chunk took. One that ended before its steps were spent says nothing."""
        if steps >= self.steps:
            affordable = int(steps * CHUNK_SECONDS / max(seconds, 1e-6))
            self.steps = max(self._least, min(self._most, affordable, GROWTH * self.steps))


@contextlib.contextmanager
def shown_steps(wanted: bool, max_steps: int | None) -> Iterator[Callable[[int], None]]:
    """Yields what is to be told the steps done so far: if wanted, they are shown where someone watches."""
    if not wanted:
        yield lambda steps: None
        return
    from learned_units import progress

    began = time.monotonic()
    with progress.shown() as report:

        def tell(steps: int) -> None:
            if report is not None:
                speed = steps / max(time.monotonic() - began, 1e-6)
                report(f"{steps:,} steps, {speed:,.0f} steps/s", steps / max_steps if max_steps else None)

        yield tell


def check_budget(max_steps: int | None) -> None:
    """Raise for a number of steps that no run can take, TypeError for what is no integer; None is no limit."""
    if max_steps is None:
        return
    if not bits.is_integer(max_steps):
        raise TypeError(f"max_steps must be an integer, not {max_steps!r}")
    if max_steps < 0:
        raise ValueError(f"max_steps is {max_steps}; it is 0 or more")


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C wait for the end of a chunk; yields whether there was one. A second one is not deferred.

    Where the program that runs this notes Ctrl-C itself, it goes on doing so.
    """
    if interrupts.are_noted():
        yield interrupts.pressed
        return
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def note(number: int, frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
