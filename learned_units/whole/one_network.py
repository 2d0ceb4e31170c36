"""The whole machine as one network, iterated: state <- network(encode(state)) > threshold.

The encoder matches the templates of `circuits/machine_one.py`; the network predicts every bit of the next state, by the
closed form or by trained weights; the threshold is the calibrated readout. All three run over the whole state at
every iteration, whatever the phase.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits import machine_one
from learned_units.circuits.state_templates import StateTemplates
from learned_units.networks import named_fields, predictor
from learned_units.networks.predictor import NetworkParams
from learned_units.unit import smallest_margin
from learned_units.whole.state import Boundary, Iteration, changes


class Step(NamedTuple):
    """One iteration: the next state, the smallest margin of its bits, and how many templates were matched."""

    state: jax.Array  # float32 [state bits]
    margin: jax.Array  # float32 []
    matched: jax.Array  # float32 []


def iterate(templates: StateTemplates, params: NetworkParams, state: jax.Array) -> Step:
    """Encode, predict, threshold."""
    matched = templates.match(templates.split(state))
    prediction = predictor.predict(templates, params, matched)
    distance = prediction.value - prediction.threshold
    margin = smallest_margin(jnp.abs(distance)) / prediction.half_gap
    return Step((distance > 0).astype(jnp.float32), margin, named_fields.number_matched(matched))


@dataclass(frozen=True)
class OneNetwork:
    """One network for a machine of `cells` words; trained or limit is told by the parameters it is given."""

    cells: int
    word_bits: int
    isa: str
    form: str = "one"

    @property
    def templates(self) -> StateTemplates:
        return machine_one.templates(self.cells, self.word_bits, self.isa)

    @property
    def evaluations(self) -> int:
        """Network evaluations of an instruction: one an iteration."""
        return len(machine_one.phases(self.word_bits))

    def encode(self, boundary: Boundary) -> jax.Array:
        """The state between two instructions: float32 [state bits]."""
        phase = np.eye(self.evaluations, dtype=np.float32)[0]
        return self.templates.join({"phase": phase, **boundary._asdict()})

    def decode(self, state: jax.Array) -> Boundary:
        """Memory, pc and fault of a state between two instructions."""
        fields = self.templates.split(state)
        return Boundary(fields["memory"], fields["pc"], fields["fault"])

    def instruction(self, params: NetworkParams, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One instruction: the state after it, and the smallest margin of its iterations."""

        def iteration(_, carry):
            state, smallest = carry
            step = iterate(self.templates, params, state)
            return step.state, jnp.minimum(smallest, step.margin)

        return jax.lax.fori_loop(0, self.evaluations, iteration, (state, jnp.float32(jnp.inf)))

    def explain(self, params: NetworkParams, state: jax.Array) -> list[Iteration]:
        """The iterations of one instruction, by the code that `instruction` runs."""
        found = []
        for name in machine_one.phases(self.word_bits):
            step = _iterate(params, state, spec=self)
            before, after = (self.templates.split(np.asarray(each) > 0) for each in (state, step.state))
            written = changes(before, after, self.word_bits)
            found.append(Iteration(name, "whole", 1, int(step.matched), float(step.margin), written))
            state = step.state
        return found


@functools.partial(jax.jit, static_argnames=("spec",))
def _iterate(params: NetworkParams, state: jax.Array, *, spec: OneNetwork) -> Step:
    return iterate(spec.templates, params, state)
