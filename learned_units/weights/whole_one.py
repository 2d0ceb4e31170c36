"""The one network of a whole machine, trained: how wide it must be is found out on states that machines reach.

Its inputs are too many to enumerate. As for units of large groups, an ensemble is accepted once z is at least
`ensembles.Z_FLOOR`: e = (prediction - limit mean) / (half gap at n) over reachable states with n >= 2, z the
smallest 1 / sqrt(mean e^2) over outputs. That describes one ensemble over inputs; it is an estimate and no proof.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.networks import predictor, whole_state
from learned_units.networks.predictor import NetworkParams
from learned_units.store import Progress
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import LARGEST_ERROR, Z_FLOOR, EnsembleManifest, Judge, Plan, Planned
from learned_units.weights.recipes import Recipe
from learned_units.whole import one_network
from learned_units.whole.one_network import OneNetwork
from learned_units.whole.state import Boundary

UNIT = "whole-one"  # in manifests
UNITS_TRIED = (4096, 6144, 8192, 12288, 16384, 24576, 32768)  # of the whole ensemble, both halves counted
MOST_TEMPLATES = 400  # n grows with the memory, and the width with n: more would not fit UNITS_TRIED
STATES = 65_536  # as many whole runs as fit
INSTRUCTIONS = 2  # from each start
BLOCK = 1024


def obtain(spec: OneNetwork, seed: int, progress: Progress | None) -> tuple[NetworkParams, EnsembleManifest]:
    """The parameters of one machine and their manifest.

    Raises ValueError for a machine too large to train, WeightsError if no acceptable weights can be had.
    """
    if spec.templates.size > MOST_TEMPLATES:
        raise ValueError(
            f"one network for {spec.cells} cells of {spec.word_bits} bits has {spec.templates.size:,} templates; it is "
            f"trained for up to {MOST_TEMPLATES} (8 cells of 4 bits): take the form grouped, or the unit ntk-limit"
        )
    tensors, manifest = recipes.obtain(recipe(spec, seed), progress)
    return plan(spec).params(tensors)["whole"], manifest


def describe(manifest: EnsembleManifest) -> str:
    """The weights in a few words, for summaries."""
    (report,) = manifest.networks.values()
    trained = f"{ensembles.sizes([manifest])} trained on {report.examples} templates"
    return f"one ensemble of {trained}, z = {manifest.verified.z:.1f} on sampled states"


def recipe(spec: OneNetwork, seed: int) -> Recipe[EnsembleManifest]:
    """The weights of one machine."""
    size = {"cells": spec.cells, "word_bits": spec.word_bits, "isa": spec.isa}
    return plan(spec).recipe(
        f"whole-one-{spec.cells}x{spec.word_bits}-{spec.isa}", {"unit": UNIT, **size, "seed": seed}
    )


def recipe_of(written: Mapping[str, Any]) -> Recipe[EnsembleManifest]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError or ValueError
    for a manifest that cannot be of a whole machine."""
    return recipe(OneNetwork(written["cells"], written["word_bits"], written["isa"]), written["seed"])


def plan(spec: OneNetwork) -> Plan:
    """The one network of a machine, judged on states that machines reach."""
    return Plan(
        f"the whole machine in one network, {spec.cells} cells of {spec.word_bits} bits, {spec.isa}",
        {"whole": Planned(spec.templates, UNITS_TRIED, functools.partial(_judge, spec))},
    )


def reached_states(spec: OneNetwork) -> np.ndarray:
    """Some STATES states that machines pass through, equally many of every iteration: float32 [states, state bits].

    Half of them from uniform memories, half from memories that are dense, sparse, or full of addresses, so that
    instructions work on themselves and on each other. The first pc is one of an instruction.
    """
    rng = np.random.default_rng(0)
    phases = spec.evaluations
    starts = STATES // (INSTRUCTIONS * phases)
    shape = (starts, spec.cells, spec.word_bits)
    density = np.where(np.arange(starts) % 2 == 0, 0.5, rng.random(starts))[:, None, None]
    memory = (rng.random(shape) < density).astype(np.float32)
    places = np.arange(spec.word_bits)
    addresses = (rng.integers(0, spec.cells, shape[:2])[..., None] >> places & 1).astype(np.float32)
    memory = np.where((np.arange(starts) % 4 == 1)[:, None, None], addresses, memory)
    pc = rng.integers(0, spec.cells - 2, starts)[:, None] >> places & 1
    params = predictor.closed_form(spec.templates)
    encode = jax.vmap(lambda words, counter: spec.encode(Boundary(words, counter, jnp.zeros(1))))
    following = jax.jit(jax.vmap(lambda state: one_network.iterate(spec.templates, params, state).state))
    states = encode(memory, pc.astype(np.float32))
    found = []
    for _ in range(INSTRUCTIONS * phases):
        found.append(np.asarray(states))
        states = following(states)
    return np.concatenate(found)


def _judge(spec: OneNetwork) -> Judge:
    """Accepts an ensemble by z and its largest error on STATES reachable states."""
    templates, states = spec.templates, reached_states(spec)
    closed = predictor.closed_form(templates)

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        trained = predictor.trained(templates, inner, outer)
        squares, largest, counted = np.zeros(templates.output_bits), 0.0, 0
        for start in range(0, len(states), BLOCK):
            error, number = (np.asarray(each) for each in _errors(trained, closed, states[start : start + BLOCK], spec))
            error = error[number >= 2].astype(np.float64)
            squares += (error**2).sum(0)
            largest = max(largest, float(np.abs(error).max(initial=0)))
            counted += len(error)
            progress(min(1.0, (start + BLOCK) / len(states)))
        z = float(1 / np.sqrt(squares.max() / counted))
        return z >= Z_FLOOR and largest < LARGEST_ERROR, {"z": z, "largest_error": largest, "inputs": counted}

    return judge


@functools.partial(jax.jit, static_argnums=3)
def _errors(trained: NetworkParams, closed: Any, states: jax.Array, spec: OneNetwork) -> tuple[jax.Array, jax.Array]:
    """Prediction minus limit in half gaps, float32 [states, state bits], and how many templates match."""

    def one(state: jax.Array) -> tuple[jax.Array, jax.Array]:
        matched = spec.templates.match(spec.templates.split(state))
        first, second = (predictor.predict(spec.templates, each, matched) for each in (trained, closed))
        return (first.value - second.value) / second.half_gap, whole_state.number_matched(matched)

    return jax.vmap(one)(states)
