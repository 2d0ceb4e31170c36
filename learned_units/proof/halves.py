"""A trained ensemble on every input that is one of some low halves with one of some high halves, at little cost.

The hidden sums of a half are added up once. An input then costs one addition, the cut at 0 and the output layer, in
tiles of hidden units that stay in the caches.

How far rounding can move a margin is told by `rounding.py`, here for each input: the sum over |v_u| h_u is at most that
of the low half alone and that of the high half alone, and the other one is theirs added. The unit itself may sum in any
order; the sums made here are of TILE terms and then of the tiles. A decision is settled where its margin here exceeds
the bounds of both together: then it is right in whatever order the unit adds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import devices, interrupts
from learned_units.circuits.templates import TemplateSet
from learned_units.networks.ensemble import PRECISION, EnsembleParams
from learned_units.proof.rounding import SCALING, gamma
from learned_units.proof.word_inputs import Halves
from learned_units.unit import smallest_margin

TILE = 512  # hidden units
ROWS = 1 << 12  # inputs evaluated at once


class Counted(NamedTuple):
    """What was found on some inputs. One is wrong where a margin is not above 0, open where one is not settled."""

    inputs: int
    wrong: int
    open: int
    smallest_margin: float
    nearest: float  # the smallest of margins less what rounding can take; above 0 where every decision is settled


class _Half(NamedTuple):
    """What is known of the rows of one half."""

    sums: jax.Array  # float32 [tiles, rows, TILE], of the hidden units
    cut: jax.Array  # float32 [rows, outputs]: sum_u |v_u| relu(sums)
    size: jax.Array  # float32 [rows, outputs]: sum_u |v_u| sum_p |w_pu|
    number: jax.Array  # int32 [rows], of matched templates
    # float32 [rows, outputs a position, positions of a word]: 1 where it must be 1, else -1; 0 in the other half
    side: jax.Array


def count(
    template_set: TemplateSet,
    params: EnsembleParams,
    halves: Halves,
    alive: Callable[[int, int], None] = lambda done, of: None,
) -> Counted:
    """Run an ensemble on all inputs of two halves. alive(inputs done, of all) is called again and again.

    Raises KeyboardInterrupt between two calls.
    """
    total = len(halves.low) * len(halves.high)
    # The product is faster with the hidden units first.
    outer = jnp.swapaxes(_tiled(params.outer.reshape(template_set.output_bits, -1)), 1, 2)
    # Few sizes are compiled: what a half is filled up with is left out of the result.
    low_rows = _filled(halves.low, 1 << (len(halves.low) - 1).bit_length())
    split = low_rows.shape[1]
    low = _half(template_set, params, outer, low_rows, range(split))
    at_once = devices.block_size(len(halves.high), max(1, ROWS // len(low.number)))
    wrong = left_open = 0
    smallest = nearest = np.float32(np.inf)
    for start in range(0, len(halves.high), at_once):
        interrupts.check()
        alive(start * len(halves.low), total)
        rows = halves.high[start : start + at_once]
        high = _half(template_set, params, outer, _filled(rows, at_once), range(split, split + rows.shape[1]))
        found = _margins(low, high, outer, params.table)
        margins, surplus = (np.asarray(each)[: len(rows), : len(halves.low)] for each in found)
        wrong += int((~(margins > 0)).sum())  # a NaN is wrong
        left_open += int((~(surplus > 0)).sum())
        smallest, nearest = np.minimum(smallest, margins.min()), np.minimum(nearest, surplus.min())  # and stays
    alive(total, total)
    return Counted(total, wrong, left_open, float(smallest), float(nearest))


def _filled(rows: np.ndarray, length: int) -> np.ndarray:
    return np.pad(rows, ((0, length - len(rows)), (0, 0)), mode="edge")


def _half(
    template_set: TemplateSet, params: EnsembleParams, outer: jax.Array, rows: np.ndarray, positions: range
) -> _Half:
    """What is known of rows at these positions. outer: [tiles, TILE, outputs]."""
    asserted = np.concatenate([template_set.assertions() > 0, np.zeros((1, len(template_set.outputs)), bool)])
    side = np.zeros((len(rows), len(template_set.outputs), params.inner.shape[1]), np.float32)
    side[:, :, positions] = np.where(np.moveaxis(asserted[rows], -1, 1), 1, -1)
    sums, cut, size = _sums(params.inner[:, positions.start : positions.stop], outer, rows.astype(np.int32))
    return _Half(sums, cut, size, jnp.asarray((rows >= 0).sum(1).astype(np.int32)), jnp.asarray(side))


@jax.jit
def _sums(inner: jax.Array, outer: jax.Array, rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    families, positions, units = inner.shape
    weights = jnp.concatenate([inner.reshape(-1, units), jnp.zeros((1, units), jnp.float32)])
    place = jnp.where(rows < 0, families * positions, rows * positions + jnp.arange(positions)[None])
    matched = [weights[place[:, position]] for position in range(positions)]
    nothing = jnp.zeros((len(rows), units), jnp.float32)
    sums = _tiled(functools.reduce(jnp.add, matched, nothing))
    sizes = _tiled(functools.reduce(jnp.add, map(jnp.abs, matched), nothing))
    size_of_outer = jnp.abs(outer)
    return (
        sums,
        jnp.einsum("tru,tuo->ro", jax.nn.relu(sums), size_of_outer, precision=PRECISION),
        jnp.einsum("tru,tuo->ro", sizes, size_of_outer, precision=PRECISION),
    )


def _tiled(rows: jax.Array) -> jax.Array:
    """Rows over hidden units, float32 [rows, units] -> [tiles, rows, TILE], filled up with zeros."""
    units = rows.shape[1]
    filled = jnp.pad(rows, ((0, 0), (0, -units % TILE)))
    return jnp.moveaxis(filled.reshape(len(rows), -1, TILE), 1, 0)


@jax.jit
def _margins(low: _Half, high: _Half, outer: jax.Array, table: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The smallest margin of each input, and the smallest less what rounding can take: float32 [high rows, low rows].

    outer: [tiles, TILE, outputs]. table: as in EnsembleParams.
    """
    shape = len(high.number), len(low.number)
    tiles, _, outputs = outer.shape

    def add(total: jax.Array, tile: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        of_low, of_high, of_outer = tile
        hidden = jax.nn.relu(of_high[:, None] + of_low[None]).reshape(-1, TILE)
        return total + jnp.dot(hidden, of_outer, precision=PRECISION), None

    value = jax.lax.scan(add, jnp.zeros((shape[0] * shape[1], outputs)), (low.sums, high.sums, outer))[0]
    value = value.reshape(*shape, len(table) - 1, -1)
    number = high.number[:, None] + low.number[None]
    scale = jax.lax.rsqrt(jnp.maximum(number, 1).astype(jnp.float32))[..., None, None]
    half_gap = table[0][number]
    threshold = jnp.moveaxis(table[1:][:, number], 0, -1)[..., None]
    of_cut = gamma(tiles * TILE) + gamma(TILE + tiles)
    of_size = 2 * 2 * gamma(value.shape[-1])
    moved = [of_cut * each.cut + of_size * each.size for each in (low, high)]
    moved = moved[0].reshape(1, -1, *value.shape[2:]) + moved[1].reshape(-1, 1, *value.shape[2:])
    distance = (low.side[None] + high.side[:, None]) * (value * scale - threshold)
    rounding = moved * scale + SCALING * (jnp.abs(value * scale) + jnp.abs(threshold))
    surplus = distance - np.float32(1.01) * rounding  # the bound is rounded itself
    return smallest_margin(distance, (-2, -1)) / half_gap, smallest_margin(surplus, (-2, -1)) / half_gap
