"""The NTK units by width, instruction set and group: their weights' recipe, and what is learned in them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from learned_units import bits
from learned_units.circuits import subtract_branch
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor
from learned_units.store import Progress
from learned_units.unit import Scope, Unit
from learned_units.units.ntk import NtkSpec
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import Plan, Planned
from learned_units.weights.recipes import Manifest, Recipe

DEFAULT_GROUP = 8  # bit positions one network serves

TRAINED = Scope(
    sentence=(
        "Five small ensembles of two-layer ReLU networks, trained by gradient descent on 160 template examples, "
        "predict every bit of the difference, the branch decision and the next pc. "
        "Template matching (the encoder), the wiring between passes and the threshold are not learned."
    ),
    difference="learned",
    decision="learned",
    select="learned",
    glue="template matching, wiring, threshold",
    step_kind="learned",
)
LIMIT = Scope(
    sentence=(
        "The closed-form mean of those ensembles at infinite width and size, evaluated live. "
        "With the calibrated readout its decision is algebraically 'at least one matched template': "
        "a fast, honest reference for the theory, not a learned computation."
    ),
    difference="closed form",
    decision="closed form",
    select="closed form",
    glue="template matching, wiring, threshold",
    step_kind="closed-form",
)


def load_trained(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None = None) -> Unit:
    """The trained unit. Raises ValueError for a group out of range, WeightsError if no weights can be had."""
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed, group), progress)
    spec = NtkSpec(word_bits, isa, manifest["group"])
    params = plan(spec.group, word_bits).params(tensors)
    return Unit("ntk", spec, params, TRAINED, manifest["seed_used"], ensembles.describe(manifest), manifest)


def load_limit(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None = None) -> Unit:
    """The closed form, which has no weights. Raises ValueError for a group out of range."""
    del seed, progress
    group = checked_group(group)
    params = {name: predictor.closed_form(each) for name, each in subtract_branch.template_sets(group).items()}
    detail = f"closed form at infinite width, groups of {group}"
    return Unit("ntk-limit", NtkSpec(word_bits, isa, group), params, LIMIT, detail=detail)


def recipe(word_bits: int, isa: str, seed: int, group: int | None = None) -> Recipe:
    """The weights of a trained unit. They depend on the word width only where inputs are sampled, on the instruction
    set never. Raises ValueError for a group out of range."""
    del isa
    group = checked_group(group)
    expected = {"unit": "ntk", "group": group, "seed": seed}
    file = f"ntk-g{group}"
    if group > ensembles.ENUMERABLE_GROUP:
        expected["word_bits"] = word_bits
        file += f"-w{word_bits}"
    return plan(group, word_bits).recipe(file, expected)


def recipe_of(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError, ValueError
    for a manifest that cannot be of this unit."""
    return recipe(manifest.get("word_bits", 0), "sbn", manifest["seed"], manifest["group"])


def plan(group: int, word_bits: int) -> Plan:
    """The five networks of a unit. A network of a larger group receives too many inputs to enumerate: there they are
    sampled, from words of this width."""

    def planned(template_set: TemplateSet) -> Planned:
        if template_set.group <= ensembles.ENUMERABLE_GROUP:
            return ensembles.every_input(template_set)
        return ensembles.sampled_inputs(template_set, word_bits, group)

    words = "any word width" if group <= ensembles.ENUMERABLE_GROUP else f"{word_bits}-bit words"
    networks = {name: planned(each) for name, each in subtract_branch.template_sets(group).items()}
    return Plan(f"groups of {group}, {words}", networks, functools.partial(_check_composition, group))


def _check_composition(group: int) -> tuple[str, Manifest]:
    from learned_units.proof import enumeration

    return ", composition checked at widths 4-64", {"schedules": enumeration.check_composition(group)}


def checked_group(group: int | None) -> int:
    """The group asked for, or the default. Raises ValueError for one out of range."""
    if group is None:
        return DEFAULT_GROUP
    if not bits.is_integer(group) or group not in range(1, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"group is {group}; a network serves 1 to {bits.MAX_WORD_BITS} positions")
    return group
