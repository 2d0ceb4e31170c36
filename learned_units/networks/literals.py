"""Predictions of a network over literals: a trained ensemble, with one threshold for each output.

How many literals are on is the same for every input, so its root is folded into the weights, and the threshold and the
half gap are numbers: from the kernel, half-way between the largest mean an output has where it must be 0 and the
smallest where it must be 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.passes import Prediction
from learned_units.networks import kernel
from learned_units.networks.ensemble import PRECISION
from learned_units.networks.readout import Readout


class LiteralEnsemble(NamedTuple):
    """Weights of one ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [2, places, units]: the rows of literals of zeros, of ones
    outer: jax.Array  # [outputs, positions, units], all scale factors folded in
    threshold: jax.Array  # [outputs]
    half_gap: jax.Array  # []

    def predict(self, templates: LiteralSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """The ensemble on every group: which literals are on, two float32 [groups, places, ...] of 0 and 1."""
        del templates
        outputs, positions, _ = self.outer.shape
        ones = matched[1]
        hidden = jax.nn.relu(self._sums_of_rows(ones))
        value = jnp.dot(hidden, self.outer.reshape(outputs * positions, -1).T, precision=PRECISION)
        value = jnp.moveaxis(value.reshape(len(ones), *ones.shape[2:], outputs * positions), -1, 1)
        further = (1,) * (ones.ndim - 2)
        return Prediction(
            value.reshape(-1, outputs, positions, *ones.shape[2:]),
            self.threshold.reshape(1, outputs, 1, *further),
            self.half_gap.reshape(1, 1, 1, *further),
        )

    def _sums_of_rows(self, ones: jax.Array) -> jax.Array:
        """The hidden layer's sums, [groups and batch, units]: at every place the row of the literal that is on."""
        _, places, units = self.inner.shape
        rows = self.inner.reshape(-1, units)
        literal = ones.astype(jnp.int32) * np.int32(places)
        total = jnp.zeros((1, units), jnp.float32)
        for place in range(places):
            row = (literal[:, place] + np.int32(place)).reshape(-1)
            total = total + rows.at[row].get(mode="promise_in_bounds", wrap_negative_indices=False)
        return total


def readout(literals: LiteralSet) -> Readout:
    """The thresholds and the half gap, for the one number of literals that is ever on. Raises ValueError if the limit
    does not tell what an output must be, which is not always the same, or if outputs have different gaps."""
    at_one = literals.assignments()
    inputs = np.zeros((len(at_one), len(literals.lines), literals.group), np.int8)
    inputs[..., 0] = at_one
    inputs = inputs.reshape(len(at_one), -1)
    means = kernel.regression(literals.examples(), literals.labels(), input_vectors(literals, inputs))
    apart = 1 if literals.pooled else literals.group
    means, right = means[:, ::apart], literals.specify(inputs)[:, ::apart]
    highest = np.where(right, -np.inf, means).max(0)
    lowest = np.where(right, means, np.inf).min(0)
    half_gap = (lowest - highest) / 2  # infinite for an output that is never 0, or never 1
    if not ((half_gap > 0) & np.isfinite(half_gap)).all() or not np.allclose(half_gap, half_gap[0]):
        raise ValueError(f"'{literals.name}' has no threshold: half gaps {half_gap.tolist()}")
    return Readout(((lowest + highest) / 2).astype(np.float32)[None], half_gap[:1].astype(np.float32))


def input_vectors(literals: LiteralSet, bits: np.ndarray) -> np.ndarray:
    """Bits read, int [inputs, places] of 0 and 1 -> the network's inputs, unit vectors float64 [inputs, input_bits]."""
    return np.concatenate([bits == 0, bits == 1], axis=1) / math.sqrt(literals.places)


def make_params(literals: LiteralSet, inner: np.ndarray, outer: np.ndarray) -> LiteralEnsemble:
    """Weights [input bits, units] and [units, output bits] of a merged ensemble, ready to predict."""
    units, read = inner.shape[1], readout(literals)
    scaled = np.ascontiguousarray(outer.T) / np.float32(math.sqrt(literals.places))
    host = (
        inner.reshape(literals.choices, literals.places, units),
        scaled.reshape(len(literals.outputs), -1, units),
        read.threshold[0],
        read.half_gap[0],
    )
    return LiteralEnsemble(*jax.device_put(host))
