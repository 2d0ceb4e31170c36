"""A trained ensemble's mean prediction: relu(x @ inner) @ outer, x the matched templates over sqrt(n)."""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.ntk.readout import Readout, look_up
from learned_units.passes import Prediction, matched_family
from learned_units.templates import TemplateSet

PRECISION = jax.lax.Precision.HIGHEST  # float32 products on every device: decisions do not depend on it


class EnsembleParams(NamedTuple):
    """Weights of one ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [families, group, units]
    outer: jax.Array  # [units, outputs, positions], all scale factors folded in
    table: jax.Array  # [1 + outputs, n]: half gap, thresholds


def make_params(template_set: TemplateSet, inner: np.ndarray, outer: np.ndarray, readout: Readout) -> EnsembleParams:
    """Weights [templates, units] and [units, output bits] of a merged ensemble, with a readout, ready to predict."""
    units = inner.shape[1]
    host = (
        inner.reshape(len(template_set.families), template_set.group, units),
        outer.reshape(units, len(template_set.outputs), -1),
        np.concatenate([readout.half_gap[None], readout.threshold.T]),
    )
    return EnsembleParams(*jax.device_put(host))


def predict(params: EnsembleParams, matched: tuple[jax.Array, ...]) -> Prediction:
    """The ensemble on every group: for each family float32 [groups, group, ...] of 0 and 1.

    relu is positively homogeneous, so the 1 / sqrt(n) of the input is applied to the output instead.
    """
    units, outputs, positions = params.outer.shape
    some = functools.reduce(operator.add, matched)
    number = some.sum(1)
    outer = params.outer.reshape(units, outputs * positions)
    if some.ndim == 2:
        active = jax.nn.relu(_sum_of_rows(params.inner, jnp.maximum(matched_family(matched), 0), some))
        value = jnp.dot(active, outer, precision=PRECISION)
    else:
        active = jax.nn.relu(_product(params.inner.reshape(-1, units), matched))
        value = jnp.moveaxis(jnp.tensordot(outer, active, (0, 0), precision=PRECISION), 0, 1)
    value = value * jax.lax.rsqrt(jnp.maximum(number, np.float32(1)))[:, None]
    row = look_up(params.table, number.astype(jnp.int32))
    return Prediction(value.reshape(-1, outputs, positions, *number.shape[1:]), row[:, 1:], row[:, 0:1])


def _sum_of_rows(inner: jax.Array, family: jax.Array, some: jax.Array) -> jax.Array:
    """The hidden layer's sums, [groups, units], touching only the weights of matched templates.

    At most one family matches at a position (TemplateSet checks it): `family`, int32 [groups, group], where `some`,
    float32 of that shape, is 1.
    """
    families, group, units = inner.shape
    rows = inner.reshape(families * group, units)
    sums = []
    for g in range(family.shape[0]):
        total = jnp.zeros(units, jnp.float32)
        for p in range(group):
            row = jax.lax.dynamic_index_in_dim(rows, family[g, p] * group + p, 0, keepdims=False)
            total = total + some[g, p] * row
        sums.append(total)
    return jnp.stack(sums)


def _product(rows: jax.Array, matched: tuple[jax.Array, ...]) -> jax.Array:
    """The same sums of a batch, [units, groups, ...]: for many inputs a matrix product is faster than single rows."""
    templates = jnp.moveaxis(jnp.stack(matched), 2, 1)  # [families, group, groups, ...]
    return jnp.tensordot(rows, templates.reshape(-1, *templates.shape[2:]), (0, 0), precision=PRECISION)
