"""Algorithms: steps of networks from operands to a result, for the tasks outside the machine.

A step is a `Pass` (one template set on every group of the positions) or a `Rewrite` (template lists on a whole state,
as often as it says). Between steps bits are moved, never combined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from learned_units.circuits.passes import Pass, Predictor, run_pass, written_fields
from learned_units.circuits.state_templates import NamedBit, TemplateList
from learned_units.circuits.templates import TemplateSet
from learned_units.unit import smallest_margin


@dataclass(frozen=True)
class Rewrite:
    """Networks that each read and write whole fields, side by side, `times` times one after the other."""

    networks: tuple[str, ...]
    times: int = 1


@dataclass(frozen=True)
class Algorithm:
    """Steps from input fields to output bits. Static and hashable; what is trained comes beside it.

    Fields of a template list that are no inputs begin as 0, but for the bits in `ones`.
    """

    name: str
    networks: tuple[TemplateSet | TemplateList, ...]
    steps: tuple[Pass | Rewrite, ...]
    inputs: tuple[tuple[str, int], ...]  # (field, number of bits)
    output: tuple[NamedBit, ...]  # lowest bit first
    ones: tuple[NamedBit, ...] = ()

    @property
    def passes(self) -> int:
        """Passes one after the other."""
        return sum(step.times if isinstance(step, Rewrite) else 1 for step in self.steps)

    @property
    def evaluations(self) -> int:
        """Network evaluations."""
        named = {network.name: network for network in self.networks}
        count = 0
        for step in self.steps:
            if isinstance(step, Rewrite):
                count += step.times * len(step.networks)
            else:
                network = named[step.network]
                assert isinstance(network, TemplateSet)
                count += step.groups(network.group)
        return count


class Result(NamedTuple):
    """What an algorithm computed: output bits, bool [bits, ...], and the smallest margin of all, float32 [...]."""

    bits: jax.Array
    margin: jax.Array


def run(algorithm: Algorithm, inputs: Mapping[str, jax.Array], predict: Predictor) -> Result:
    """Run every step. Inputs are float32 [bits, ...] of 0 and 1 by field; a shorter one fills low bits.

    Further axes are a batch; they lie last, as in `passes`.
    """
    named = {network.name: network for network in algorithm.networks}
    batch = next(iter(inputs.values())).shape[1:]
    fields = _start(algorithm, batch)
    for field, given in inputs.items():
        fields[field] = fields[field].at[: given.shape[0]].set(given) if field in fields else given
    margin = jnp.full(batch, np.inf, jnp.float32)
    for step in algorithm.steps:
        if isinstance(step, Pass):
            network = named[step.network]
            assert isinstance(network, TemplateSet)
            trace = run_pass(step, network, fields, predict)
            fields |= written_fields(step, network, trace)
            margin = jnp.minimum(margin, smallest_margin(trace.margin, (0, 1, 2)))
        else:
            lists = [network for name in step.networks if isinstance(network := named[name], TemplateList)]
            fields, margin = _rewrite(lists, step.times, fields, margin, predict)
    return Result(jnp.stack([fields[field][index] for field, index in algorithm.output]) > 0, margin)


def _start(algorithm: Algorithm, batch: tuple[int, ...]) -> dict[str, jax.Array]:
    """The fields of the template lists: 0, but for the bits that begin as 1."""
    lists = (network for network in algorithm.networks if isinstance(network, TemplateList))
    lengths = {field: length for each in lists for field, length in each.reads + each.writes}
    fields = {field: np.zeros((length, *batch), np.float32) for field, length in lengths.items()}
    for field, index in algorithm.ones:
        fields[field][index] = 1
    return {field: jnp.asarray(values) for field, values in fields.items()}


def _rewrite(
    lists: list[TemplateList], times: int, fields: dict[str, jax.Array], margin: jax.Array, predict: Predictor
) -> tuple[dict[str, jax.Array], jax.Array]:
    """All fields after the rewriting, and the smallest margin, that of the passes before included."""

    def once(_, carry: tuple[dict[str, jax.Array], jax.Array]) -> tuple[dict[str, jax.Array], jax.Array]:
        before, margin = carry
        after = dict(before)
        for each in lists:
            state = jnp.moveaxis(jnp.concatenate([before[field] for field, _ in each.reads]), 0, -1)
            prediction = predict(each.name, (match(each, state),))
            distance = (prediction.value - prediction.threshold) / prediction.half_gap
            margin = jnp.minimum(margin, smallest_margin(jnp.abs(distance), (-1,)))
            bits = jnp.moveaxis((distance > 0).astype(jnp.float32), -1, 0)
            start = 0
            for field, length in each.writes:
                after[field] = bits[start : start + length]
                start += length
        return after, margin

    return jax.lax.fori_loop(0, times, once, (fields, margin))


def match(templates: TemplateList, state: ArrayLike) -> jax.Array:
    """Which templates match a state: float32 [..., input bits] -> float32 [..., size], of 0 and 1."""
    weights, counts = templates.conditions()
    met = jnp.dot(state, weights, precision=jax.lax.Precision.HIGHEST)
    return (met == jnp.broadcast_to(counts, met.shape)).astype(jnp.float32)
