"""The trained networks of the tasks: which are shared, how the others are made, accepted and cached.

The grouped designs use the networks of the unit `ntk` where the templates are the same, and two of their own, which are
enumerated like those. Template lists are trained for one task and number of bits (and one permutation), and judged
on the states that runs of the task reach: on all of them where the operands are few enough to run all.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from learned_units.circuits import addition, multiplication
from learned_units.circuits.state_templates import TemplateList
from learned_units.circuits.tasks import GROUP, Task
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor
from learned_units.proof.reached import reached
from learned_units.store import Progress
from learned_units.units import ntk
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import EnsembleManifest, Judge, Plan, Planned
from learned_units.weights.recipes import Recipe

UNIT = "tasks"  # in manifests
SHARED = ("first", "prefix", "difference", "select", "any")  # networks of the unit `ntk`
BLOCK = 2048
_predict = jax.jit(predictor.predict, static_argnums=0)
MOST_TRAINED_BITS = {"permute": 64, "add": 32, "multiply": 8}  # of the paper's designs: beyond, networks get very wide


def obtain(task: Task, seed: int, progress: Progress | None) -> tuple[dict[str, Any], str]:
    """The parameters of a task's networks and a few words on them.

    Raises ValueError for a design that is not trained, WeightsError if there are no acceptable weights.
    """
    networks = task.algorithm.networks
    most = MOST_TRAINED_BITS.get(task.name, 0)
    if task.form == "paper" and task.bits > most:
        raise ValueError(
            f"the paper's design of '{task.name}' is trained for up to {most} bits, not {task.bits}; "
            "the grouped design and the unit ntk-limit go further"
        )
    params: dict[str, Any] = {}
    manifests: list[EnsembleManifest] = []
    if any(each.name in SHARED for each in networks):
        tensors, manifest = recipes.obtain(ntk.recipe(16, "sbn", seed), progress)
        params |= ntk.plan(GROUP, 16).params(tensors)
        manifests.append(manifest)
    plans = {None: any(each.name in own_sets() for each in networks), task: bool(_lists(task))}
    for each in (each for each, needed in plans.items() if needed):
        tensors, manifest = recipes.obtain(recipe(each, seed), progress)
        params |= plan(each).params(tensors)
        manifests.append(manifest)
    return {each.name: params[each.name] for each in networks}, ensembles.describe(*manifests)


def own_sets() -> dict[str, TemplateSet]:
    """The template sets of the grouped designs that the unit `ntk` does not have."""
    return {each.name: each for each in (addition.first(GROUP), multiplication.full_adder())}


def _lists(task: Task) -> list[TemplateList]:
    return [each for each in task.algorithm.networks if isinstance(each, TemplateList)]


def plan(task: Task | None) -> Plan:
    """The networks of a design's template lists, or, for None, of `own_sets`."""
    if task is None:
        return Plan(
            "addition and multiplication in groups, any number of bits",
            {name: ensembles.every_input(each) for name, each in own_sets().items()},
        )
    return Plan(
        f"{task.name}, the {task.form} task, {task.bits} bits",
        {
            each.name: Planned(each, ensembles.WORD_UNITS, functools.partial(_judge_reached, task, each))
            for each in _lists(task)
        },
    )


def recipe(task: Task | None, seed: int) -> Recipe[EnsembleManifest]:
    """The weights of `plan`."""
    if task is None:
        expected = {"unit": UNIT, "seed": seed, "task": "arithmetic", "group": GROUP}
        return plan(None).recipe(f"tasks-arithmetic-g{GROUP}", expected)
    expected = {"unit": UNIT, "seed": seed, "task": task.name, "form": task.form, "bits": task.bits}
    places = f"-{hashlib.sha256(repr(task.places).encode()).hexdigest()[:8]}" if task.places else ""
    file = f"tasks-{task.name}-{task.form}-{task.bits}{places}"
    return plan(task).recipe(file, {**expected, "places": list(task.places)})


def recipe_of(written: Mapping[str, Any]) -> Recipe[EnsembleManifest]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError, ValueError
    for a manifest that cannot be of a task."""
    if written["task"] == "arithmetic":
        return recipe(None, written["seed"])
    places = tuple(written["places"])
    return recipe(Task(written["task"], written["form"], written["bits"], places), written["seed"])


def _judge_reached(task: Task, network: TemplateList) -> Judge:
    """Accepts an ensemble by its margins on the states its task reaches and, if those are a sample, by z as well."""
    matched, every = reached(task.algorithm, network)

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = predictor.trained(network, inner, outer)
        found = measure(network, params, matched, progress, floor=ensembles.MARGIN_FLOOR)
        z = found.pop("z")
        accepted = found["smallest_margin"] >= ensembles.MARGIN_FLOOR
        return (accepted, found) if every else (accepted and z >= ensembles.Z_FLOOR, found | {"z": z})

    return judge


def measure(
    network: TemplateList,
    params: Any,
    matched: np.ndarray,
    progress: Callable[[float], None],
    floor: float = -np.inf,
) -> dict[str, Any]:
    """A trained ensemble on matches bool [states, templates]: their number, the smallest signed margin, and z.

    A margin counts as positive on the side the templates specify. z is that of `finite_width`, over the states. Stops
    once a margin is below the floor.
    """
    labels = network.labels()
    matched = np.random.default_rng(0).permutation(matched)  # what is wrong shows soon
    exact = predictor.closed_form(network)
    smallest, squares, counted = np.inf, np.zeros(network.output_bits), 0
    for start in range(0, len(matched), BLOCK):
        block = np.pad(matched[start : start + BLOCK].astype(np.float32), ((0, 0), (0, network.padding)))
        some = len(block)
        block = np.pad(block, ((0, min(BLOCK, 1 << (len(matched) - 1).bit_length()) - some), (0, 0)), mode="edge")
        prediction, closed = (_predict(network, each, (block,)) for each in (params, exact))
        side = np.where(block @ labels > 0, np.float32(1), np.float32(-1))
        margin = side * np.asarray((prediction.value - prediction.threshold) / prediction.half_gap)
        smallest = float(np.minimum(smallest, margin.min()))  # a NaN stays
        error = np.asarray((prediction.value - closed.value) / closed.half_gap, np.float64)[:some]
        error = error[block[:some].sum(1) >= 2]
        squares += (error**2).sum(0)
        counted += len(error)
        progress(min(1.0, (start + BLOCK) / len(matched)))
        if not smallest >= floor:  # a NaN stops here too
            break
    root = np.sqrt(squares.max() / max(counted, 1))
    z = 1e9 if root == 0 else float(1 / root)  # a NaN stays
    return {"inputs": len(matched), "smallest_margin": smallest, "z": z}
