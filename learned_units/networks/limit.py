"""The closed-form mean of an ensemble of infinitely many, infinitely wide, fully trained networks."""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.passes import Prediction
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import kernel
from learned_units.networks.readout import Readout, look_up


class LimitParams(NamedTuple):
    """The closed form for one template set, and its readout. All float32."""

    counts: jax.Array  # [outputs]: how many templates assert it (c)
    table: jax.Array  # [3 + outputs, n]: own, common, half gap, thresholds

    def predict(self, templates: TemplateSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """The limit on every group, own(n) m - common(n) c: for each family float32 [groups, group, ...] of 0 and 1."""
        number = functools.reduce(operator.add, matched).sum(1).astype(jnp.int32)
        asserting = jnp.stack([_asserting(matched, column) for column in templates.assertions().T], 1)
        if templates.pooled:
            asserting = asserting.sum(2, keepdims=True)
        row = look_up(self.table, number)
        return Prediction(
            row[:, 0:1] * asserting - row[:, 1:2] * self.counts.reshape(1, -1, 1, *(1 for _ in number.shape[1:])),
            row[:, 3:],
            row[:, 2:3],
        )


def make_params(template_set: TemplateSet, readout: Readout) -> LimitParams:
    """The closed form of a template set, ready to predict."""
    form = kernel.coefficients(template_set.size, template_set.group)
    table = [form.own[None], form.common[None], readout.half_gap[None], readout.threshold.T]
    host = (
        template_set.label_counts().astype(np.float32),
        np.concatenate(table).astype(np.float32),
    )
    return LimitParams(*jax.device_put(host))


def _asserting(matched: tuple[jax.Array, ...], asserted: np.ndarray) -> jax.Array:
    """How many matched templates assert one output (m): float32 [groups, group, ...]."""
    return functools.reduce(operator.add, (each for each, label in zip(matched, asserted, strict=True) if label))
