"""The trained networks of the grouped whole machine: those of the unit `ntk`, and two of its own, made like those.

What is proved of them: every input each of the seven can receive is enumerated, with a margin of at least
`ensembles.MARGIN_FLOOR`. The wiring between them is checked by tests; see docs/whole_machine.md.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from learned_units.circuits import machine_grouped
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import ensemble, readout, training
from learned_units.proof import enumeration
from learned_units.store import Progress, WeightsError
from learned_units.units import ntk_loading
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import GROUPED_UNITS, MARGIN_FLOOR, NETWORKS, SEEDS_TRIED, checked_weights
from learned_units.weights.recipes import Made, Manifest, Recipe, Report, Tensors

UNIT = "whole"  # in manifests


def own_sets() -> dict[str, TemplateSet]:
    """The template sets that the unit `ntk` does not have."""
    sets = machine_grouped.template_sets()
    return {name: sets[name] for name in ("decode", "read")}


def obtain(seed: int, progress: Progress | None) -> tuple[dict[str, ensemble.EnsembleParams], Manifest]:
    """The parameters of all seven networks and a manifest that covers them.

    Raises WeightsError if there are no acceptable weights.
    """
    shared, shared_manifest = recipes.obtain(ntk_loading.recipe(16, "sbn", seed), progress)
    own, own_manifest = recipes.obtain(recipe(seed), progress)
    params = ensembles.as_params(shared, machine_grouped.GROUP) | _as_params(own)
    networks = {**own_manifest["networks"], **shared_manifest["networks"]}
    manifest = {
        "seed_used": own_manifest["seed_used"],
        "networks": {name: networks[name] for name in machine_grouped.template_sets()},
        "ensemble_size": NETWORKS,
        "verified": {
            "kind": own_manifest["verified"]["kind"],
            "inputs": sum(each["inputs"] for each in networks.values()),
            "smallest_margin": min(each["smallest_margin"] for each in networks.values()),
        },
        "tensor_hash": own_manifest["tensor_hash"],
        "unit_tensor_hash": shared_manifest["tensor_hash"],
    }
    return params, manifest


def describe(manifest: Manifest) -> str:
    """The weights in a few words, for summaries."""
    return f"seven networks, {ensembles.describe(manifest)}"


def recipe(seed: int) -> Recipe:
    """The weights of `own_sets`, which fit every size of machine."""
    return Recipe(
        f"whole-g{machine_grouped.GROUP}-seed{seed}",
        {"unit": UNIT, "group": machine_grouped.GROUP, "seed": seed, "design": _design()},
        functools.partial(_make, seed),
        _check,
        report,
        _prove,
    )


def recipe_of(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError or TypeError for a
    manifest that cannot be of the whole machine."""
    return recipe(manifest["seed"])


def report(manifest: Manifest) -> Report:
    """What is known of trained weights."""
    rows: list[tuple[str, ...]] = [
        ("network", "networks x width", "examples", "iterations", "inputs checked", "smallest margin")
    ]
    for name, each in manifest["networks"].items():
        sizes = f"{manifest['ensemble_size']} x {each['width']}"
        checked, margin = f"{each['inputs']:,}, all", f"{each['smallest_margin']:.2f}"
        rows.append((name, sizes, str(each["examples"]), str(each["iterations"]), checked, margin))
    widths = sorted({each["width"] for each in manifest["networks"].values()})
    found = manifest["verified"]
    return Report(
        subject="the whole machine in groups, any number of cells and any word width",
        sizes=f"{manifest['ensemble_size']} x {'-'.join(map(str, dict.fromkeys((widths[0], widths[-1]))))}",
        verified=f"{found['kind']}: {found['inputs']:,} inputs, smallest margin {found['smallest_margin']:.2f}",
        table=rows,
    )


def _design() -> str:
    recipe = (
        ensembles.design(machine_grouped.GROUP),
        own_sets(),
        NETWORKS,
        ensembles.INITIALISATION,
        MARGIN_FLOOR,
        GROUPED_UNITS,
        training.TOLERANCE,
    )
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def _make(seed: int, progress: Progress) -> Made:
    enumeration.check_specifications(machine_grouped.template_sets())
    for tried in range(seed, seed + SEEDS_TRIED):
        tensors: Tensors = {}
        reports: dict[str, Any] = {}
        for name, template_set in own_sets().items():
            judge = ensembles.judge_every_input(template_set)
            accepted = ensembles.widen(name, template_set.labels(), GROUPED_UNITS, tried, judge, progress)
            if accepted is None:
                break
            inner, outer, reports[name] = accepted
            tensors |= {f"{name}.inner": inner, f"{name}.outer": outer}
        else:
            fields = {"ensemble_size": NETWORKS, "initialisation": ensembles.INITIALISATION, "seed_used": tried}
            return Made(tensors, {**fields, "networks": reports, "verified": _verified(reports)})
    raise WeightsError(f"no seed from {seed} to {seed + SEEDS_TRIED - 1} gave acceptable weights for the whole machine")


def _prove(tensors: Tensors, manifest: Manifest, progress: Progress) -> Manifest:
    enumeration.check_specifications(machine_grouped.template_sets())
    reports = {}
    for name, template_set in own_sets().items():
        inner, outer = checked_weights(tensors, name, template_set.size, template_set.output_bits)
        judge = ensembles.judge_every_input(template_set)
        reports[name] = ensembles.judged(name, inner, outer, judge, manifest["networks"][name], progress)
    return {"networks": reports, "verified": _verified(reports)}


def _verified(reports: Mapping[str, Mapping[str, Any]]) -> Manifest:
    return {
        "kind": "every input enumerated",
        "inputs": sum(each["inputs"] for each in reports.values()),
        "smallest_margin": min(each["smallest_margin"] for each in reports.values()),
    }


def _check(tensors: Tensors, manifest: Manifest) -> None:
    verified = manifest.get("verified")
    if not isinstance(verified, dict) or set(manifest.get("networks", {})) != set(own_sets()):
        raise WeightsError("the manifest does not say what was verified")
    if not verified.get("smallest_margin", 0) >= MARGIN_FLOOR:
        raise WeightsError(f"the manifest claims too little: {verified}")
    _as_params(tensors)


def _as_params(tensors: Tensors) -> dict[str, ensemble.EnsembleParams]:
    params = {}
    for name, template_set in own_sets().items():
        inner, outer = checked_weights(tensors, name, template_set.size, template_set.output_bits)
        params[name] = ensemble.make_params(template_set, inner, outer, readout.calibrated(template_set))
    return params
