"""Readouts: the threshold that turns a real-valued prediction into a bit.

Calibrated (ours, the default): half-way between the means of m = 0 and m = 1 matched templates that assert the
output, tau(n, c) = (d / 2 - beta c) / (1 - b); n is known from the input and c from the training set. It needs no
padding and no condition on the templates. The limit's mean is then above tau exactly when m >= 1.
Sign (arXiv 2502.16763): threshold 0. Right where `sign_readout_is_right`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.networks import kernel

if TYPE_CHECKING:
    from learned_units.circuits.state_templates import StateTemplates
    from learned_units.circuits.template_list import TemplateList
    from learned_units.circuits.templates import TemplateSet


class Readout(NamedTuple):
    """Thresholds by number of matched templates n, float32 [n from 0, outputs], and half gaps, float32 [n from 0]."""

    threshold: np.ndarray
    half_gap: np.ndarray


def calibrated(templates: TemplateSet | TemplateList | StateTemplates) -> Readout:
    """The half-way threshold. tau(0, c) = 1/2, half the gap at n = 1: with nothing matched every bit is 0."""
    form = kernel.coefficients(templates.size, templates.most_matched)
    threshold = form.gap[:, None] / 2 - form.common[:, None] * templates.label_counts()[None, :]
    return Readout(threshold.astype(np.float32), (form.gap / 2).astype(np.float32))


def look_up(table: jax.Array, number: jax.Array) -> jax.Array:
    """Values by number of matched templates: table [values, n], int32 [groups, ...] -> [groups, values, 1, ...]."""

    def at(table: jax.Array) -> jax.Array:
        return table.at[..., number].get(mode="promise_in_bounds", wrap_negative_indices=False)

    # Of a batch one value after the other: all at once they lie behind the batch, and every reader strides over them.
    found = at(table) if number.ndim == 1 else jnp.stack([at(values) for values in table])
    return jnp.moveaxis(found, 0, 1)[:, :, None]


def sign(templates: TemplateSet | TemplateList) -> Readout:
    """Threshold 0 everywhere. At n = 0 the prediction is exactly 0, and 0 is not above the threshold.

    At n = 1 the limit's mean of an output that is not asserted is exactly 0, too: the decision is right, with a margin
    of 0. A network trained to a tolerance is there on either side of 0, so this readout is for the limit alone.
    """
    form = kernel.coefficients(templates.size, templates.most_matched)
    threshold = np.zeros((templates.most_matched + 1, len(templates.label_counts())), np.float32)
    return Readout(threshold, (form.gap / 2).astype(np.float32))


def sign_readout_is_right(templates: int, asserting: int, matched: int) -> bool:
    """Whether threshold 0 separates m = 0 from m >= 1 in the limit, for k = templates, c = asserting, n = matched.

    c (n - (1 - b) / d) < k + 2 pi - 1 puts the mean of m = 1 above 0 (the mean of m = 0 never is, as beta >= 0).
    """
    if matched == 0:
        return True
    gap_over = float(kernel.coefficients(templates, matched).own[matched])  # d / (1 - b)
    return asserting * (matched - 1 / gap_over) < templates + 1 / kernel.B - 1


def check_sign_readout(templates: TemplateSet | TemplateList) -> None:
    """Whether threshold 0 is right for every number of templates that can match and every output.

    Checks, for n = 1 .. most_matched and each c, that the mean of m = 0 is not above 0 and that
    `sign_readout_is_right`. Raises ValueError naming the first n and c for which it does not hold.
    """
    form = kernel.coefficients(templates.size, templates.most_matched)
    for matched in range(1, templates.most_matched + 1):
        if form.common[matched] < 0:
            raise ValueError(f"'{templates.name}': the mean of an output not asserted is above 0 at n = {matched}")
        for asserting in sorted(set(templates.label_counts().tolist())):
            if not sign_readout_is_right(templates.size, asserting, matched):
                raise ValueError(
                    f"'{templates.name}': threshold 0 is wrong at n = {matched} for an output that {asserting} of "
                    f"{templates.size} templates assert; more padding makes it right"
                )
