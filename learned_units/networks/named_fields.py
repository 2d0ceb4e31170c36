"""Predictions of a network over named fields: in closed form at infinite width, or by a trained ensemble.

Of a list of templates, and of the templates that take a whole state to the next.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.passes import Prediction
from learned_units.circuits.state_templates import StateTemplates, TemplateList
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
        return Prediction(_mean(self.inner, self.outer, matched[0]), row[..., 1:], row[..., 0:1])


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


class StateLimit(NamedTuple):
    """The closed form and its readout. All float32."""

    table: jax.Array  # [n, 2]: own and common, of `kernel.Coefficients`
    counts: jax.Array  # [state bits]: how many templates assert each bit (c)

    def predict(self, templates: StateTemplates, matched: tuple[jax.Array, ...]) -> Prediction:
        """The network on one input. Prediction and threshold are float32 [state bits], the half gap []."""
        own, taken_off, half_gap = _read_out(self, number_matched(matched))
        return Prediction(own * templates.collect(matched) - taken_off, half_gap - taken_off, half_gap)


class StateEnsemble(NamedTuple):
    """A trained ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [templates, units]
    outer: jax.Array  # [units, state bits], all scale factors folded in
    table: jax.Array  # as in StateLimit
    counts: jax.Array

    def predict(self, templates: StateTemplates, matched: tuple[jax.Array, ...]) -> Prediction:
        """As that of the limit."""
        del templates
        _, taken_off, half_gap = _read_out(self, number_matched(matched))
        value = _mean(self.inner, self.outer, jnp.concatenate([each.reshape(-1) for each in matched]))
        return Prediction(value, half_gap - taken_off, half_gap)


def limit_params(templates: StateTemplates) -> StateLimit:
    """The closed form of a network, for any number of matched templates."""
    form = kernel.coefficients(templates.size, templates.size)
    table = np.stack([form.own, form.common], axis=1).astype(np.float32)
    return StateLimit(*jax.device_put((table, templates.label_counts().astype(np.float32))))


def ensemble_params(templates: StateTemplates, inner: np.ndarray, outer: np.ndarray) -> StateEnsemble:
    """Weights [templates, units] and [units, state bits] of a merged ensemble, ready to predict."""
    table, counts = limit_params(templates)
    return StateEnsemble(jax.device_put(inner), jax.device_put(outer), table, counts)


def number_matched(matched: tuple[jax.Array, ...]) -> jax.Array:
    """How many templates of one input are matched (n): float32 []."""
    return sum((each.sum() for each in matched), jnp.float32(0))


def _read_out(params: StateLimit | StateEnsemble, number: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """own(n), what is taken off every bit, and the half gap.

    The limit's mean is own(n) m - common(n) c. The threshold lies half-way between m = 0 and m = 1: own(n) / 2 -
    common(n) c; the half gap is own(n) / 2.
    """
    own, common = params.table[number.astype(jnp.int32)]
    return own, common * params.counts, own * np.float32(0.5)


def _mean(inner: jax.Array, outer: jax.Array, matched: jax.Array) -> jax.Array:
    """An ensemble's mean: matches float32 [..., templates] of 0 and 1 -> [..., output bits].

    relu is positively homogeneous: the 1 / sqrt(n) of the input is applied to the output instead.
    """
    active = jax.nn.relu(jnp.dot(matched, inner, precision=jax.lax.Precision.HIGHEST))
    value = jnp.dot(active, outer, precision=jax.lax.Precision.HIGHEST)
    return value * jax.lax.rsqrt(jnp.maximum(matched.sum(-1), np.float32(1)))[..., None]
