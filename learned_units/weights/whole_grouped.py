"""The trained networks of the grouped whole machine: those of the unit `ntk`, and two of its own, made like those.

What is proved of them: every input each of the seven can receive is enumerated, with a margin of at least
`ensembles.MARGIN_FLOOR`. The wiring between them is proved for each size of machine (`proof/whole_wiring.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from learned_units.circuits import machine_grouped
from learned_units.circuits.templates import TemplateSet
from learned_units.store import Progress
from learned_units.units import ntk
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import EnsembleManifest, Plan
from learned_units.weights.recipes import Fields, Recipe

UNIT = "whole"  # in manifests


def own_sets() -> dict[str, TemplateSet]:
    """The template sets that the unit `ntk` does not have."""
    sets = machine_grouped.template_sets()
    return {name: sets[name] for name in ("decode", "read")}


def plan() -> Plan:
    """The networks of `own_sets`."""
    return Plan(
        "the whole machine in groups, any number of cells and any word width",
        {name: ensembles.every_input(each) for name, each in own_sets().items()},
        _check_specifications,
    )


def _check_specifications() -> tuple[str, Fields]:
    from learned_units.proof import enumeration

    enumeration.check_specifications(machine_grouped.template_sets())
    return ensembles.nothing_else()


def recipe(seed: int) -> Recipe[EnsembleManifest]:
    """The weights of `own_sets`, which fit every size of machine."""
    group = machine_grouped.GROUP
    expected = {"unit": UNIT, "group": group, "seed": seed}
    return plan().recipe(f"whole-g{group}", expected, floor=ensembles.MARGIN_FLOOR)


def recipe_of(written: Mapping[str, Any]) -> Recipe[EnsembleManifest]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError or TypeError for a
    manifest that cannot be of the whole machine."""
    return recipe(written["seed"])


@dataclass(frozen=True, kw_only=True)
class WholeManifest(EnsembleManifest):
    """That of the two files together."""

    unit_tensor_hash: str  # of the weights of the unit `ntk`


def obtain(seed: int, progress: Progress | None) -> tuple[dict[str, Any], WholeManifest]:
    """The parameters of all seven networks and a manifest that covers them.

    Raises WeightsError if there are no acceptable weights.
    """
    shared, unit = recipes.obtain(ntk.recipe(16, "sbn", seed), progress)
    own, manifest = recipes.obtain(recipe(seed), progress)
    params = ntk.plan(machine_grouped.GROUP, 16).params(shared) | plan().params(own)
    networks = {**manifest.networks, **unit.networks}
    networks = {name: networks[name] for name in machine_grouped.template_sets()}
    both = {"networks": networks, "verified": ensembles.summary(networks.values())}
    return params, WholeManifest(**vars(manifest) | both, unit_tensor_hash=unit.tensor_hash)


def describe(manifest: EnsembleManifest) -> str:
    """The weights in a few words, for summaries."""
    return f"seven networks, {ensembles.describe(manifest)}"
