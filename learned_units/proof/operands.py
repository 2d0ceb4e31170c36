"""Operands to test an arithmetic unit on: uniform ones, and those that arithmetic gets wrong first.

Each function returns (minuend, subtrahend, target, fall_through), uint64 arrays of `count` words.
"""

from __future__ import annotations

import numpy as np

Cases = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def words(rng: np.random.Generator, count: int, word_bits: int) -> np.ndarray:
    """Uniform words."""
    return rng.integers(0, 1 << 64, count, np.uint64) >> np.uint64(64 - word_bits)


def uniform(rng: np.random.Generator, count: int, word_bits: int) -> Cases:
    """All four words uniform and independent."""
    minuend, subtrahend, target, fall_through = (words(rng, count, word_bits) for _ in range(4))
    return minuend, subtrahend, target, fall_through


def adversarial(rng: np.random.Generator, count: int, word_bits: int) -> Cases:
    """Equal operands, operands one or one bit apart, long borrow chains, sparse and dense words, MIN, MAX, 0 and -1.

    Targets and fall-throughs are uniform, but now and then all zeros, all ones or equal.
    """
    mask = np.uint64((1 << word_bits) - 1)
    one = np.uint64(1)
    bit = one << rng.integers(0, word_bits, count).astype(np.uint64)
    low = bit - one  # all bits below a random one
    base = words(rng, count, word_bits)
    sparse = words(rng, count, word_bits) & words(rng, count, word_bits) & words(rng, count, word_bits)
    edges = np.array([0, 1, (1 << word_bits) - 1, 1 << (word_bits - 1), (1 << (word_bits - 1)) - 1], np.uint64)
    edge = edges[rng.integers(0, len(edges), count)]
    other = edges[rng.integers(0, len(edges), count)]
    pairs = [
        (base, base),
        (base, base + one),
        (base + one, base),
        (base, base ^ bit),
        (base & ~low, (base & ~low) | one),  # a borrow runs through `low` into whatever is above
        (bit, one),
        (base & ~low, base | low),
        (sparse, base),
        (base, mask ^ sparse),
        (edge, base),
        (base, edge),
        (edge, other),
    ]
    kind = rng.integers(0, len(pairs), count)
    minuend = np.choose(kind, [pair[0] for pair in pairs]) & mask
    subtrahend = np.choose(kind, [pair[1] for pair in pairs]) & mask
    target, fall_through = words(rng, count, word_bits), words(rng, count, word_bits)
    rare = rng.integers(0, 16, count)
    target = np.where(rare == 0, np.uint64(0), np.where(rare == 1, mask, target))
    fall_through = np.where(rare == 2, np.uint64(0), np.where(rare == 3, target, fall_through))
    return minuend, subtrahend, target, fall_through
