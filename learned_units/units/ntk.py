"""The NTK units: subtract and branch through the passes of the task, each predicted by an ensemble or by its limit."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import custom_batching

from learned_units import bits
from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import PassTrace, Prediction, run_schedule
from learned_units.networks import ensemble, limit, predictor
from learned_units.unit import Decision, StepResult

Params = Mapping[str, ensemble.EnsembleParams] | Mapping[str, limit.LimitParams]


@functools.cache
def _template_sets(group: int):
    return subtract_branch.template_sets(group)


@dataclass(frozen=True)
class NtkSpec:
    """Width, instruction set and group; trained or limit is told by the parameters it is given."""

    word_bits: int
    isa: str
    group: int

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes: groups, over all passes."""
        sets = _template_sets(self.group)
        steps = subtract_branch.schedule(self.word_bits, self.isa, self.group)
        return sum(step.groups(sets[step.network].group) for step in steps)

    def evaluate(
        self, params: Params, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult. The margin is the smallest over every output of every pass."""
        return _evaluator(self)(params, minuend, subtrahend, target, fall_through)

    def explain(
        self, params: Params, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """Every output of every pass, in order, from the same code as `evaluate`."""
        traces = _trace(params, minuend, subtrahend, target, fall_through, spec=self)
        sets = _template_sets(self.group)
        decisions = []
        for stage, (step, trace) in enumerate(
            zip(subtract_branch.schedule(self.word_bits, self.isa, self.group), traces, strict=True)
        ):
            template_set = sets[step.network]
            number = np.stack(trace.matched).sum((0, 2))
            value, threshold, margin = np.broadcast_arrays(
                trace.prediction.value, trace.prediction.threshold, trace.margin
            )
            for o, output in enumerate(template_set.outputs):
                for g in range(value.shape[0]):
                    for p in range(value.shape[2]):
                        bit = g if template_set.pooled else g * template_set.group + p
                        if not template_set.pooled and bit >= step.positions:
                            continue
                        decisions.append(
                            Decision(
                                stage,
                                step.network,
                                output,
                                bit,
                                int(number[g]),
                                float(value[g, o, p]),
                                float(threshold[g, o, p]),
                                int(trace.bits[g, o, p]),
                                float(margin[g, o, p]),
                            )
                        )
        return decisions

    def _decide(self, params: Params, *words: jax.Array) -> StepResult:
        """Words uint32 [limbs, ...] -> StepResult of arrays with the same further axes."""
        fields, traces = self._run(params, *words)
        margins = [trace.margin.min((0, 1, 2)) for trace in traces]
        return StepResult(
            bits.bits_to_limbs(fields["d"] > 0, self.word_bits),
            bits.bits_to_limbs(fields["pc"] > 0, self.word_bits),
            functools.reduce(jnp.minimum, margins),
        )

    def _run(self, params: Params, minuend, subtrahend, target, fall_through) -> tuple[dict, list[PassTrace]]:
        sets = _template_sets(self.group)

        def predict(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
            return predictor.predict(sets[network], params[network], matched)

        fields = subtract_branch.input_fields(minuend, subtrahend, target, fall_through, self.word_bits)
        steps = subtract_branch.schedule(self.word_bits, self.isa, self.group)
        return run_schedule(steps, sets, fields, predict)


@functools.cache
def _evaluator(spec: NtkSpec):
    """What `spec.evaluate` runs. Under vmap the batch becomes the last axis of every array (see `passes`)."""

    @custom_batching.custom_vmap
    def evaluate(params: Params, *words: jax.Array) -> StepResult:
        return spec._decide(params, *words)

    @evaluate.def_vmap
    def evaluate_batch(axis_size: int, in_batched: Any, params: Params, *words: jax.Array):
        weights_batched, *words_batched = in_batched
        if any(jax.tree.leaves(weights_batched)):
            raise ValueError("one set of weights serves a batch")
        last = [
            jnp.moveaxis(word, 0, -1) if batched else jnp.broadcast_to(word[:, None], (len(word), axis_size))
            for word, batched in zip(words, words_batched, strict=True)
        ]
        result = spec._decide(params, *last)
        return jax.tree.map(lambda each: jnp.moveaxis(each, -1, 0), result), jax.tree.map(lambda _: True, result)

    return evaluate


@functools.partial(jax.jit, static_argnames=("spec",))
def _trace(params: Params, minuend, subtrahend, target, fall_through, *, spec: NtkSpec) -> list[PassTrace]:
    return spec._run(params, minuend, subtrahend, target, fall_through)[1]
