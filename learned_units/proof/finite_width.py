"""How far a trained ensemble is from its limit, on inputs its unit really receives: z and the largest error.

For one network, e = (prediction - limit mean) / (half gap at n) over reachable states with n >= 2, half from uniform
operands and half from adversarial ones. z is the smallest 1 / sqrt(mean e^2) over outputs: it counts bias, and says how
many standard errors the threshold is away. It describes one trained network over inputs; it is an estimate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from learned_units import bits, devices
from learned_units.circuits.passes import Prediction, matched_family, run_schedule
from learned_units.circuits.subtract_branch import input_fields, schedule, template_sets
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor
from learned_units.proof import enumeration, operands

STATES = 65_536
BLOCK = 2048


class FiniteWidth(NamedTuple):
    """z of each output, the largest |e| seen, and how many states they were measured on."""

    z_of_output: tuple[float, ...]  # as the network's outputs are ordered; +inf where it is exact
    largest_error: float
    states: int

    @property
    def z(self) -> float:
        """That of the worst output."""
        return min(self.z_of_output)


def measure(
    template_set: TemplateSet,
    params: Any,
    word_bits: int,
    group: int,
    *,
    progress: Callable[[float], None] | None = None,
) -> FiniteWidth:
    """Compare a trained ensemble with the limit on STATES reachable states of its network in a unit of this form."""
    exact = predictor.closed_form(template_set)
    inputs = _reached(word_bits, group)[template_set.name]
    states = inputs[np.linspace(0, len(inputs) - 1, STATES).astype(int)]
    squares = np.zeros(template_set.output_bits)
    largest, counted = 0.0, 0
    done = 0
    for (block, trained), (_, closed) in zip(
        *(
            devices.in_blocks(enumeration.predict_inputs, each, states, BLOCK, template_set=template_set)
            for each in (params, exact)
        ),
        strict=True,
    ):
        error = np.asarray((trained.value - closed.value) / closed.half_gap, np.float64)
        error = error[(block >= 0).sum(1) >= 2]
        squares += (error**2).sum(0)
        largest = max(largest, float(np.abs(error).max(initial=0)))
        counted += len(error)
        done += len(block)
        if progress is not None:
            progress(done / len(states))
    roots = np.sqrt(squares / max(counted, 1))
    return FiniteWidth(tuple(float(1 / root) if root > 0 else float("inf") for root in roots), largest, counted)


@functools.cache
def _reached(word_bits: int, group: int) -> dict[str, np.ndarray]:
    """The inputs of every network over STATES cases, by network: int8 [states, group]."""
    rng = np.random.default_rng(0)
    cases = [operands.uniform(rng, STATES // 2, word_bits), operands.adversarial(rng, STATES // 2, word_bits)]
    words = [np.concatenate(column) for column in zip(*cases, strict=True)]
    limbs = [bits.words_to_limbs(column, word_bits) for column in words]
    sets = template_sets(group)
    steps = schedule(word_bits, "subleq", group)  # its passes contain those of sbn
    closed = {name: predictor.closed_form(each) for name, each in sets.items()}

    @jax.jit
    def matches(*words: jax.Array) -> list[jax.Array]:
        def predict(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
            return predictor.predict(sets[network], closed[network], matched)

        def one(a: jax.Array, b: jax.Array, c: jax.Array, f: jax.Array) -> list[jax.Array]:
            _, traces = run_schedule(steps, sets, input_fields(a, b, c, f, word_bits), predict)
            return [matched_family(trace.matched) for trace in traces]

        return jax.vmap(one)(*words)

    found: dict[str, list[np.ndarray]] = {name: [] for name in sets}
    for start in range(0, STATES, BLOCK):
        for step, index in zip(steps, matches(*(column[start : start + BLOCK] for column in limbs)), strict=True):
            found[step.network].append(np.asarray(index).reshape(-1, sets[step.network].group))
    return {name: np.concatenate(parts) for name, parts in found.items()}
