"""How often a network is wrong on given operands, and how near it comes to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from learned_units.neural_gpu import network, tape
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.operands import Operands
from learned_units.neural_gpu.tape import Task

BLOCK_POSITIONS = 16_384  # positions of all tapes evaluated at once: their states fit the caches


class Found(NamedTuple):
    """What a network made of some cases, all of one length."""

    cases: int
    wrong: int  # cases with a wrong bit anywhere
    smallest_margin: float  # |p1 - p0|, over all positions of all cases

    def and_(self, other: Found) -> Found:
        """Both together."""
        margin = float(np.minimum(self.smallest_margin, other.smallest_margin))  # a NaN stays
        return Found(self.cases + other.cases, self.wrong + other.wrong, margin)


NOTHING = Found(0, 0, float("inf"))


def measure(weights: Network, task: Task, operands: Operands) -> Found:
    """Compare the network with exact integer arithmetic on operands uint8 [count, L], every bit of every answer."""
    found = NOTHING
    first, second = operands
    for block, predicted in predictions(weights, task, operands):
        lengths = np.full(len(predicted), first.shape[1])
        exact = tape.answers(task, first[block], second[block], lengths)
        wrong = int(((predicted > 0) != exact).any(1).sum())
        found = found.and_(Found(len(predicted), wrong, float(np.abs(predicted).min())))
    return found


def rows_at_once(length: int) -> int:
    """How many tapes of operands of `length` bits are evaluated together: a power of two, for few compilations."""
    return 1 << max(0, (BLOCK_POSITIONS // length).bit_length() - 1)


def predictions(weights: Network, task: Task, operands: Operands) -> Iterator[tuple[slice, np.ndarray]]:
    """p1 - p0, float32 [cases, L + ends], block by block of the operands uint8 [count, L]."""
    first, second = operands
    count, length = first.shape
    symbols = tape.lay_out(task, first, second, np.full(count, length))
    rows = rows_at_once(length)
    for begin in range(0, count, rows):
        block = slice(begin, min(begin + rows, count))
        given = symbols[block]
        padded = 1 << (len(given) - 1).bit_length()
        given = np.pad(given, ((0, padded - len(given)), (0, 0)))
        yield block, np.asarray(_predict(weights, given))[: block.stop - begin]


@jax.jit
def _predict(weights: Network, symbols: jax.Array) -> jax.Array:
    return network.run(weights, symbols.astype(np.int32))
