"""Operands to train and to test on: uniform ones, and those that make carries and borrows run far.

Bits are uint8 [count, L], least significant first. What happens at a position is told by its pair of bits: it passes a
carry (or borrow) on, starts one, or stops it. For addition these are unequal bits, (1, 1) and (0, 0); for subtraction
equal bits, (0, 1) and (1, 0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from learned_units.neural_gpu import tape
from learned_units.neural_gpu.tape import Task

# Shares of the training set.
TRAINING_MIX = {"passing": 0.40, "sparse result": 0.15, "sparse second": 0.10, "sparse first": 0.07, "uniform": 0.28}
# What is called adversarial from here on: no uniform operands; `chain` and `same` are not in the training set.
ADVERSARIAL_MIX = {
    "chain": 0.35,
    "passing": 0.25,
    "sparse result": 0.15,
    "sparse second": 0.1,
    "sparse first": 0.1,
    "same": 0.05,
}
NEARLY_ALL = 0.3  # of the passing pairs have all but a few positions passing


class Operands(NamedTuple):
    """Pairs of operands, uint8 [count, L] each."""

    first: np.ndarray
    second: np.ndarray


def uniform(rng: np.random.Generator, count: int, length: int) -> Operands:
    """Uniform, independent bits."""
    first, second = rng.integers(0, 2, (2, count, length), np.uint8)
    return Operands(first, second)


def adversarial(rng: np.random.Generator, count: int, length: int, task: Task) -> Operands:
    """Long runs of positions that pass a carry on, sparse and dense operands and results, equal operands."""
    return mixed(rng, count, length, task, ADVERSARIAL_MIX)


def mixed(rng: np.random.Generator, count: int, length: int, task: Task, mix: dict[str, float]) -> Operands:
    """Pairs of the kinds in `mix`, a kind's share of them at random."""
    kinds = rng.choice(len(mix), count, p=list(mix.values()))
    first, second = uniform(rng, count, length)
    for k, kind in enumerate(mix):
        chosen = np.flatnonzero(kinds == k)
        if kind != "uniform" and len(chosen):
            first[chosen], second[chosen] = _KINDS[kind](rng, Operands(first[chosen], second[chosen]), task)
    return Operands(first, second)


def every_pair(length: int) -> Operands:
    """All 4^length pairs of operands."""
    numbers = np.arange(4**length)
    bits = tape.to_bits(numbers.tolist(), 2 * length)
    return Operands(bits[:, :length], bits[:, length:])


def _passing(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    """Each position passes with a probability between a half and one; the others start or stop a carry."""
    count, length = base.first.shape
    probability = rng.uniform(0.5, 1, (count, 1))
    probability = np.where(rng.random((count, 1)) < NEARLY_ALL, rng.uniform(0.95, 1, (count, 1)), probability)
    passes = rng.random((count, length)) < probability
    return Operands(base.first, _second(base.first, passes, task))


def _chain(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    """A carry started, or stopped, at one position meets nothing but passing positions up to another, or to the end."""
    count, length = base.first.shape
    begin = rng.integers(0, length, (count, 1))
    begin = np.where(rng.random((count, 1)) < 0.5, 0, begin)
    end = np.where(rng.random((count, 1)) < 0.5, length, rng.integers(begin + 1, length + 1))
    position = np.arange(length)[None]
    inside = (position >= begin) & (position < end)
    chained = _second(base.first, position != begin, task)
    return Operands(base.first, np.where(inside, chained, base.second))


def _second(first: np.ndarray, passes: np.ndarray, task: Task) -> np.ndarray:
    """The bits that pair with `first` so that these positions pass, and the others do not."""
    return np.where(passes != task.adds, first, 1 - first)


def _sparse(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Few ones, or few zeros."""
    ones = (rng.random(shape) < rng.uniform(0, 0.3, (shape[0], 1))).astype(np.uint8)
    return np.where(rng.random((shape[0], 1)) < 0.5, ones, 1 - ones)


def _sparse_result(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    length = base.first.shape[1]
    wanted = _sparse(rng, base.first.shape)
    sign = -1 if task.adds else 1  # first + second = wanted, or first - second = wanted, modulo 2^length
    pairs = zip(tape.to_ints(wanted), tape.to_ints(base.second), strict=True)
    first = tape.to_bits([(result + sign * second) % (1 << length) for result, second in pairs], length)
    return Operands(first, base.second)


def _sparse_first(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    return Operands(_sparse(rng, base.first.shape), base.second)


def _sparse_second(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    return Operands(base.first, _sparse(rng, base.first.shape))


def _same(rng: np.random.Generator, base: Operands, task: Task) -> Operands:
    return Operands(base.first, base.first.copy())


_KINDS = {
    "passing": _passing,
    "chain": _chain,
    "sparse result": _sparse_result,
    "sparse first": _sparse_first,
    "sparse second": _sparse_second,
    "same": _same,
}
