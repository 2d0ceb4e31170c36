"""How long the parts of a command take."""

from __future__ import annotations

import time


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
