"""A trained ensemble's mean prediction: relu(x @ inner) @ outer, x the matched templates over sqrt(n)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.passes import Prediction, matched_family
from learned_units.circuits.templates import TemplateSet
from learned_units.networks.readout import Readout, look_up

PRECISION = jax.lax.Precision.HIGHEST  # float32 products on every device: decisions do not depend on it
UNROLLED = 2  # groups of one machine written out one after the other; a loop over more is as fast and compiles sooner


class EnsembleParams(NamedTuple):
    """Weights of one ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [families, group, units]
    outer: jax.Array  # [outputs, positions, units], all scale factors folded in
    table: jax.Array  # [1 + outputs, n]: half gap, thresholds

    def predict(self, templates: TemplateSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """The ensemble on every group: for each family float32 [groups, group, ...] of 0 and 1.

        relu is positively homogeneous, so the 1 / sqrt(n) of the input is applied to the output instead. One input or
        a batch of them: it is the same function of whatever is matched, also where that cannot come of right networks.
        """
        outputs, positions, _ = self.outer.shape
        some = functools.reduce(jnp.maximum, matched)
        number = some.sum(1)
        family = matched_family(matched)
        outer = self.outer.reshape(outputs * positions, -1)
        if some.ndim == 2:
            # Of one machine, a matrix times a vector for each group: one product of matrices is slower.
            hidden = jax.nn.relu(_for_each_group(functools.partial(_sum_of_rows, self.inner), family, some))
            value = _for_each_group(functools.partial(jnp.dot, outer, precision=PRECISION), hidden)
        else:
            hidden = jax.nn.relu(_sums_of_many_rows(self.inner, family))
            value = jnp.dot(hidden, outer.T, precision=PRECISION)
        value = jnp.moveaxis(value.reshape(*number.shape, outputs * positions), -1, 1)
        value = value * jax.lax.rsqrt(jnp.maximum(number, np.float32(1)))[:, None]
        row = look_up(self.table, number.astype(jnp.int32))
        return Prediction(value.reshape(-1, outputs, positions, *number.shape[1:]), row[:, 1:], row[:, 0:1])


def make_params(template_set: TemplateSet, inner: np.ndarray, outer: np.ndarray, readout: Readout) -> EnsembleParams:
    """Weights [templates, units] and [units, output bits] of a merged ensemble, with a readout, ready to predict."""
    units = inner.shape[1]
    host = (
        inner.reshape(len(template_set.families), template_set.group, units),
        np.ascontiguousarray(outer.T).reshape(len(template_set.outputs), -1, units),
        np.concatenate([readout.half_gap[None], readout.threshold.T]),
    )
    return EnsembleParams(*jax.device_put(host))


def _for_each_group(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """What a function makes of each group, the first axis of the arrays and of the result."""
    if len(arrays[0]) <= UNROLLED:
        return jnp.stack([function(*each) for each in zip(*arrays, strict=True)])
    return jax.lax.map(lambda each: function(*each), arrays)


def _sum_of_rows(inner: jax.Array, family: jax.Array, some: jax.Array) -> jax.Array:
    """The hidden layer's sums in one group, [units], touching only the weights of matched templates.

    `family`, int32 [group], is the one that matches at each position, -1 where none does; there `some`, float32 of that
    shape, is 0, elsewhere 1.
    """
    families, group, units = inner.shape
    rows = inner.reshape(families * group, units)
    total = jnp.zeros(units, jnp.float32)
    for p in range(group):
        place = jnp.maximum(family[p], 0) * group + p
        total = total + some[p] * jax.lax.dynamic_index_in_dim(rows, place, 0, keepdims=False)
    return total


def _sums_of_many_rows(inner: jax.Array, family: jax.Array) -> jax.Array:
    """The same of a batch, [groups and batch, units]: where nothing is matched, a row of zeros is added."""
    families, group, units = inner.shape
    rows = jnp.concatenate([inner.reshape(families * group, units), jnp.zeros((1, units), jnp.float32)])

    def added(total: jax.Array, position: int) -> jax.Array:
        matched = family[:, position].reshape(-1)
        place = jnp.where(matched < 0, np.int32(families * group), matched * np.int32(group) + np.int32(position))
        return total + rows.at[place].get(mode="promise_in_bounds", wrap_negative_indices=False)

    return functools.reduce(added, range(group), jnp.zeros((1, units), jnp.float32))
