"""The NTK units by width, instruction set and group: their weights' recipe, and what is learned in them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from learned_units import bits
from learned_units.circuits import subtract_branch
from learned_units.networks import limit, readout
from learned_units.store import Progress
from learned_units.unit import Scope, Unit
from learned_units.units.ntk import NtkSpec
from learned_units.weights import ensembles, recipes
from learned_units.weights.recipes import Recipe, Report

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
    """The trained unit. Raises ValueError for a group out of range, WeightsError if there are no acceptable weights."""
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed, group), progress)
    spec = NtkSpec(word_bits, isa, manifest["group"])
    params = ensembles.as_params(tensors, spec.group)
    return Unit("ntk", spec, params, TRAINED, manifest["seed_used"], ensembles.describe(manifest), manifest)


def load_limit(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None = None) -> Unit:
    """The closed form, which has no weights. Raises ValueError for a group out of range."""
    del seed, progress
    group = checked_group(group)
    sets = subtract_branch.template_sets(group)
    params = {key: limit.make_params(each, readout.calibrated(each)) for key, each in sets.items()}
    detail = f"closed form at infinite width, groups of {group}"
    return Unit("ntk-limit", NtkSpec(word_bits, isa, group), params, LIMIT, detail=detail)


def recipe(word_bits: int, isa: str, seed: int, group: int | None = None) -> Recipe:
    """The weights of a trained unit. They depend on the word width only where inputs are sampled, on the instruction
    set never. Raises ValueError for a group out of range."""
    del isa
    group = checked_group(group)
    expected = {"unit": "ntk", "group": group, "seed": seed, "design": ensembles.design(group)}
    file = f"ntk-g{group}"
    if group > ensembles.ENUMERABLE_GROUP:
        expected["word_bits"] = word_bits
        file += f"-w{word_bits}"
    return Recipe(
        f"{file}-seed{seed}",
        expected,
        functools.partial(ensembles.make, group, word_bits, seed),
        ensembles.check,
        report,
        functools.partial(ensembles.prove, group, word_bits),
    )


def recipe_of(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError, ValueError
    for a manifest that cannot be of this unit."""
    return recipe(manifest.get("word_bits", 0), "sbn", manifest["seed"], manifest["group"])


def report(manifest: Mapping[str, Any]) -> Report:
    """What is known of trained weights."""
    networks = manifest["networks"]
    widths = sorted({each["width"] for each in networks.values()})
    rows: list[tuple[str, ...]] = [
        ("network", "networks x width", "examples", "iterations", "inputs checked", "smallest margin")
    ]
    for name in subtract_branch.template_sets(manifest["group"]):
        each = networks[name]
        if "smallest_margin" in each:
            checked, margin = f"{each['inputs']:,}, all", f"{each['smallest_margin']:.2f}"
        else:
            checked, margin = f"{each['states']:,}, sampled", f"z = {each['z']:.1f}"
        size = f"{manifest['ensemble_size']} x {each['width']}"
        rows.append((name, size, str(each["examples"]), str(each["iterations"]), checked, margin))
    found = manifest["verified"]
    if "smallest_margin" in found:
        measured = f"{found['inputs']:,} inputs, smallest margin {found['smallest_margin']:.2f}"
    else:
        measured = f"z = {found['z']:.1f}, largest error {found['largest_error']:.2f} half gaps"
    words = f"{manifest['word_bits']}-bit words" if "word_bits" in manifest else "any word width"
    return Report(
        subject=f"groups of {manifest['group']}, {words}",
        sizes=f"{manifest['ensemble_size']} x {'-'.join(map(str, dict.fromkeys((widths[0], widths[-1]))))}",
        verified=f"{found['kind']}: {measured}, {found['schedules']} schedules",
        table=rows,
    )


def checked_group(group: int | None) -> int:
    """The group asked for, or the default. Raises ValueError for one out of range."""
    if group is None:
        return DEFAULT_GROUP
    if not bits.is_integer(group) or group not in range(1, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"group is {group}; a network serves 1 to {bits.MAX_WORD_BITS} positions")
    return group
