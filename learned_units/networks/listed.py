"""Predictions of a network that learns a template list: in closed form at infinite width, or by a trained ensemble."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.passes import Prediction
from learned_units.circuits.template_list import TemplateList
from learned_units.networks import kernel
from learned_units.networks.readout import Readout


class ListedLimit(NamedTuple):
    """The closed form for one template list, and its readout. All float32."""

    labels: jax.Array  # [size, output bits] of 0 and 1
    table: jax.Array  # [n, 2 + 2 * output bits]: own, half gap, what is common, thresholds

    def predict(self, templates: TemplateList, matched: tuple[jax.Array, ...]) -> Prediction:
        """One array of matches, float32 [..., size] of 0 and 1 -> values and thresholds [..., output bits], half gaps
        [..., 1]."""
        del templates
        row, outputs = _row(self.table, matched[0]), self.labels.shape[1]
        asserting = jnp.dot(matched[0], self.labels, precision=jax.lax.Precision.HIGHEST)
        value = row[..., 0:1] * asserting - row[..., 2 : 2 + outputs]
        return Prediction(value, row[..., 2 + outputs :], row[..., 1:2])


class ListedEnsemble(NamedTuple):
    """A trained ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [size, units]
    outer: jax.Array  # [units, output bits], all scale factors folded in
    table: jax.Array  # [n, 1 + output bits]: half gap, thresholds

    def predict(self, templates: TemplateList, matched: tuple[jax.Array, ...]) -> Prediction:
        """As that of the limit."""
        del templates
        row = _row(self.table, matched[0])
        active = jax.nn.relu(jnp.dot(matched[0], self.inner, precision=jax.lax.Precision.HIGHEST))
        value = jnp.dot(active, self.outer, precision=jax.lax.Precision.HIGHEST)
        value = value * jax.lax.rsqrt(jnp.maximum(matched[0].sum(-1), np.float32(1)))[..., None]
        return Prediction(value, row[..., 1:], row[..., 0:1])


def make_limit(templates: TemplateList, readout: Readout) -> ListedLimit:
    """The closed form of a template list, ready to predict."""
    form = kernel.coefficients(templates.size, templates.most_matched)
    common = form.common[:, None] * templates.label_counts()[None, :]
    columns = [form.own[:, None], readout.half_gap[:, None], common, readout.threshold]
    return ListedLimit(*jax.device_put((templates.labels(), _beyond_claimed(columns))))


def make_ensemble(inner: np.ndarray, outer: np.ndarray, readout: Readout) -> ListedEnsemble:
    """Weights of a merged ensemble, with a readout, ready to predict."""
    columns = [readout.half_gap[:, None], readout.threshold]
    return ListedEnsemble(*jax.device_put((inner, outer, _beyond_claimed(columns))))


def _beyond_claimed(columns: list[np.ndarray]) -> np.ndarray:
    """A table over n with one more row: more templates than the list says ever match have no threshold, but NaN."""
    table = np.concatenate(columns, axis=1).astype(np.float32)
    return np.concatenate([table, np.full_like(table[:1], np.nan)])


def _row(table: jax.Array, matched: jax.Array) -> jax.Array:
    """What a table says of the number of matched templates: [..., columns]."""
    return table[jnp.minimum(matched.sum(-1).astype(jnp.int32), table.shape[0] - 1)]
