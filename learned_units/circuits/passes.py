"""Passes: how template sets are wired to the fields of an algorithm, and how a schedule of them is run.

A *field* is a vector of bits with a name. A *pass* reads fields into the lines of one template set, applies its
network to every group of positions, and writes the thresholded outputs back to fields. An algorithm is a tuple
of passes. Wiring moves bits; it never combines them.

Every array may have further axes after those named here: a batch, which lies last so that one operation on a bit is
one operation on contiguous memory for the whole batch.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.templates import TemplateSet


@dataclass(frozen=True)
class Read:
    """A line that at position i is bit i - shift of a field; 0 outside the field."""

    field: str
    shift: int = 0


@dataclass(frozen=True)
class Spread:
    """A line that at every position is the same bit of a field."""

    field: str
    index: int


@dataclass(frozen=True)
class Pick:
    """A line that at position i is bits[i], a bit of some field (field, index), or 0; 0 after the last one."""

    bits: tuple[tuple[str, int] | None, ...]


Source = Read | Spread | Pick


@dataclass(frozen=True)
class Pass:
    """One network applied to all groups of `positions` positions.

    The group is the template set's own; a pooled set writes one bit a group.
    """

    network: str
    positions: int
    reads: tuple[tuple[str, Source], ...]  # (line, where from)
    writes: tuple[tuple[str, str], ...]  # (output, field)

    def groups(self, group: int) -> int:
        """Number of groups, which is the number of network evaluations."""
        return -(-self.positions // group)


class Prediction(NamedTuple):
    """What a network says before the threshold. The half gap is half the distance between 0 and 1 matched template.

    Shapes [groups, outputs, positions in the group], the half gap [groups, 1, 1]; a pooled set has one position.
    """

    value: jax.Array
    threshold: jax.Array
    half_gap: jax.Array


class Predictor(Protocol):
    """Predicts the outputs of a named network from its matched templates."""

    def __call__(self, network: str, matched: tuple[jax.Array, ...]) -> Prediction:
        """matched: for each family float32 [groups, group] of 0 and 1."""
        ...


class PassTrace(NamedTuple):
    """One evaluated pass, for margins and for explanations."""

    matched: tuple[jax.Array, ...]  # for each family float32 [groups, group] of 0 and 1
    prediction: Prediction
    bits: jax.Array  # bool, shape of prediction.value
    margin: jax.Array  # float32, shape of prediction.value


def matched_family(matched: tuple[jax.Array, ...]) -> jax.Array:
    """Which family matches at each position, -1 where none does: float arrays of 0 and 1 -> int32 of their shape.

    Where a line contradicts its neighbour, as only networks that are wrong bring about, several may: it is the last.
    """
    numbered = (each * np.float32(f + 1) for f, each in enumerate(matched))
    return functools.reduce(jnp.maximum, numbered).astype(jnp.int32) - 1


def read_line(fields: Mapping[str, jax.Array], source: Source, positions: int) -> jax.Array:
    """One line: float32 [positions]."""
    if isinstance(source, Pick):
        return _picked(fields, source, positions)
    field = fields[source.field]
    if isinstance(source, Spread):
        return jnp.broadcast_to(field[source.index], (positions, *field.shape[1:]))
    # Position i takes field[i - shift]: cut the ends that fall outside, pad what is missing with zeros.
    low, high = -source.shift, positions - source.shift
    inside = field[max(low, 0) : max(high, 0)]
    lead = min(max(-low, 0), positions)
    return jnp.pad(inside, ((lead, positions - lead - inside.shape[0]), *((0, 0) for _ in inside.shape[1:])))


def _picked(fields: Mapping[str, jax.Array], source: Pick, positions: int) -> jax.Array:
    used = list(dict.fromkeys(bit[0] for bit in source.bits if bit is not None))
    first = dict(zip(used, np.cumsum([1, *(fields[name].shape[0] for name in used)]).tolist(), strict=False))
    line = np.zeros(positions, np.int32)  # place 0 is the bit 0
    for position, bit in enumerate(source.bits[:positions]):
        if bit is not None:
            line[position] = first[bit[0]] + bit[1]
    batch = next(iter(fields.values())).shape[1:]
    return jnp.concatenate([jnp.zeros((1, *batch), jnp.float32), *(fields[name] for name in used)])[line]


def run_pass(
    step: Pass, template_set: TemplateSet | LiteralSet, fields: Mapping[str, jax.Array], predict: Predictor
) -> PassTrace:
    """Match, predict, threshold: everything one pass computes. Fields are float32 vectors of 0 and 1.

    Lines are read at all positions of all groups, also after the last one of the pass: what a line says there must
    fit what its neighbour says, as in every input that `TemplateSet.reachable_inputs` counts. The outputs there are no
    decisions: they are not written, and their margin is +inf.
    """
    groups = step.groups(template_set.group)
    positions = groups * template_set.group
    lines = {}
    for line, source in step.reads:
        values = read_line(fields, source, positions)
        lines[line] = values.reshape(groups, template_set.group, *values.shape[1:])
    matched = template_set.match(lines)
    prediction = predict(step.network, matched)
    # In half gaps. Dividing before the threshold decides keeps XLA from computing predictions again for every reader.
    distance = (prediction.value - prediction.threshold) / prediction.half_gap
    margin = jnp.abs(distance)
    if positions > step.positions and not template_set.pooled:
        written = np.arange(positions).reshape(groups, 1, template_set.group, *(1 for _ in margin.shape[3:]))
        margin = jnp.where(written < step.positions, margin, np.float32(np.inf))
    return PassTrace(matched, prediction, distance > 0, margin)


def written_fields(step: Pass, template_set: TemplateSet | LiteralSet, trace: PassTrace) -> dict[str, jax.Array]:
    """The fields a pass writes: float32 vectors, as long as its positions (or, pooled, its groups)."""
    length = trace.bits.shape[0] if template_set.pooled else step.positions
    outputs = dict(zip(template_set.outputs, np.arange(len(template_set.outputs)), strict=True))
    return {
        field: trace.bits[:, outputs[output]].reshape(-1, *trace.bits.shape[3:])[:length].astype(jnp.float32)
        for output, field in step.writes
    }


def run_schedule(
    schedule: tuple[Pass, ...],
    template_sets: Mapping[str, TemplateSet | LiteralSet],
    fields: Mapping[str, jax.Array],
    predict: Predictor,
) -> tuple[dict[str, jax.Array], list[PassTrace]]:
    """Run every pass in order. Returns all fields (unwritten ones persist) and the trace of each pass."""
    state = dict(fields)
    traces = []
    for step in schedule:
        template_set = template_sets[step.network]
        trace = run_pass(step, template_set, state, predict)
        state |= written_fields(step, template_set, trace)
        traces.append(trace)
    return state, traces
