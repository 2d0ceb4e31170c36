"""Measuring contenders side by side: in rounds, each once in each, so that what slows the machine slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from learned_units.store import Progress
from vm.benchmark.contenders import Contender


@dataclass(frozen=True)
class Measured:
    """A contender and its speeds, one a round."""

    contender: Contender
    speeds: tuple[float, ...]  # steps/s

    @property
    def speed(self) -> float:
        """The median, steps/s."""
        return statistics.median(self.speeds)

    def ratio(self, other: Measured) -> float:
        """Median over the rounds of this speed in the other's."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.speeds, other.speeds, strict=True))


def measure(contenders: Sequence[Contender], rounds: int, seconds: float, progress: Progress) -> list[Measured]:
    """Run each contender for about `seconds` in each of the rounds."""
    steps = [_steps(contender, seconds) for contender in contenders]
    speeds: list[list[float]] = [[] for _ in contenders]
    for turn in range(rounds):
        for k, contender in enumerate(contenders):
            progress(f"measuring {contender.name}", (turn * len(contenders) + k) / (rounds * len(contenders)))
            done, taken = _timed(contender, steps[k])
            speeds[k].append(done / taken)
    return [Measured(each, tuple(speed)) for each, speed in zip(contenders, speeds, strict=True)]


def _steps(contender: Contender, seconds: float) -> int:
    """How many steps take about that long; found by running more and more, once the contender is warm."""
    steps = 64 * contender.machines
    contender.run(steps)
    while True:
        done, taken = _timed(contender, steps)
        if taken > 0.7 * seconds:
            return done
        steps = int(done * min(8.0, 1.01 * seconds / taken)) + 1


def _timed(contender: Contender, steps: int) -> tuple[int, float]:
    """Steps executed, and the seconds they took."""
    began = time.perf_counter()
    done = contender.run(steps)
    return done, time.perf_counter() - began
