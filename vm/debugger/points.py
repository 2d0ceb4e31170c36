"""What a run stops at: breakpoints, watches, low margins, divergence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vm.state import Stops

BREAK, WATCH, READ, VALUE, MARGIN, DIVERGENCE = "break", "watch", "rwatch", "value", "margin", "divergence"
LAST = "$bpnum"  # what gdb calls the number of the last stop that was made


@dataclass
class StopPoint:
    """One thing to stop at, as the user named it."""

    number: int
    kind: str  # one of the above
    text: str  # the place, the expression or the condition, as given
    address: int = 0  # of BREAK; the first one of WATCH and READ
    last: int = 0  # the last address of WATCH and READ
    condition: str | None = None  # an expression
    floor: float = -math.inf  # of MARGIN
    once: bool = False
    hits: int = 0
    ignored: int = 0  # hits that do not stop
    commands: tuple[str, ...] = ()  # carried out when it is hit
    enabled: bool = True

    @property
    def is_scanned(self) -> bool:
        """Whether the recorded steps tell when it is hit, and not the loop."""
        return self.condition is not None or self.ignored > 0 or self.kind in (READ, VALUE)

    @property
    def command(self) -> str:
        """The command that makes it."""
        name = "tbreak" if self.once else WATCH if self.kind == VALUE else self.kind
        name = BREAK if self.kind in (MARGIN, DIVERGENCE) else name
        return f"{name} {self.text}" + (f" if {self.condition}" if self.condition else "")

    @property
    def saved(self) -> list[str]:
        """The commands that make it with all that was said of it since; LAST is then its number."""
        lines = [self.command]
        if self.commands:
            lines += [f"commands {LAST}", *self.commands, "end"]
        if self.ignored:
            lines.append(f"ignore {LAST} {self.ignored}")
        if not self.enabled:
            lines.append(f"disable {LAST}")
        return lines

    def __str__(self) -> str:
        command, condition = self.command, ""
        if self.condition:
            command, condition = command[: -len(f" if {self.condition}")], f" if {self.condition}"
        where = f" at {self.address}" if self.kind in (BREAK, WATCH, READ) and self.last <= self.address else ""
        if self.kind in (WATCH, READ) and self.last > self.address:
            where = f" at {self.address} … {self.last}"
        return f"{self.number}: {command}{where}{condition}" + ("" if self.enabled else ", disabled")


@dataclass
class Collecting:
    """Commands that are typed for a stop, up to `end`."""

    point: StopPoint
    lines: list[str]


def mask_of(points: Iterable[StopPoint], size: int) -> tuple[np.ndarray, float]:
    """The mask and the margin floor the loop is given for those that are enabled and not scanned."""
    mask, floor = np.zeros(size, np.uint8), -math.inf
    for point in points:
        if point.is_scanned or not point.enabled:
            continue
        if point.kind == BREAK:
            mask[point.address] |= Stops.BREAK
        elif point.kind == WATCH:
            mask[point.address : point.last + 1] |= Stops.WATCH
        elif point.kind == MARGIN:
            floor = max(floor, point.floor)
    return mask, floor


def marks_at(size: int, address: int) -> np.ndarray:
    """One address, as marks of a whole memory: bool [size]."""
    marks = np.zeros(size, np.bool_)
    marks[address] = True
    return marks
