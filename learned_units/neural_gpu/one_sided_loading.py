"""The weights `every-length` of the unit `neural-gpu`: a one-sided network, kept if it is proved for every length."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from learned_units import store
from learned_units.neural_gpu import every_length, making, one_sided, one_sided_training, tape
from learned_units.neural_gpu.every_length import NotProvedError
from learned_units.neural_gpu.one_sided import OneSided
from learned_units.neural_gpu.tape import Task
from learned_units.neural_gpu.unit import NeuralGpuSpec
from learned_units.store import Manifest, Progress, WeightsError, plain
from learned_units.unit import EVERY_INPUT, Scope, Unit
from learned_units.weights import recipes
from learned_units.weights.recipes import Fields, Made, Recipe, Report

NAME = "neural-gpu"
KIND = "every-length"
SEEDS_TRIED = 64
MARGIN_FLOOR = 0.25  # of a reached cell: far more than rounding can move a logit by

SCOPE = Scope(
    sentence=(
        "A gated recurrent network that looks to one side and has two-valued states, trained by gradient descent on "
        "operands of 1 to 20 bits and proved for operands of every length, predicts every bit of the difference and "
        "whether the branch is taken; one set of weights for each instruction set. Laying the operands out "
        "on the tape, the sign of a state, the threshold, and the choice between target and fall-through by the "
        "predicted bit are not learned."
    ),
    difference="learned",
    decision="learned",
    select="native",
    glue="tape layout, sign, threshold, choice of the next pc",
    step_kind="learned",
)


@dataclass(frozen=True, kw_only=True)
class EveryLengthManifest(Manifest):
    """The manifest of one network. Of its closed set: `every_length.Closed`."""

    task: str
    maps: int
    parameters: int  # weights, in all
    updates: int
    windows: int
    cells: int
    states: int


class OneSidedSpec(NeuralGpuSpec):
    """Width and instruction set. The parameters are a OneSided trained for the instruction set."""

    @property
    def task(self) -> Task:
        """What stands on the tape, and what is answered."""
        return tape.BRANCH_TASKS[self.isa]

    @staticmethod
    def run(params: OneSided, symbols: jax.Array) -> jax.Array:
        """`one_sided.run`."""
        return one_sided.run(params, symbols)


def load(word_bits: int, isa: str, seed: int, progress: Progress | None) -> Unit:
    """The unit. Raises WeightsError if there are no acceptable weights."""
    task = tape.BRANCH_TASKS[isa]
    tensors, manifest = recipes.obtain(recipe_for(task, seed), progress)
    detail = f"one one-sided network of {manifest.maps} two-valued maps, {EVERY_INPUT}"
    spec, trained = OneSidedSpec(word_bits, isa), as_network(task, tensors)
    return Unit(NAME, spec, trained, SCOPE, manifest.seed_used, detail, manifest.tensor_hash, manifest)


def recipe_of(written: Mapping[str, Any]) -> Recipe[EveryLengthManifest]:
    """The recipe of stored weights. Raises KeyError or TypeError for a manifest that cannot be of them."""
    tasks = {task.name: task for task in tape.BRANCH_TASKS.values()}
    return recipe_for(tasks[written["task"]], written["seed"])


def recipe_for(task: Task, seed: int) -> Recipe[EveryLengthManifest]:
    """The weights of one task."""
    isa = next((isa for isa, each in tape.BRANCH_TASKS.items() if each == task), None)
    return Recipe(
        EveryLengthManifest,
        f"{NAME}-{KIND}-{task.name}-seed{seed}",
        {"unit": NAME, "weights": KIND, "task": task.name, "seed": seed, "design": design()},
        functools.partial(_make, task, seed),
        functools.partial(_check, task),
        report,
        functools.partial(_prove, task),
        recipes.train_command(NAME, weights=KIND, isa=isa, seed=seed or None) if isa else None,
        MARGIN_FLOOR,
    )


def design() -> str:
    """A fingerprint of everything but task and seed that decides the weights and what is claimed of them."""
    whole = (one_sided.VERSION, one_sided_training.RECIPE, MARGIN_FLOOR)
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]


def as_network(task: Task, tensors: Mapping[str, np.ndarray]) -> OneSided:
    """Stored tensors as a network on the device. Raises WeightsError for one that is missing or misshapen."""
    store.check_shapes(tensors, one_sided.shapes(task.symbols, one_sided_training.MAPS))
    return OneSided(**jax.device_put(dict(tensors)))


def report(manifest: EveryLengthManifest) -> Report:
    """What is known of trained weights."""
    found = manifest.verified
    margin = f"{found.smallest_margin:.2f}"
    return Report(
        subject=f"{manifest.task}, every length",
        sizes=f"{manifest.maps} two-valued maps, {manifest.parameters:,} weights",
        verified=f"{found.kind}: {found.inputs:,} pairs of states, smallest margin {margin}",
        table=[
            ("network", "maps", "weights", "updates", "seeds tried", "windows", "states", "smallest margin"),
            (
                manifest.task,
                str(manifest.maps),
                f"{manifest.parameters:,}",
                f"{manifest.updates:,}",
                str(manifest.seed_used - manifest.seed + 1),
                f"{manifest.windows:,}",
                str(manifest.states),
                margin,
            ),
        ],
    )


def _make(task: Task, seed: int, progress: Progress) -> Made:
    """Train until a net is proved, seed after seed. Raises WeightsError if none is."""
    return making.make(
        one_sided_training,
        task,
        range(seed, seed + SEEDS_TRIED),
        lambda trained: _judged(task, trained, progress),
        f"a net for '{task.name}' that is proved",
        progress,
    )


def _prove(task: Task, tensors: Mapping[str, np.ndarray], manifest: EveryLengthManifest, progress: Progress) -> Fields:
    del manifest
    return _judged(task, as_network(task, tensors), progress)


def _judged(task: Task, trained: OneSided, progress: Progress) -> Fields:
    """What is known of a network, as it is written. Raises WeightsError for one that is not proved."""
    try:
        closed = every_length.prove(trained, task, progress)
    except NotProvedError as error:
        raise WeightsError(f"the network for '{task.name}' is not proved: {error}") from None
    if not closed.smallest_margin >= MARGIN_FLOOR:
        raise WeightsError(f"the network for '{task.name}' is not acceptable here: {closed}")
    return {
        "windows": closed.windows,
        "cells": closed.cells,
        "states": closed.states,
        "verified": {
            "kind": f"every length, by a closed set of {closed.windows:,} windows",
            "inputs": closed.pairs,
            "smallest_margin": closed.smallest_margin,
        },
    }


def _check(task: Task, tensors: Mapping[str, np.ndarray], manifest: EveryLengthManifest) -> None:
    as_network(task, tensors)
    found = manifest.verified
    if found.inputs is None or found.smallest_margin is None or not found.smallest_margin >= MARGIN_FLOOR:
        raise WeightsError(f"the manifest claims too little: {plain(found)}")
