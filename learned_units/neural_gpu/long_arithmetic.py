"""Addition, subtraction and multiplication of numbers of any length, each addition and subtraction on one tape.

Multiplication is long multiplication over the learned adder: the rows of the scheme, the multiplicand shifted to each
set bit of the multiplier, are added in pairs, the sums in pairs again, and so on. Choosing and shifting the rows is
native; every addition is the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from learned_units.neural_gpu import measuring, tape
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.operands import Operands
from learned_units.neural_gpu.tape import Task
from learned_units.store import Progress


class Answer(NamedTuple):
    """A number, and the smallest |p1 - p0| of all the bits that were decided on the way; +inf if there were none."""

    value: int
    margin: float


def silent(what: str, part: float) -> None:
    """Progress that nobody looks at."""


def add(adder: Network, first: int, second: int, progress: Progress = silent) -> Answer:
    """first + second, on a tape as long as the longer. Raises ValueError for a negative number."""
    _check(first, second)
    length = max(first.bit_length(), second.bit_length(), 1)
    progress(f"adding {length:,} bits", 0.0)
    (total,), margin = _on_tapes(adder, tape.ADD, [first], [second], length)
    return Answer(total, margin)


def subtract(subtracter: Network, task: Task, first: int, second: int, progress: Progress = silent) -> Answer:
    """first - second, negative where the network says that there is a borrow; `task` is the one it was trained for.

    Raises ValueError for a negative number.
    """
    _check(first, second)
    length = max(first.bit_length(), second.bit_length(), 1)
    progress(f"subtracting {length:,} bits", 0.0)
    (answer,), margin = _on_tapes(subtracter, task, [first], [second], length)
    borrow = answer >> length & 1
    return Answer(answer % (1 << length) - (borrow << length), margin)


def multiply(adder: Network, first: int, second: int, progress: Progress = silent) -> Answer:
    """first * second, one row for each bit of `second`. Raises ValueError for a negative number."""
    _check(first, second)
    rows = [first if second >> k & 1 else 0 for k in range(max(1, second.bit_length()))]
    levels = _levels(len(rows))
    work = [(levels[k] // 2) * (first.bit_length() + (1 << k)) ** 2 for k in range(len(levels) - 1)]
    margin = float("inf")
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
            first_operands, second_operands = zip(*(pairs[k] for k in chosen), strict=True)
            found, least = _on_tapes(adder, tape.ADD, first_operands, second_operands, length)
            margin = min(margin, least)
            for k, value in zip(chosen, found, strict=True):
                sums[k] = value
        rows = [value << span | (row & ((1 << span) - 1)) for value, row in zip(sums, rows[0::2], strict=True)]
    return Answer(rows[0], margin)


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
        margin = min(margin, float(np.abs(predicted).min()))
    return answers, margin


def _check(*numbers: int) -> None:
    for number in numbers:
        if number < 0:
            raise ValueError(f"{number} is negative; the tape holds numbers from 0 on")
