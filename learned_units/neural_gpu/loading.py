"""The Neural GPU's weights by task, the unit they make, and what is learned in it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from learned_units import store
from learned_units.neural_gpu import acceptance, making, network, one_sided_loading, operands, tape, training
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.tape import Task
from learned_units.neural_gpu.unit import NeuralGpuSpec
from learned_units.store import Manifest, Progress, WeightsError, plain
from learned_units.unit import Scope, Unit
from learned_units.weights import recipes
from learned_units.weights.recipes import Fields, Made, Recipe, Report

NAME = "neural-gpu"
SAMPLED = "sampled"  # the weights of this module, as `weights`
SEEDS_TRIED = 8

SCOPE = Scope(
    sentence=(
        "A convolutional gated recurrent network, trained by gradient descent on operands of 1 to 20 bits and used at "
        "any width, predicts every bit of the difference, the borrow and whether the branch is taken; one set of "
        "weights for each instruction set. That it is right on all longer words is tested, not proved. Laying the "
        "operands out on the tape, the threshold, and the choice between target and fall-through by the predicted "
        "bit are not learned."
    ),
    difference="learned",
    decision="learned",
    select="native",
    glue="tape layout, threshold, choice of the next pc",
    step_kind="learned",
)


@dataclass(frozen=True, kw_only=True)
class NeuralGpuManifest(Manifest):
    """The manifest of one network."""

    task: str
    maps: int
    parameters: int  # weights, in all
    updates: int


def load(word_bits: int, isa: str, seed: int, progress: Progress | None, weights: str | None = None) -> Unit:
    """The unit. Raises ValueError for unknown weights, WeightsError if there are no acceptable ones."""
    if _proved(weights):
        return one_sided_loading.load(word_bits, isa, seed, progress)
    task = tape.UNIT_TASKS[isa]
    trained, manifest = obtain(task, seed, progress)
    detail = f"one network of {trained.gate_kernel.shape[0]} maps trained on words of up to {training.LONGEST} bits"
    spec, known = NeuralGpuSpec(word_bits, isa), manifest.tensor_hash
    return Unit(NAME, spec, trained, SCOPE, manifest.seed_used, detail, known, manifest)


def obtain(task: Task, seed: int, progress: Progress | None) -> tuple[Network, NeuralGpuManifest]:
    """The accepted network of a task and its manifest, trained on first use. Raises WeightsError."""
    tensors, manifest = recipes.obtain(recipe_for(task, seed), progress)
    return as_network(task, tensors), manifest


def recipe(word_bits: int, isa: str, seed: int, weights: str | None = None) -> Recipe[Any]:
    """The weights of the unit: one set for every width. All pairs of short words are accepted by their margins.

    Raises ValueError for unknown weights.
    """
    if _proved(weights):
        return one_sided_loading.recipe_for(tape.BRANCH_TASKS[isa], seed)
    floor = acceptance.MARGIN_FLOOR if word_bits <= acceptance.EXHAUSTIVE else None
    return recipe_for(tape.UNIT_TASKS[isa], seed, floor)


def recipe_of(written: Mapping[str, Any]) -> Recipe[Any]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError or TypeError for a
    manifest that cannot be of this unit."""
    if _proved(written.get("weights")):
        return one_sided_loading.recipe_of(written)
    return recipe_for(tape.TASKS[written["task"]], written["seed"])


def _proved(weights: str | None) -> bool:
    """Whether weights are those that are proved for every length. Raises ValueError for unknown ones."""
    if weights not in (None, SAMPLED, one_sided_loading.KIND):
        raise ValueError(f"unknown weights '{weights}' (weights: {SAMPLED}, {one_sided_loading.KIND})")
    return weights == one_sided_loading.KIND


def recipe_for(task: Task, seed: int, floor: float | None = None) -> Recipe[NeuralGpuManifest]:
    """The weights of one task."""
    isa = next((isa for isa, each in tape.UNIT_TASKS.items() if each == task), None)
    return Recipe(
        NeuralGpuManifest,
        f"{NAME}-{task.name}-seed{seed}",
        {"unit": NAME, "task": task.name, "seed": seed, "design": design()},
        functools.partial(_make, task, seed),
        functools.partial(_check, task),
        report,
        functools.partial(_prove, task),
        recipes.train_command(NAME, isa=isa, seed=seed or None) if isa else None,
        floor,
    )


def design() -> str:
    """A fingerprint of everything but task and seed that decides the weights and what is claimed of them."""
    whole = (network.VERSION, training.RECIPE, operands.TRAINING_MIX, acceptance.RECIPE, network.NEIGHBOURS)
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]


def as_network(task: Task, tensors: Mapping[str, np.ndarray]) -> Network:
    """Stored tensors as a network on the device. Raises WeightsError for one that is missing or misshapen."""
    store.check_shapes(tensors, network.shapes(task.symbols, training.MAPS))
    return Network(**jax.device_put(dict(tensors)))


def report(manifest: NeuralGpuManifest) -> Report:
    """What is known of trained weights."""
    found = manifest.verified
    cases, margin = f"{found.cases:,}", f"{found.smallest_margin:.2f}"
    return Report(
        subject=f"{manifest.task}, any word width",
        sizes=f"{manifest.maps} maps, {manifest.parameters:,} weights",
        verified=f"{found.kind}: {cases} cases, smallest margin {margin}",
        table=[
            ("network", "maps", "weights", "updates", "seeds tried", "cases checked", "smallest margin"),
            (
                manifest.task,
                str(manifest.maps),
                f"{manifest.parameters:,}",
                f"{manifest.updates:,}",
                str(manifest.seed_used - manifest.seed + 1),
                cases,
                margin,
            ),
        ],
    )


def _make(task: Task, seed: int, progress: Progress) -> Made:
    """Train until a net is accepted, seed after seed. Raises WeightsError if none is."""
    return making.make(
        training,
        task,
        range(seed, seed + SEEDS_TRIED),
        lambda trained: _judged(task, trained, progress),
        f"an acceptable net for '{task.name}'",
        progress,
    )


def _prove(task: Task, tensors: Mapping[str, np.ndarray], manifest: NeuralGpuManifest, progress: Progress) -> Fields:
    del manifest
    return _judged(task, as_network(task, tensors), progress)


def _judged(task: Task, trained: Network, progress: Progress) -> Fields:
    """What is known of a network, as it is written. Raises WeightsError for one that is not accepted."""
    found = acceptance.examine(trained, task, progress)
    if not acceptance.accepted(found):
        raise WeightsError(f"the network for '{task.name}' is not acceptable here: {found}")
    return {
        "verified": {
            "kind": f"every pair of up to {acceptance.EXHAUSTIVE} bits, adversarial and uniform pairs of "
            + " and ".join(map(str, acceptance.SAMPLED)),
            "cases": found.cases,
            "smallest_margin": found.smallest_margin,
        }
    }


def _check(task: Task, tensors: Mapping[str, np.ndarray], manifest: NeuralGpuManifest) -> None:
    as_network(task, tensors)
    found = manifest.verified
    if found.cases is None or found.smallest_margin is None or not found.smallest_margin >= acceptance.MARGIN_FLOOR:
        raise WeightsError(f"the manifest claims too little: {plain(found)}")
