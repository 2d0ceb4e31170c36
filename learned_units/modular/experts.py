"""Analytic experts: weights written down, not trained, that add or multiply modulo a number (arXiv 2406.03495).

    addition:        inner_s[i, k] = A cos(2 pi f_k c_s i / p + phase_sk)
                     outer[k, q]   = A cos(2 pi f_k q / p + sum_s phase_sk)       A = (2^S / (N S!))^(1/(S+1))   (eq. 2)
    multiplication:  the same on discrete logarithms modulo p - 1, p prime, and one unit more for the zeros      (eq. 6)

Only the product of one cosine from each term meets the output's phase; all other products of the expanded power carry
a random phase and vanish as 1 / sqrt(N). So a draw of the phases may be wrong somewhere: every draw is compared with
the right answer on every input, and the next one is taken if its smallest margin is below a floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from learned_units.modular import residues
from learned_units.modular.network import Network, Verification, every_input, make_network, verify

# Outputs are sums of N terms whose absolute values add up to less than S^S 2^S / S!, in float32: rounding moves them
# by less than 1e-4 of the nominal gap, so an answer with either margin stands in whatever order its terms are summed.
MARGIN_FLOOR = 0.2
ROUNDING_FLOOR = 1e-3
DRAWS = 8  # at one width, before it is doubled
MOST_UNITS = 1 << 16
MOST_TERMS = 4
SAMPLE = 256  # inputs that a draw must get right before all are looked at

Weights = tuple[np.ndarray, np.ndarray]  # inner [S, C, N], outer [N, C]


class NoDrawAccepted(ValueError):
    """No draw at the width asked for, or at any, is right on every input with the margin asked for."""


class Expert(NamedTuple):
    """An accepted draw and what was found of it."""

    network: Network
    verification: Verification
    draw: int  # how many draws at this width were refused before it


def addition_weights(modulus: int, coefficients: Sequence[int], units: int, rng: np.random.Generator) -> Weights:
    """One draw of sum_s c_s x_s modulo `modulus`, with `units` units."""
    terms = len(coefficients)
    scale = (2**terms / (units * math.factorial(terms))) ** (1 / (terms + 1))
    frequencies = 1 + rng.permutation(units) % max(1, (modulus - 1) // 2)
    phases = rng.uniform(-np.pi, np.pi, (terms, units))
    classes = np.arange(modulus)[:, None]

    def wave(coefficient: int, phase: np.ndarray) -> np.ndarray:
        return scale * np.cos(2 * np.pi / modulus * (frequencies * coefficient * classes % modulus) + phase)

    inner = np.stack([wave(c % modulus, phase) for c, phase in zip(coefficients, phases, strict=True)])
    return inner, wave(1, phases.sum(0)).T


def multiplication_weights(prime: int, exponents: Sequence[int], units: int, rng: np.random.Generator) -> Weights:
    """One draw of prod_s x_s^e_s modulo a prime, exponents 0 or more, with `units` units, the last one for zeros.

    Where a factor is 0 all other units are fed nothing by it, and the last one answers 0. A factor to the power 0 is 1.
    """
    terms = len(exponents)
    logarithm = residues.logarithms(prime)
    inner_cycle, outer_cycle = addition_weights(prime - 1, exponents, units - 1, rng)
    inner, outer = np.zeros((terms, prime, units)), np.zeros((units, prime))
    inner[:, 1:, :-1] = inner_cycle[:, logarithm[1:]]
    outer[:-1, 1:] = outer_cycle[:, logarithm[1:]]
    for s, exponent in enumerate(exponents):
        if exponent:
            inner[s, 0, -1] = 1
        else:
            inner[s, 0] = inner[s, 1]
    outer[-1, 0] = 1
    return inner, outer


def addition(
    modulus: int,
    coefficients: Sequence[int] = (1, 1),
    units: int | None = None,
    floor: float = MARGIN_FLOOR,
    seed: int = 0,
) -> Expert:
    """An expert for sum_s c_s x_s modulo `modulus`, right on every input with a margin of `floor` or more.

    units: this width only; without it, the first width and, where DRAWS draws fail, its doubles.

    Raises NoDrawAccepted, a ValueError, and ValueError for fewer than 2 or more than MOST_TERMS terms.
    """

    def draw(width: int, rng: np.random.Generator) -> Weights:
        return addition_weights(modulus, coefficients, width, rng)

    def wanted(rows: np.ndarray) -> np.ndarray:
        return (rows.astype(np.int64) * np.array([c % modulus for c in coefficients])).sum(1) % modulus

    return _accepted(draw, wanted, modulus, len(coefficients), units, floor, seed)


def multiplication(
    prime: int,
    exponents: Sequence[int] = (1, 1),
    units: int | None = None,
    floor: float = MARGIN_FLOOR,
    seed: int = 0,
) -> Expert:
    """An expert for prod_s x_s^e_s modulo a prime, right on every input with a margin of `floor` or more.

    units: as for addition.

    Raises NoDrawAccepted, a ValueError, and ValueError for a composite modulus, or a negative exponent.
    """
    if not residues.is_prime(prime):
        raise ValueError(f"a product needs a prime modulus, and {prime} is not prime")
    if min(exponents) < 0:
        raise ValueError(f"exponents must be 0 or more, not {min(exponents)}")

    def draw(width: int, rng: np.random.Generator) -> Weights:
        return multiplication_weights(prime, exponents, width, rng)

    def wanted(rows: np.ndarray) -> np.ndarray:
        product = np.ones(len(rows), np.int64)
        for s, exponent in enumerate(exponents):
            power = np.array([pow(value, exponent, prime) for value in range(prime)])
            product = product * power[rows[:, s]] % prime
        return product

    return _accepted(draw, wanted, prime, len(exponents), units, floor, seed)


def first_width(modulus: int, terms: int) -> int:
    """Units to try first: what was enough for most moduli up to 257, as a power of two (see docs/modular.md)."""
    many = {2: 2, 3: 32, 4: 256}[terms] * modulus
    return max(64, 1 << (many - 1).bit_length())


def _accepted(
    draw: Callable[[int, np.random.Generator], Weights],
    wanted: Callable[[np.ndarray], np.ndarray],
    classes: int,
    terms: int,
    units: int | None,
    floor: float,
    seed: int,
) -> Expert:
    """The first draw that is right on every input; a width is doubled when DRAWS draws were refused."""
    if not 2 <= terms <= MOST_TERMS:
        raise ValueError(f"an expert must have 2 to {MOST_TERMS} terms, not {terms}")
    rows = every_input(classes, terms)
    right = wanted(rows)
    sample = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    width = units or first_width(classes, terms)
    while width <= MOST_UNITS:
        for k in range(DRAWS):
            inner, outer = draw(width, np.random.default_rng((seed, classes, terms, width, k)))
            network = make_network(inner, outer)
            if not verify(network, rows[sample], right[sample]).smallest_margin >= floor:  # a NaN fails too
                continue
            found = verify(network, rows, right)
            if found.smallest_margin >= floor:
                return Expert(make_network(inner, outer, found.nominal), found, k)
        if units is not None:
            break
        width *= 2
    raise NoDrawAccepted(
        f"none of {DRAWS} draws with {min(width, MOST_UNITS)} units is right on all {len(rows):,} inputs"
    )
