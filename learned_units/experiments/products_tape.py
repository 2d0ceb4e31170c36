"""Two numbers on the tape of a systolic array: the one moves up, the other down, and the product stays in between.

The middle of a tape is a cell for each bit of the product of two numbers of n bits, least significant first. At step t
bit i of the first factor has its place t cells above cell 2 i - n of the product, and bit j of the second t cells below
cell 2 j + n: moving one cell a step they meet at cell i + j, which is where their product counts. Every other cell is
blank. Digits that are not yet among the cells of the product enter at its ends. This layout is native, not learned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.neural_gpu import tape

Array = Any  # of numpy when it is drawn, of jax when it is read
BLANK, FIRST, SECOND = 0, 1, 3  # a digit's symbol is FIRST or SECOND and the bit
SYMBOLS = 5


class Examples(NamedTuple):
    """Tapes with room for factors of `half` bits, and what is to be answered. n is the length of a factor."""

    lengths: Array  # int32 [count], n <= half of each
    symbols: Array  # uint8 [count, 4 half]; the cells of the product are the middle 2 n
    answers: Array  # uint8 [count, 2 half], 0 outside the product


def lay_out(first: np.ndarray, second: np.ndarray, half: int) -> Examples:
    """Factors uint8 [count, n], least significant bit first, and their exact product, on tapes for `half` >= n bits."""
    count, length = first.shape
    symbols = np.zeros((count, 4 * half), np.uint8)
    symbols[:, 2 * (half - length) : 2 * half : 2] = FIRST + first
    symbols[:, 2 * half : 2 * (half + length) : 2] = SECOND + second
    products = [a * b for a, b in zip(tape.to_ints(first), tape.to_ints(second), strict=True)]
    answers = np.zeros((count, 2 * half), np.uint8)
    answers[:, half - length : half + length] = tape.to_bits(products, 2 * length)
    return Examples(np.full(count, length, np.int32), symbols, answers)


def incoming(symbols: jax.Array, steps: int) -> tuple[jax.Array, jax.Array]:
    """What enters at the lower and at the upper end before each step: uint8 [steps, count], twice."""
    quarter = symbols.shape[1] // 4
    waiting = symbols[:, :quarter][:, ::-1], symbols[:, 3 * quarter :]
    lower, upper = (jnp.pad(each, ((0, 0), (0, steps - quarter))).T for each in waiting)
    return lower, upper


def random(rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of factors, each bit 1 or 0 with equal chances: uint8 [count, length], twice."""
    first, second = rng.integers(0, 2, (2, count, length), np.uint8)
    return first, second


def structured(rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """In turn: all ones twice, powers of two, equal factors, all ones and a random one, and a carry all the way up."""
    first, second = random(rng, count, length)
    kind = np.arange(count) % 5
    first[(kind == 0) | (kind == 3)] = 1
    second[kind == 0] = 1
    for factor in (first, second):
        factor[kind == 1] = np.eye(length, dtype=np.uint8)[rng.integers(0, length, (kind == 1).sum())]
    second[kind == 2] = first[kind == 2]
    # 2^j - 1 times 2^k + 1: a run of ones that is added to itself, k places higher.
    places = np.arange(length)
    first[kind == 4] = places < rng.integers(1, length + 1, ((kind == 4).sum(), 1))
    second[kind == 4] = (places == 0) | (places == rng.integers(0, length, ((kind == 4).sum(), 1)))
    return first, second


FACTORS = {"random": random, "structured": structured}
