"""Residues modulo a prime: primality, a primitive root, discrete logarithms (arXiv 2406.03495, section 3.1)."""

from __future__ import annotations

import functools

import numpy as np


def is_prime(number: int) -> bool:
    """By trial division: moduli are small."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


@functools.cache
def primitive_root(prime: int) -> int:
    """The smallest number whose powers are all the residues but 0."""
    return next(g for g in range(1, prime) if len({pow(g, k, prime) for k in range(prime - 1)}) == prime - 1)


@functools.cache
def logarithms(prime: int) -> np.ndarray:
    """The discrete logarithm of each residue to the primitive root, 0 .. prime - 2; -1 at 0, which has none."""
    table = np.full(prime, -1, np.int64)
    value = 1
    for exponent in range(prime - 1):
        table[value] = exponent
        value = value * primitive_root(prime) % prime
    table.setflags(write=False)
    return table
