"""The whole machine as small networks, grouped: their passes run one after the other, over memory, pc and fault."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits import machine_grouped
from learned_units.circuits.passes import PassTrace, Prediction, run_pass, written_fields
from learned_units.networks import predictor
from learned_units.unit import smallest_margin
from learned_units.whole.state import Boundary, Iteration, changes


def limit_params() -> dict[str, Any]:
    """The closed form of the seven networks."""
    return {name: predictor.closed_form(each) for name, each in machine_grouped.template_sets().items()}


def predict(params: Mapping[str, Any], network: str, matched: tuple[jax.Array, ...]) -> Prediction:
    """A network on many groups."""
    return predictor.predict(machine_grouped.template_sets()[network], params[network], matched)


class Evaluated(NamedTuple):
    """One pass that was run, and the fields it wrote."""

    trace: PassTrace
    written: dict[str, jax.Array]


@dataclass(frozen=True)
class Grouped:
    """A machine of `cells` words by seven networks; trained or limit is told by the parameters it is given."""

    cells: int
    word_bits: int
    isa: str
    form: str = "grouped"

    @property
    def evaluations(self) -> int:
        """Network evaluations of an instruction: groups, over all passes."""
        sets = machine_grouped.template_sets()
        steps = machine_grouped.schedule(self.cells, self.word_bits, self.isa)
        return sum(step.groups(sets[step.network].group) for _, step in steps)

    def encode(self, boundary: Boundary) -> jax.Array:
        """The state between two instructions: memory, pc and fault, float32 [cells * word_bits + word_bits + 1]."""
        return jnp.concatenate([jnp.asarray(each, jnp.float32).reshape(-1) for each in boundary])

    def decode(self, state: jax.Array) -> Boundary:
        """Memory, pc and fault of a state."""
        words = state[:-1].reshape(self.cells + 1, self.word_bits)
        return Boundary(words[:-1], words[-1], state[-1:])

    def instruction(self, params: Mapping[str, Any], state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One instruction: the state after it, and the smallest margin of its passes."""
        fields = self._fields(state)
        passes = self.run(params, fields)
        for each in passes:
            fields |= each.written
        margins = [smallest_margin(each.trace.margin) for each in passes]
        following = self.encode(Boundary(fields["memory"], fields["pc"], fields["fault"]))
        return following, functools.reduce(jnp.minimum, margins)

    def explain(self, params: Mapping[str, Any], state: jax.Array) -> list[Iteration]:
        """The passes of one instruction, by the code that `instruction` runs."""
        sets = machine_grouped.template_sets()
        fields = self._fields(state)
        found = []
        steps = machine_grouped.schedule(self.cells, self.word_bits, self.isa)
        for (name, step), (trace, written) in zip(steps, _run(params, fields, spec=self), strict=True):
            after = {field: self._shaped(field, bits) for field, bits in written.items()}
            before = {
                field: self._shaped(field, fields[field]) if field in fields else np.zeros_like(bits)
                for field, bits in after.items()
            }
            matched = int(sum(float(each.sum()) for each in trace.matched))
            evaluations = step.groups(sets[step.network].group)
            margin = float(smallest_margin(trace.margin))
            changed = changes(before, after, self.word_bits)
            found.append(Iteration(name, step.network, evaluations, matched, margin, changed))
            fields |= written
        return found

    def run(self, params: Mapping[str, Any], fields: Mapping[str, jax.Array]) -> list[Evaluated]:
        """Every pass of one instruction, in order."""
        state, found = dict(fields), []
        for _, step in machine_grouped.schedule(self.cells, self.word_bits, self.isa):
            template_set = machine_grouped.template_sets()[step.network]
            trace = run_pass(step, template_set, state, functools.partial(predict, params))
            found.append(Evaluated(trace, written_fields(step, template_set, trace)))
            state |= found[-1].written
        return found

    def _fields(self, state: jax.Array) -> dict[str, jax.Array]:
        """What the passes start from: the state, and constants."""
        boundary = self.decode(state)
        bits = np.arange(self.word_bits)
        three = (machine_grouped.CONSTANTS["minus three"] >> np.minimum(bits, 8) & 1).astype(np.float32)
        return {
            "memory": boundary.memory.reshape(-1),
            "pc": boundary.pc,
            "fault": boundary.fault,
            "one": jnp.ones(1, jnp.float32),
            "minus three": jnp.asarray(three),
        }

    def _shaped(self, field: str, bits: jax.Array) -> np.ndarray:
        found = np.asarray(bits) > 0
        return found.reshape(self.cells, self.word_bits) if field == "memory" else found


@functools.partial(jax.jit, static_argnames=("spec",))
def _run(params: Mapping[str, Any], fields: dict[str, jax.Array], *, spec: Grouped) -> list[Evaluated]:
    return spec.run(params, fields)
