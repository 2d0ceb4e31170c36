"""Which trained nets are kept: tests that use no operand longer than those of the training set decide.

Every pair of operands of up to EXHAUSTIVE bits, then adversarial and uniform pairs at 16 and at 20 bits. All answers
must be right, and the smallest margin must not be below MARGIN_FLOOR. Nothing longer is looked at here, so what a kept
net does on longer operands is generalisation.
"""

from __future__ import annotations

import numpy as np

from learned_units.neural_gpu import measuring, operands
from learned_units.neural_gpu.measuring import NOTHING, Found
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.tape import Task
from learned_units.store import Progress

EXHAUSTIVE = 8
SAMPLED = (16, 20)
CASES = 10_000  # adversarial ones, and as many uniform ones, at each length sampled
MARGIN_FLOOR = 0.5
SEED = 1511_08228

RECIPE = (EXHAUSTIVE, SAMPLED, CASES, MARGIN_FLOOR, SEED, operands.ADVERSARIAL_MIX)


def accepted(found: Found) -> bool:
    """Whether a net that did this is kept."""
    return found.wrong == 0 and found.smallest_margin >= MARGIN_FLOOR


def examine(weights: Network, task: Task, progress: Progress) -> Found:
    """All acceptance tests. Stops after the first kind of case that the net fails."""
    rng = np.random.default_rng(SEED)
    found = NOTHING
    stages = EXHAUSTIVE + 2 * len(SAMPLED)
    for length in range(1, EXHAUSTIVE + 1):
        progress(f"checking '{task.name}': every pair of {length} bits", (length - 1) / stages)
        found = found.and_(measuring.measure(weights, task, operands.every_pair(length)))
        if not accepted(found):
            return found
    for k, length in enumerate(SAMPLED):
        kinds = {"adversarial": operands.adversarial(rng, CASES, length, task)}
        kinds["uniform"] = operands.uniform(rng, CASES, length)
        for j, (kind, pairs) in enumerate(kinds.items()):
            progress(f"checking '{task.name}': {kind} pairs of {length} bits", (EXHAUSTIVE + 2 * k + j) / stages)
            found = found.and_(measuring.measure(weights, task, pairs))
            if not accepted(found):
                return found
    return found
