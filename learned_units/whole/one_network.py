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
from learned_units.circuits.passes import Prediction
from learned_units.circuits.state_templates import StateTemplates
from learned_units.networks import kernel
from learned_units.whole.state import Boundary, Iteration, changes


class LimitParams(NamedTuple):
    """The closed form and its readout. All float32."""

    table: jax.Array  # [n, 2]: own and common, of `kernel.Coefficients`
    counts: jax.Array  # [state bits]: how many templates assert each bit (c)


class TrainedParams(NamedTuple):
    """A trained ensemble as the network of its mean, and its readout. All float32."""

    inner: jax.Array  # [templates, units]
    outer: jax.Array  # [units, state bits], all scale factors folded in
    table: jax.Array  # as in LimitParams
    counts: jax.Array


def limit_params(templates: StateTemplates) -> LimitParams:
    """The closed form of a network, for any number of matched templates."""
    form = kernel.coefficients(templates.size, templates.size)
    table = np.stack([form.own, form.common], axis=1).astype(np.float32)
    return LimitParams(*jax.device_put((table, templates.label_counts().astype(np.float32))))


def trained_params(templates: StateTemplates, inner: np.ndarray, outer: np.ndarray) -> TrainedParams:
    """Weights [templates, units] and [units, state bits] of a merged ensemble, ready to predict."""
    table, counts = limit_params(templates)
    return TrainedParams(jax.device_put(inner), jax.device_put(outer), table, counts)


def predict(
    templates: StateTemplates,
    params: LimitParams | TrainedParams,
    matched: tuple[jax.Array, ...],
    number: jax.Array,
) -> Prediction:
    """The network on one input, of which `number` templates are matched.

    Prediction and threshold are float32 [state bits], the half gap [].
    The limit: mean = own(n) m - common(n) c. The threshold lies half-way between m = 0 and m = 1: own(n) / 2 -
    common(n) c; the half gap is own(n) / 2.
    """
    own, common = params.table[number.astype(jnp.int32)]
    half_gap = own * np.float32(0.5)
    taken_off = common * params.counts
    if isinstance(params, LimitParams):
        value = own * templates.collect(matched) - taken_off
    else:
        flat = jnp.concatenate([each.reshape(-1) for each in matched])
        exact = jax.lax.Precision.HIGHEST
        active = jax.nn.relu(jnp.dot(flat, params.inner, precision=exact))
        # relu is positively homogeneous: the 1 / sqrt(n) of the input is applied to the output instead.
        value = jnp.dot(active, params.outer, precision=exact) * jax.lax.rsqrt(jnp.maximum(number, np.float32(1)))
    return Prediction(value, half_gap - taken_off, half_gap)


class Step(NamedTuple):
    """One iteration: the next state, the smallest margin of its bits, and how many templates were matched."""

    state: jax.Array  # float32 [state bits]
    margin: jax.Array  # float32 []
    matched: jax.Array  # float32 []


def iterate(templates: StateTemplates, params: LimitParams | TrainedParams, state: jax.Array) -> Step:
    """Encode, predict, threshold."""
    matched = templates.match(templates.split(state))
    number = sum((each.sum() for each in matched), jnp.float32(0))
    prediction = predict(templates, params, matched, number)
    distance = prediction.value - prediction.threshold
    margin = jnp.abs(distance).min() / prediction.half_gap
    return Step((distance > 0).astype(jnp.float32), margin, number)


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

    def instruction(self, params: LimitParams | TrainedParams, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One instruction: the state after it, and the smallest margin of its iterations."""

        def iteration(_, carry):
            state, smallest = carry
            step = iterate(self.templates, params, state)
            return step.state, jnp.minimum(smallest, step.margin)

        return jax.lax.fori_loop(0, self.evaluations, iteration, (state, jnp.float32(jnp.inf)))

    def explain(self, params: LimitParams | TrainedParams, state: jax.Array) -> list[Iteration]:
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
def _iterate(params: LimitParams | TrainedParams, state: jax.Array, *, spec: OneNetwork) -> Step:
    return iterate(spec.templates, params, state)
