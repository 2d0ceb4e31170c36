"""Nets trained once from each seed. Every seed is reported: none is selected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from learned_units.store import Progress

SEEDS = (0, 1, 2)
TRAINED = len(SEEDS) / (len(SEEDS) + 1)  # the part of the work that is done then; the rest is to measure them

Net = TypeVar("Net")


def trained(fit: Callable[[int, Callable[[float, float], None]], Net], doing: str, progress: Progress) -> list[Net]:
    """fit(seed, report) for each seed; report(part done, loss) is called now and then. doing: what progress tells."""
    nets = []
    for k, seed in enumerate(SEEDS):

        def report(part: float, loss: float, k: int = k, seed: int = seed) -> None:
            progress(f"{doing} {seed}: loss {loss:.4f}", (k + part) / (len(SEEDS) + 1))

        nets.append(fit(seed, report))
    return nets
