"""What a run stops at: breakpoints, watches, low margins, divergence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vm.machine import Stops

BREAK, WATCH, MARGIN, DIVERGENCE = "break", "watch", "margin", "divergence"


@dataclass
class StopPoint:
    """One thing to stop at, as the user named it."""

    number: int
    kind: str  # one of the above
    text: str  # the place or the condition, as given
    address: int = 0  # of BREAK and WATCH
    condition: str | None = None  # an expression
    floor: float = -math.inf  # of MARGIN
    once: bool = False
    hits: int = 0
    ignored: int = 0  # hits that do not stop

    @property
    def is_scanned(self) -> bool:
        """Whether the recorded steps tell when it is hit, and not the loop."""
        return self.condition is not None or self.ignored > 0

    def __str__(self) -> str:
        kind = self.kind if self.kind == WATCH else "tbreak" if self.once else BREAK
        where = f" at {self.address}" if self.kind in (BREAK, WATCH) else ""
        condition = f" if {self.condition}" if self.condition else ""
        return f"{self.number}: {kind} {self.text}{where}{condition}"


def mask_of(points: Iterable[StopPoint], size: int) -> tuple[np.ndarray, float]:
    """The mask and the margin floor the loop is given for those of them that are not scanned."""
    mask, floor = np.zeros(size, np.uint8), -math.inf
    for point in points:
        if point.is_scanned:
            continue
        if point.kind == BREAK:
            mask[point.address] |= Stops.BREAK
        elif point.kind == WATCH:
            mask[point.address] |= Stops.WATCH
        elif point.kind == MARGIN:
            floor = max(floor, point.floor)
    return mask, floor


def marks_at(size: int, address: int) -> np.ndarray:
    """One address, as marks of a whole memory: bool [size]."""
    marks = np.zeros(size, np.bool_)
    marks[address] = True
    return marks
