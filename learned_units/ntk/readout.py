"""Readouts: the threshold that turns a real-valued prediction into a bit.

Calibrated (ours, the default): half-way between the means of m = 0 and m = 1 matched templates that assert the
output, tau(n, c) = (d / 2 - beta c) / (1 - b); n is known from the input and c from the training set. It needs no
padding and no condition on the templates. The limit's mean is then above tau exactly when m >= 1.
Sign (arXiv 2502.16763): threshold 0. Right where `sign_readout_is_right`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.ntk import kernel
from learned_units.templates import TemplateSet


class Readout(NamedTuple):
    """Thresholds by number of matched templates n, float32 [n from 0, outputs], and half gaps, float32 [n from 0]."""

    threshold: np.ndarray
    half_gap: np.ndarray


def calibrated(template_set: TemplateSet) -> Readout:
    """The half-way threshold. tau(0, c) = 1/2, half the gap at n = 1: with nothing matched every bit is 0."""
    form = kernel.coefficients(template_set.size, template_set.group)
    threshold = form.gap[:, None] / 2 - form.common[:, None] * template_set.label_counts()[None, :]
    return Readout(threshold.astype(np.float32), (form.gap / 2).astype(np.float32))


def look_up(table: jax.Array, number: jax.Array) -> jax.Array:
    """Values by number of matched templates: table [values, n], int32 [groups, ...] -> [groups, values, 1, ...]."""
    found = table.at[:, number].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return jnp.moveaxis(found, 0, 1)[:, :, None]


def sign(template_set: TemplateSet) -> Readout:
    """Threshold 0 everywhere. At n = 0 the prediction is exactly 0, and 0 is not above the threshold."""
    form = kernel.coefficients(template_set.size, template_set.group)
    threshold = np.zeros((template_set.group + 1, len(template_set.outputs)), np.float32)
    return Readout(threshold, (form.gap / 2).astype(np.float32))


def sign_readout_is_right(templates: int, asserting: int, matched: int) -> bool:
    """Whether threshold 0 separates m = 0 from m >= 1 in the limit, for k = templates, c = asserting, n = matched.

    c (n - (1 - b) / d) < k + 2 pi - 1 puts the mean of m = 1 above 0 (the mean of m = 0 never is, as beta >= 0).
    """
    if matched == 0:
        return True
    gap_over = float(kernel.coefficients(templates, matched).own[matched])  # d / (1 - b)
    return asserting * (matched - 1 / gap_over) < templates + 1 / kernel.B - 1
