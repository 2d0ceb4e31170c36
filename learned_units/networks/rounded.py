"""An ensemble whose weights are whole numbers of a few bits: one scale for each tensor, applied after the sums.

All products and sums of a prediction are whole numbers. Below 2^24 float32 holds them exactly, so that no order of
summation makes a difference: what was enumerated on one machine is what every machine computes.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from learned_units.circuits.passes import Prediction
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import readout
from learned_units.networks.ensemble import EnsembleParams, make_params

EXACT = 1 << 24  # whole numbers up to here are float32


class Rounded(NamedTuple):
    """A tensor as whole numbers, int8, times a scale."""

    numbers: np.ndarray
    scale: np.float32


class RoundedParams(NamedTuple):
    """Weights of one ensemble as whole numbers, what one of them is worth in a prediction, and the readout."""

    inner: jax.Array  # [families, group, units]
    outer: jax.Array  # [outputs, positions, units]
    table: jax.Array  # [1 + outputs, n]: half gap, thresholds
    scale: jax.Array  # []

    def predict(self, templates: TemplateSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """As the ensemble: for each family float32 [groups, group, ...] of 0 and 1."""
        sums = EnsembleParams(self.inner, self.outer, self.table).predict(templates, matched)
        return sums._replace(value=sums.value * self.scale)


def rounded(tensor: np.ndarray, bits: int) -> Rounded:
    """The nearest whole numbers of that many bits (2 to 8), sign included; the largest weight is the largest number."""
    most = (1 << (bits - 1)) - 1
    scale = np.float32(np.abs(tensor).max() / most)
    return Rounded(np.rint(tensor / scale).astype(np.int8), scale)


def make_rounded(template_set: TemplateSet, inner: Rounded, outer: Rounded) -> RoundedParams:
    """Whole numbers [templates, units] and [units, output bits], ready to predict, calibrated."""
    whole = make_params(
        template_set,
        inner.numbers.astype(np.float32),
        outer.numbers.astype(np.float32),
        readout.calibrated(template_set),
    )
    return RoundedParams(*whole, jax.device_put(inner.scale * outer.scale))
