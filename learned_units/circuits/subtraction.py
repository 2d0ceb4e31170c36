"""Subtraction modulo 2^bits: the passes of `subtract_branch` up to the difference."""

from __future__ import annotations

import functools
import itertools

from learned_units.circuits import subtract_branch
from learned_units.circuits.algorithm import Algorithm


@functools.cache
def grouped(bits: int, group: int) -> Algorithm:
    """a - b modulo 2^bits by a parallel-prefix borrow."""
    steps = subtract_branch.schedule(bits, "sbn", group)
    upto = next(number for number, step in enumerate(steps) if step.network == "difference")
    sets = subtract_branch.template_sets(group)
    used = itertools.islice(steps, upto + 1)
    return Algorithm(
        name="subtraction, parallel prefix",
        networks=tuple(sets[name] for name in ("first", "prefix", "difference")),
        steps=tuple(used),
        inputs=(("a", bits), ("b", bits)),
        output=tuple(("d", i) for i in range(bits)),
    )
