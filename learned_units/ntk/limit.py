"""The closed-form mean of an ensemble of infinitely many, infinitely wide, fully trained networks."""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.ntk import kernel
from learned_units.ntk.readout import Readout
from learned_units.passes import Prediction
from learned_units.templates import TemplateSet


class LimitParams(NamedTuple):
    """The closed form for one template set, and its readout. All float32."""

    labels: jax.Array  # [families, outputs] of 0 and 1: which template asserts which output
    counts: jax.Array  # [outputs]: how many templates assert it (c)
    table: jax.Array  # [n, 3 + outputs]: own, common, half gap, thresholds


def make_params(template_set: TemplateSet, readout: Readout) -> LimitParams:
    """The closed form of a template set, ready to predict."""
    form = kernel.coefficients(template_set.size, template_set.group)
    columns = [form.own[:, None], form.common[:, None], readout.half_gap[:, None], readout.threshold]
    host = (
        template_set.assertions(),
        template_set.label_counts().astype(np.float32),
        np.concatenate(columns, axis=1).astype(np.float32),
    )
    return LimitParams(*jax.device_put(host))


def predict(params: LimitParams, matched: tuple[jax.Array, ...], pooled: bool) -> Prediction:
    """The limit on every group: for each family float32 [groups, group] of 0 and 1. mean = own(n) m - common(n) c."""
    number = functools.reduce(operator.add, matched).sum(1).astype(jnp.int32)
    asserting = functools.reduce(
        operator.add, (each[:, None, :] * params.labels[f][None, :, None] for f, each in enumerate(matched))
    )
    if pooled:
        asserting = asserting.sum(-1, keepdims=True)
    row = params.table[number][:, :, None]
    return Prediction(
        row[:, 0:1] * asserting - row[:, 1:2] * params.counts[None, :, None],
        row[:, 3:],
        row[:, 2:3],
    )
