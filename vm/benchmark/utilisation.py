"""What the trained unit's networks compute and read a second, beside what this machine can."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from learned_units.circuits import subtract_branch
from learned_units.unit import Unit
from learned_units.units.ntk import NtkSpec


class Work(NamedTuple):
    """Of one instruction: the operations of its products, and the bytes of weights they touch."""

    flop: int
    bytes: int


class Peaks(NamedTuple):
    """What the machine can: flop/s in a matrix product of one device, bytes/s in a copy through memory."""

    flop: float
    bytes: float


def work(unit: Unit) -> Work:
    """Of a unit of trained ensembles: a row of the first layer for each position, and the output layer."""
    spec = unit.spec
    assert isinstance(spec, NtkSpec)
    sets = subtract_branch.template_sets(spec.group)
    products = 0
    for step in subtract_branch.schedule(spec.word_bits, spec.isa, spec.group):
        template_set = sets[step.network]
        units = unit.params[step.network].inner.shape[-1]
        products += units * (template_set.group + template_set.output_bits) * step.groups(template_set.group)
    return Work(2 * products, 4 * products)


def peaks() -> Peaks:
    """Measured: the best of a few."""
    size, words = 1_024, 1 << 24
    square = jnp.ones((size, size), jnp.float32)
    product = _best(lambda x: jnp.dot(x, x, precision=jax.lax.Precision.HIGHEST), square)
    copy = _best(lambda x: x + jnp.float32(1), jnp.ones(words, jnp.float32))
    return Peaks(2 * size**3 / product, 8 * words / copy)


def _best(function: Callable[[jax.Array], jax.Array], given: jax.Array) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(given))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        jax.block_until_ready(compiled(given))
        seconds.append(time.perf_counter() - began)
    return min(seconds)
