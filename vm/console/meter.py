"""How long a command takes: the time of its parts, and how far a long run is."""

from __future__ import annotations

import sys
import time

from vm.console.terminal import Talk, is_screen

QUIET_SECONDS = 1.0  # a run that ends sooner shows no meter
REDRAW_SECONDS = 0.5


class Stopwatch:
    """Seconds by part, one part after the other from when it is made."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        """What was done since the last lap is this part."""
        now = time.perf_counter()
        self.parts[part] = now - self._last
        self._last = now


class Meter:
    """Steps, steps a second and time: one line on stderr, on a terminal, beside the program's output.

    It is taken off the line before anything else is written.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._began = time.monotonic()
        self._next = self._began + QUIET_SECONDS

    def show(self, steps: int, machines: str = "") -> None:
        """Draw it, if it is time to, and standard error is a terminal. machines: how many of a batch are done."""
        now = time.monotonic()
        if now < self._next or not is_screen(sys.stderr):
            return
        self._next = now + REDRAW_SECONDS
        seconds = now - self._began
        minutes, rest = divmod(int(seconds), 60)
        self._talk.status(f"{machines}{steps:,} steps, {steps / seconds:,.0f} steps/s, {minutes}:{rest:02}")

    def clear(self) -> None:
        """Take it off the line."""
        self._talk.clear()
