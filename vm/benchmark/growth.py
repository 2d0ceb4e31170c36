"""How speed changes as one size grows: word width, memory, hidden units of the ensembles, or machines of a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from learned_units.store import Progress
from learned_units.unit import Unit
from vm.benchmark import contenders
from vm.benchmark.measuring import measure

GROWN = ("native", "ntk-limit", "ntk")  # the units that are measured
SIZES: Mapping[str, tuple[int, ...]] = {
    "width": (4, 8, 12, 16, 24, 32, 48, 64),
    "memory": (64, 1_024, 16_384, 65_536),
    "ensemble": (1, 2, 4),  # times the units there are
    "machines": (1, 16, 64, 256, 1_024, 4_096),
}
LABELS = {
    "width": "bits of a word",
    "memory": "words of memory",
    "ensemble": "hidden units",
    "machines": "machines",
}


class Point(NamedTuple):
    """A measured speed: of a unit, at a size."""

    size: int
    unit: str
    speed: float  # steps/s


def grow(
    what: str, width: int, rounds: int, seconds: float, load: Callable[[str, int], Unit], progress: Progress
) -> list[Point]:
    """Speeds of each unit at the SIZES of `what`. load(name, width): a unit."""
    points = []
    for size in SIZES[what]:
        image = contenders.program(size if what == "width" else width)
        for name in GROWN if what != "ensemble" else ("ntk",):
            unit, shown = load(name, image.word_bits), size
            if what == "machines":
                contender = contenders.batch(unit, image, size, lockstep=False)
            elif what == "ensemble":
                contender = contenders.single(_repeated(unit, size), image, None, lockstep=False)
                shown = size * sum(each.inner.shape[-1] for each in unit.params.values())
            else:
                contender = contenders.single(unit, image, size if what == "memory" else None, lockstep=False)
            points.append(Point(shown, name, measure([contender], rounds, seconds, progress)[0].speed))
    return points


def finding(points: Sequence[Point], label: str) -> str:
    """What the speeds show: how each unit's changes from the smallest size to the largest."""
    said = []
    for name in dict.fromkeys(point.unit for point in points):
        mine = [point for point in points if point.unit == name]
        low, high = min(mine, key=lambda each: each.size), max(mine, key=lambda each: each.size)
        said.append(f"{name} goes from {low.speed:,.0f} to {high.speed:,.0f} steps/s")
    return f"From {points[0].size:,} to {points[-1].size:,} {label}, {'; '.join(said)}"


def _repeated(unit: Unit, times: int) -> Unit:
    """The unit with each hidden unit there `times` times at a share of its weight: the same answers, more work."""
    params = {
        name: each._replace(
            inner=jnp.concatenate([each.inner] * times, axis=-1),
            outer=jnp.concatenate([each.outer / jnp.float32(times)] * times, axis=-1),
        )
        for name, each in unit.params.items()
    }
    return dataclasses.replace(unit, params=params)
