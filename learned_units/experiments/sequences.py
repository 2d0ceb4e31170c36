"""Tasks on strings of bits for the Neural GPU: a tape of symbols and a bit to be answered at each position.

Those of Kaiser and Sutskever (arXiv 1511.08228) with bits as letters: copy, reverse, duplicate, and sort, by which they
count. To count in binary is added, and addition and subtraction of aligned operands, as in
`learned_units/neural_gpu/tape.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from learned_units.neural_gpu import operands, tape

ZERO, ONE, BLANK = 1, 2, 3  # 0 pads
SYMBOLS = 7  # of all tapes, so that networks of all tasks are of one size


class SequenceTask(NamedTuple):
    """`examples(rng, length, count, trains)` -> symbols and answers, uint8 [count, positions].

    trains: examples of the training set, which for arithmetic is not that of the test.
    """

    name: str
    positions: Callable[[int], int]  # on the tape, by the length of the string
    examples: Callable[[np.random.Generator, int, int, bool], tuple[np.ndarray, np.ndarray]]


def _strings(rng: np.random.Generator, length: int, count: int) -> np.ndarray:
    """Bits whose share of ones is itself uniform: uint8 [count, length]."""
    return (rng.random((count, length)) < rng.random((count, 1))).astype(np.uint8)


def _of_string(answer: Callable[[np.ndarray], np.ndarray]):
    def examples(rng: np.random.Generator, length: int, count: int, trains: bool) -> tuple[np.ndarray, np.ndarray]:
        del trains
        bits = _strings(rng, length, count)
        return bits + ZERO, answer(bits)

    return examples


def _duplicated(rng: np.random.Generator, length: int, count: int, trains: bool) -> tuple[np.ndarray, np.ndarray]:
    del trains
    bits = _strings(rng, length, count)
    blank = np.full_like(bits, BLANK)
    return np.concatenate([bits + ZERO, blank], 1), np.concatenate([bits, bits], 1)


def _counted(bits: np.ndarray) -> np.ndarray:
    """How many ones, in binary, least significant first."""
    return tape.to_bits(bits.sum(1, dtype=np.int64).tolist(), bits.shape[1])


def _aligned(task: tape.Task):
    def examples(rng: np.random.Generator, length: int, count: int, trains: bool) -> tuple[np.ndarray, np.ndarray]:
        mix = operands.TRAINING_MIX if trains else operands.ADVERSARIAL_MIX
        first, second = operands.mixed(rng, count, length, task, mix)
        lengths = np.full(count, length)
        return tape.lay_out(task, first, second, lengths), tape.answers(task, first, second, lengths)

    return SequenceTask(task.name, lambda length: length + len(task.ends), examples)


COPY = SequenceTask("copy", lambda length: length, _of_string(lambda bits: bits))
REVERSE = SequenceTask("reverse", lambda length: length, _of_string(lambda bits: bits[:, ::-1]))
DUPLICATE = SequenceTask("duplicate", lambda length: 2 * length, _duplicated)
SORT = SequenceTask("sort", lambda length: length, _of_string(lambda bits: np.sort(bits, axis=1)))
COUNT = SequenceTask("count", lambda length: length, _of_string(_counted))
ADD = _aligned(tape.ADD)
SUBTRACT = _aligned(tape.SUBTRACT_SBN)
TASKS = (COPY, REVERSE, DUPLICATE, SORT, COUNT, ADD)


def batch(
    task: SequenceTask, rng: np.random.Generator, lengths: Sequence[int], positions: int
) -> tuple[np.ndarray, np.ndarray]:
    """An example of each length for training, padded: uint8 [examples, positions] twice."""
    symbols, answers = np.zeros((2, len(lengths), positions), np.uint8)
    for length in sorted(set(lengths)):
        mine = [k for k, each in enumerate(lengths) if each == length]
        some = slice(0, task.positions(length))
        symbols[mine, some], answers[mine, some] = task.examples(rng, length, len(mine), True)
    return symbols, answers
