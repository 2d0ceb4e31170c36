"""The two-layer network of modular arithmetic: one-hot values in, a power as activation, one output a class.

    out(x_1 ... x_S) = outer^T (inner_1[x_1] + ... + inner_S[x_S])^S        (arXiv 2406.03495, eq. 1)

A one-hot input selects a row of the first layer, so the rows are read instead of multiplied by all the zeros. The
answer is the class with the largest output. Its *gap*, best minus second best, over `nominal`, the mean gap over all
inputs, is the margin of the answer.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import interrupts

# What was verified of weights holds for the code that evaluated them. A change to how a network is evaluated, decided
# or verified (here, or in the unit) raises this number, and a golden prediction in the tests says when.
VERSION = 1
BLOCK_FLOATS = 1 << 22  # hidden activations computed at once: rows x units


class Network(NamedTuple):
    """Weights of S terms, C classes and N units, all float32. The activation is the power S."""

    inner: jax.Array  # [S, C, N]
    outer: jax.Array  # [N, C]
    nominal: jax.Array  # [], the mean gap between right and best wrong output, over all inputs

    @property
    def terms(self) -> int:
        return self.inner.shape[0]

    @property
    def classes(self) -> int:
        return self.inner.shape[1]

    @property
    def units(self) -> int:
        return self.inner.shape[2]


class Answer(NamedTuple):
    """The decision on each of some output vectors [..., classes]."""

    one_hot: jax.Array  # float32 [..., classes], 1 at the largest output (at each of them, in a tie)
    best: jax.Array  # float32 [...], the largest output
    second: jax.Array  # float32 [...], the next one


class Verification(NamedTuple):
    """A network compared with the right answer on every input it can receive."""

    inputs: int
    wrong: int  # a tie is wrong, and an output that is no number
    nominal: float  # mean of right output minus best wrong one
    smallest_margin: float  # the smallest of these gaps over the mean one; -inf where the mean is not positive


def make_network(inner: np.ndarray, outer: np.ndarray, nominal: float = 1.0) -> Network:
    """Weights [S, C, N] and [N, C] as the parameters of a network."""
    return Network(*jax.device_put((inner.astype(np.float32), outer.astype(np.float32), np.float32(nominal))))


def activate(hidden: jax.Array, terms: int) -> jax.Array:
    """hidden^terms, as products."""
    return functools.reduce(operator.mul, [hidden] * terms)


def output(inner: jax.Array, outer: jax.Array, rows: jax.Array) -> jax.Array:
    """The network on values int32 [..., S] -> float32 [..., C]."""
    hidden = functools.reduce(operator.add, [inner[s][rows[..., s]] for s in range(inner.shape[0])])
    return jnp.dot(activate(hidden, inner.shape[0]), outer, precision=jax.lax.Precision.HIGHEST)


def decide(out: jax.Array) -> Answer:
    """The largest of the outputs [..., C], and the distance to the next."""
    best = out.max(-1, keepdims=True)
    is_best = out >= best
    second = jnp.where(is_best, -jnp.inf, out).max(-1)
    return Answer(is_best.astype(jnp.float32), best[..., 0], second)


@jax.jit
def answers(network: Network, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values int32 [n, S] -> classes int32 [n] and margins float32 [n]."""
    answer = decide(output(network.inner, network.outer, rows))
    return answer.one_hot.argmax(-1).astype(jnp.int32), (answer.best - answer.second) / network.nominal


@jax.jit
def gaps(network: Network, rows: jax.Array, wanted: jax.Array) -> jax.Array:
    """Right output minus best wrong one, float32 [n], for values int32 [n, S] and right classes int32 [n]."""
    out = output(network.inner, network.outer, rows)
    right = wanted[:, None] == np.arange(network.classes, dtype=np.int32)[None]
    return jnp.where(right, out, 0.0).sum(-1) - jnp.where(right, -jnp.inf, out).max(-1)


def every_input(classes: int, terms: int) -> np.ndarray:
    """All values of all terms, the last one fastest: int32 [classes^terms, terms]."""
    return np.indices((classes,) * terms, np.int32).reshape(terms, -1).T


def blocks(rows: np.ndarray, units: int) -> Iterator[tuple[int, np.ndarray]]:
    """Rows in blocks of one size, the last one filled up with zeros: (how many of them count, the block).

    Raises KeyboardInterrupt between two blocks.
    """
    size = min(max(256, BLOCK_FLOATS // units), max(1, len(rows)))
    for start in range(0, len(rows), size):
        interrupts.check()
        block = rows[start : start + size]
        padding = ((0, size - len(block)), *((0, 0),) * (rows.ndim - 1))
        yield len(block), np.pad(block, padding)


def verify(network: Network, rows: np.ndarray, wanted: np.ndarray) -> Verification:
    """Compare the network with the right classes int32 [n] on values int32 [n, S]."""
    together = np.concatenate([rows, wanted[:, None]], axis=1).astype(np.int32)
    found = [
        np.asarray(gaps(network, block[:, :-1], block[:, -1]), np.float64)[:count]
        for count, block in blocks(together, network.units)
    ]
    gap = np.concatenate(found)
    nominal = float(gap.mean())
    smallest = float(gap.min() / nominal) if nominal > 0 else -np.inf
    return Verification(len(rows), int((~(gap > 0)).sum()), nominal, smallest)
