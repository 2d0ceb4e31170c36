"""The unit ntk-bits: subtract and branch by networks that are given bits and their negations, and nothing else.

What runs (`BitsSpec`), what is learned in it, and the plan and the recipe of its weights. Training and proof are those
of the unit `ntk`; what is computed, and why that is right, is another circuit (`circuits/majorities.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from learned_units.circuits import majorities
from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.passes import Pass
from learned_units.store import Progress
from learned_units.unit import Scope, Unit
from learned_units.units.ntk import WiredSpec
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import EnsembleManifest, Plan
from learned_units.weights.recipes import Fields, Recipe, train_command


@dataclass(frozen=True)
class BitsSpec(WiredSpec):
    """Width and instruction set."""

    @property
    def sets(self) -> Mapping[str, LiteralSet]:
        return _literal_sets()

    @property
    def schedule(self) -> tuple[Pass, ...]:
        return majorities.schedule(self.word_bits, self.isa)

    @property
    def enumerable(self) -> bool:
        return True

    def check_composition(self) -> int:
        from learned_units.proof import majorities as proof

        return proof.check_composition()


@functools.cache
def _literal_sets() -> Mapping[str, LiteralSet]:
    return majorities.literal_sets()


SCOPE = Scope(
    sentence=(
        "Six small ensembles of two-layer ReLU networks predict every bit of the difference, the branch decision and "
        "the next pc from single bits and their negations. Five are trained by gradient descent on one literal at a "
        "time, conjunctions and majorities among them; the exclusive or is trained on pairs, and no linear map can "
        "replace its network. The negation of a bit, the wiring and one constant threshold for each output are not "
        "learned."
    ),
    difference="learned",
    decision="learned",
    select="learned",
    glue="negation of a bit, wiring, constant threshold",
    step_kind="learned",
)


def load(word_bits: int, isa: str, seed: int, progress: Progress | None) -> Unit:
    """The unit. Raises WeightsError if there are no acceptable weights."""
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed), progress)
    params, detail = plan().params(tensors), ensembles.describe(manifest)
    spec = BitsSpec(word_bits, isa)
    return Unit("ntk-bits", spec, params, SCOPE, manifest.seed_used, detail, manifest.tensor_hash, manifest)


def recipe(word_bits: int, isa: str, seed: int) -> Recipe[EnsembleManifest]:
    """The weights of the unit. They do not depend on the word width or the instruction set."""
    del word_bits, isa
    command = train_command("ntk-bits", seed=seed or None)
    expected = {"unit": "ntk-bits", "seed": seed}
    return plan().recipe("ntk-bits", expected, command=command, floor=ensembles.MARGIN_FLOOR)


def recipe_of(written: Mapping[str, Any]) -> Recipe[EnsembleManifest]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError for a manifest that
    cannot be of this unit."""
    return recipe(0, "sbn", written["seed"])


def plan() -> Plan:
    """The six networks of the unit."""
    networks = {name: ensembles.every_input(each, ensembles.LITERAL_UNITS) for name, each in _literal_sets().items()}
    return Plan(f"single bits, groups of {majorities.GROUP}, any word width", networks, _check_composition)


def _check_composition() -> tuple[str, Fields]:
    from learned_units.proof import majorities as proof

    return ", composition checked at widths 4-64", {"schedules": proof.check_composition()}
