"""Addition, subtraction and multiplication of integers of any length, each addition and subtraction on one tape.

Multiplication is long multiplication over the learned adder: the rows of the scheme, the multiplicand shifted to each
set bit of the multiplier, are added in pairs, the sums in pairs again, and so on. Signs, and choosing and shifting the
rows, are native; every sum and difference of two magnitudes is a network's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from learned_units.neural_gpu import loading, measuring, tape
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.operands import Operands
from learned_units.neural_gpu.tape import Task
from learned_units.store import Progress

SUBTRACTION = tape.SUBTRACT_SBN  # whose net subtracts here
DETAIL = "one net per operation, trained on numbers of up to 20 bits; signs and rows of products are native"


class Answer(NamedTuple):
    """A number, and how it came about."""

    value: int
    margin: float  # the smallest |p1 - p0| of all bits decided on the way; +inf if there were none
    tapes: int  # evaluations of a network
    rounds: int  # of evaluations that need the ones before


Nets = Callable[[Task], Network]  # the net of a task


def kept_nets(seed: int, progress: Progress | None) -> Nets:
    """The accepted nets, trained or read from the cache when first asked for; `seed` is the first tried.

    What it returns raises WeightsError if there is no acceptable net.
    """
    return functools.cache(lambda task: loading.obtain(task, seed, progress)[0])


def silent(what: str, part: float) -> None:
    """Progress that nobody looks at."""


def add(nets: Nets, first: int, second: int, progress: Progress = silent) -> Answer:
    """first + second. Magnitudes of one sign are added, of two signs subtracted."""
    return _signed(nets, first, abs(second), second < 0, progress)


def subtract(nets: Nets, first: int, second: int, progress: Progress = silent) -> Answer:
    """first - second. Magnitudes of one sign are subtracted, of two signs added."""
    return _signed(nets, first, abs(second), second >= 0, progress)


def multiply(nets: Nets, first: int, second: int, progress: Progress = silent) -> Answer:
    """first * second, one row for each bit of `second`."""
    if first < 0 or second < 0:
        found = multiply(nets, abs(first), abs(second), progress)
        return found._replace(value=-found.value) if (first < 0) != (second < 0) else found
    rows = [first if second >> k & 1 else 0 for k in range(max(1, second.bit_length()))]
    levels = _levels(len(rows))
    work = [(levels[k] // 2) * (first.bit_length() + (1 << k)) ** 2 for k in range(len(levels) - 1)]
    margin, tapes, rounds = float("inf"), 0, 0
    for level in range(len(levels) - 1):
        # Row k stands for row << k * span. The lowest `span` bits of the lower row of a pair have no counterpart in the
        # upper one, so only what is above them is added.
        span = 1 << level
        rows += [0] * (len(rows) % 2)
        pairs = [(lower >> span, upper) for lower, upper in zip(rows[0::2], rows[1::2], strict=True)]
        sums = [a or b for a, b in pairs]
        adding = [k for k, (a, b) in enumerate(pairs) if a and b]  # nothing is decided in adding 0
        length = max(first.bit_length(), 1) + span  # room for every row of this level
        block = measuring.rows_at_once(length)
        for begin in range(0, len(adding), block):
            part = (sum(work[:level]) + work[level] * begin / len(adding)) / sum(work)
            progress(f"multiplying: {len(adding):,} additions of {length:,} bits", part)
            chosen = adding[begin : begin + block]
            lower, upper = zip(*(pairs[k] for k in chosen), strict=True)
            found, least = _on_tapes(nets(tape.ADD), tape.ADD, lower, upper, length)
            margin = float(np.minimum(margin, least))  # a NaN stays
            for k, value in zip(chosen, found, strict=True):
                sums[k] = value
        tapes += len(adding)
        rounds += bool(adding)
        rows = [value << span | (row & ((1 << span) - 1)) for value, row in zip(sums, rows[0::2], strict=True)]
    return Answer(rows[0], margin, tapes, rounds)


OPERATIONS: Mapping[str, Callable[[Nets, int, int, Progress], Answer]] = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
}


def _signed(nets: Nets, first: int, second: int, negative: bool, progress: Progress) -> Answer:
    """first + second, or first - second if `negative`; second from 0 on."""
    task = tape.ADD if (first < 0) == negative else SUBTRACTION
    found = _magnitudes(nets, task, abs(first), second, progress)
    return found._replace(value=-found.value) if first < 0 else found


def _magnitudes(nets: Nets, task: Task, first: int, second: int, progress: Progress) -> Answer:
    """The sum, or the difference with the sign that the borrow tells, on a tape as long as the longer operand."""
    length = max(first.bit_length(), second.bit_length(), 1)
    weights = nets(task)
    progress(f"{'adding' if task.adds else 'subtracting'} numbers of {length:,} bits", 0.0)
    (answer,), margin = _on_tapes(weights, task, [first], [second], length)
    if not task.adds:
        borrow = answer >> length & 1
        answer = answer % (1 << length) - (borrow << length)
    return Answer(answer, margin, 1, 1)


def _levels(rows: int) -> list[int]:
    """How many rows there are at first and after each round of adding them in pairs, down to one."""
    levels = [rows]
    while levels[-1] > 1:
        levels.append(-(-levels[-1] // 2))
    return levels


def _on_tapes(
    weights: Network, task: Task, first: Sequence[int], second: Sequence[int], length: int
) -> tuple[list[int], float]:
    """What the network answers on tapes of `length` bits, ends included, and the smallest margin."""
    operands = Operands(tape.to_bits(first, length), tape.to_bits(second, length))
    answers: list[int] = []
    margin = float("inf")
    for _, predicted in measuring.predictions(weights, task, operands):
        answers += tape.to_ints((predicted > 0).astype(np.uint8))
        margin = float(np.minimum(margin, np.abs(predicted).min()))  # a NaN stays
    return answers, margin
