"""The smallest margin that a search finds, for networks that receive too many inputs to enumerate.

Samples flatter: of inputs that come of uniform words hardly any is near the smallest margin. So a greedy descent looks
for it over the operands' bits. From many starts at once, half uniform and half adversarial, it tries every change of
both operands at two adjacent positions (for `select`, of one bit of any word) and goes to the best, until no start gets
lower. What it finds is an upper bound of the smallest margin, and no proof.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits, devices
from learned_units.circuits.passes import PassTrace
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor
from learned_units.proof import operands
from learned_units.units.ntk import NtkSpec

STARTS = 1024  # of which 64 found the exact minimum of some networks only
SEED = 0
BLOCK = 512  # cases a device runs at once, however few are left: compiling another size takes longer


class Found(NamedTuple):
    """The end of a search of one network."""

    smallest_margin: float  # signed, in half gaps: below 0 where a decision is wrong
    words: tuple[int, int, int, int]  # minuend, subtrahend, target and fall-through that show it
    evaluations: int  # instructions run


def smallest_margin(
    spec: NtkSpec,
    params: Mapping[str, Any],
    network: str,
    *,
    starts: int = STARTS,
    seed: int = SEED,
    progress: Callable[[float], None] | None = None,
) -> Found:
    """Search one network of a unit; the others are taken to be right, in their limit.

    progress: called after each step with the smallest margin so far. Raises ValueError for a network that the unit's
    instruction does not use.
    """
    if network not in {step.network for step in spec.schedule}:
        raise ValueError(f"no pass of this instruction set uses the network '{network}'")
    mixed = {name: predictor.closed_form(each) for name, each in spec.sets.items()} | {network: params[network]}
    rng = np.random.default_rng(seed)
    halves = (
        operands.uniform(rng, starts - starts // 2, spec.word_bits),
        operands.adversarial(rng, starts // 2, spec.word_bits),
    )
    at = np.stack([np.concatenate(column) for column in zip(*halves, strict=True)], axis=1)  # [starts, 4]
    moves = _moves(spec.word_bits, network)
    lowest = _evaluate(spec, mixed, network, at)
    evaluations = len(at)
    falling = np.arange(starts)
    while len(falling):
        tried = at[falling, None] ^ moves[None]
        found = _evaluate(spec, mixed, network, tried.reshape(-1, 4)).reshape(len(falling), len(moves))
        evaluations += found.size
        best = found.argmin(1)
        rows = np.arange(len(falling))
        better = found[rows, best] < lowest[falling]
        rows, falling = rows[better], falling[better]
        at[falling], lowest[falling] = tried[rows, best[better]], found[rows, best[better]]
        if progress is not None:
            progress(float(lowest.min()))
    minuend, subtrahend, target, fall_through = at[lowest.argmin()].tolist()
    return Found(float(lowest.min()), (minuend, subtrahend, target, fall_through), evaluations)


def _moves(word_bits: int, network: str) -> np.ndarray:
    """What is changed in the four words by one step: uint64 [moves, 4]."""
    if network == "select":
        return np.kron(np.eye(4, dtype=np.uint64), np.uint64(1) << np.arange(word_bits, dtype=np.uint64)[:, None])
    mask = (1 << word_bits) - 1
    changes = itertools.product(range(word_bits), range(1, 4), range(4), range(4))
    operands_changed = {((a << place) & mask, (b << place) & mask) for place, a, b, _ in changes}
    operands_changed |= {(b, a) for a, b in operands_changed}
    return np.array([(a, b, 0, 0) for a, b in sorted(operands_changed)], np.uint64)


def _evaluate(spec: NtkSpec, params: Mapping[str, Any], network: str, words: np.ndarray) -> np.ndarray:
    """The smallest signed margin of one network in each case, a NaN as the smallest: words uint64 [cases, 4]."""
    limbs = bits.words_to_limbs(words, spec.word_bits)
    found = devices.in_blocks(_margins, params, limbs, BLOCK, spec=spec, network=network)
    return np.concatenate([margin for _, margin in found])


def _margins(params: Mapping[str, Any], cases: jax.Array, *, spec: NtkSpec, network: str) -> jax.Array:
    """uint32 [cases, 4, limbs] -> float32 [cases]."""
    words = (jnp.moveaxis(cases[:, word], 0, -1) for word in range(4))
    _, traces = spec._run(params, *words)
    told = [
        _signed(spec.sets[network], trace)
        for step, trace in zip(spec.schedule, traces, strict=True)
        if step.network == network
    ]
    return functools.reduce(jnp.minimum, told)


def _signed(template_set: TemplateSet, trace: PassTrace) -> jax.Array:
    """The smallest margin of one pass in each case, negative where an output is not what the templates specify.

    A NaN is the smallest of all, which is said before the minimum: XLA's own on a CPU may drop a NaN.
    """
    asserted = jnp.einsum("fgp...,fo->gop...", jnp.stack(trace.matched), template_set.assertions()) > 0
    if template_set.pooled:
        asserted = asserted.any(2, keepdims=True)
    signed = jnp.where(trace.bits == asserted, trace.margin, -trace.margin)
    return jnp.where(jnp.isnan(signed), -jnp.float32(jnp.inf), signed).min((0, 1, 2))
