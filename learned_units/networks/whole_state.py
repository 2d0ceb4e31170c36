"""Predictions of the one network that maps a whole state to the next: in closed form, or by a trained ensemble."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits.passes import Prediction
from learned_units.circuits.state_templates import StateTemplates
from learned_units.networks import kernel


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
        number = number_matched(matched)
        _, taken_off, half_gap = _read_out(self, number)
        flat = jnp.concatenate([each.reshape(-1) for each in matched])
        exact = jax.lax.Precision.HIGHEST
        active = jax.nn.relu(jnp.dot(flat, self.inner, precision=exact))
        # relu is positively homogeneous: the 1 / sqrt(n) of the input is applied to the output instead.
        value = jnp.dot(active, self.outer, precision=exact) * jax.lax.rsqrt(jnp.maximum(number, np.float32(1)))
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
